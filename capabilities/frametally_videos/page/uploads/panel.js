// The upload panel: you choose, drop or paste files, fill in their fields, and upload them.

import { byId, control, el } from "frametally/js/shared/dom.js";
import { percent } from "frametally/js/shared/format.js";
import { tellNews } from "../library/news.js";
import { visible } from "../library/words.js";
import { fingerprint } from "./checks.js";
import { findLeftOver, leftOverRow, takeFiles } from "./files.js";
import { Row, summaryOf } from "./row.js";
import { t } from "frametally/js/shared/texts.js";

/** A third upload would only share the bandwidth. */
const MOST_AT_ONCE = 2;

const panel = byId("upload");
const opener = byId("upload-open");
const list = byId("upload-rows");
const picker = control("upload-files", HTMLInputElement);
const choose = byId("upload-choose");
const source = control("upload-source", HTMLInputElement);
const sourceField = byId("upload-source-field");
const begin = byId("upload-start");
const clear = byId("upload-clear");

/** @type {Row[]} */
let rows = [];
let isAllowed = false;
/** @type {() => Iterable<string>} */
let sourceNames = () => [];

/** @param {() => Iterable<string>} namesOfSources @returns {{allow: (answer: Api.LibraryPage) => void}} */
export function startUploads(namesOfSources) {
  sourceNames = namesOfSources;
  byId("upload-close").addEventListener("click", () => show(false));
  choose.addEventListener("click", () => picker.click());
  picker.addEventListener("change", () => {
    add([...(picker.files ?? [])]);
    picker.value = "";
  });
  begin.addEventListener("click", startChosen);
  clear.addEventListener("click", () => drop((row) => ["done", "refused"].includes(row.sending.state)));
  opener.addEventListener("click", () => show(panel.hidden));
  takeFiles(() => isAllowed, add);
  addEventListener("beforeunload", (event) => {
    if (rows.some(({ sending }) => sending.isUnderWay)) event.preventDefault();
  });
  return { allow };
}

/** Shows whether the server allows uploads. @param {Api.LibraryPage} answer */
function allow({ uploads_allowed: allowed, remedy, states }) {
  const wasAllowed = isAllowed;
  isAllowed = allowed;
  opener.hidden = !allowed;
  const off = byId("uploads-off");
  off.textContent = t("videos.uploads_are_off_here", { remedy: remedy ?? "" });
  off.hidden = allowed || !Object.keys(states).length; // otherwise the empty page says so
  if (!allowed && !rows.length) show(false);
  if (allowed && !wasAllowed) showLeftOver();
}

async function showLeftOver() {
  const left = await findLeftOver();
  const known = new Set([...list.children].map((one) => /** @type {HTMLElement} */ (one).dataset.key));
  const fresh = left.filter(({ stored }) => !known.has(stored.urlStorageKey) && !isListed(stored));
  list.append(...fresh.map((one) => leftOverRow(one, () => picker.click())));
  if (fresh.length) show(true);
}

/** Whether this upload is already in the list. @param {import("tus-js-client").PreviousUpload} stored */
const isListed = ({ uploadUrl, urlStorageKey }) =>
  rows.some(
    ({ sending: { upload, stored } }) => upload?.url === uploadUrl || stored?.urlStorageKey === urlStorageKey,
  );

/** @param {boolean} isShown */
function show(isShown) {
  panel.hidden = !isShown;
  opener.setAttribute("aria-expanded", String(isShown));
  const known = [...sourceNames()].map((value) => el("option", { value }));
  if (isShown) byId("known-sources").replaceChildren(...known);
  else if (document.activeElement === document.body) opener.focus();
}

/** @param {File[]} files */
async function add(files) {
  if (!files.length) return;
  show(true);
  const prints = new Set();
  for (const row of rows) {
    const { state, file } = row.sending;
    if (!["done", "refused", "removed"].includes(state)) prints.add(await fingerprint(file).catch(() => ""));
  }
  for (const file of files) {
    const print = await fingerprint(file).catch(() => "");
    if (print && prints.has(print)) {
      byId("spoken").textContent = t("videos.is_in_the_list_already", { name: visible(file.name) });
      continue;
    }
    prints.add(print);
    await addRow(file);
  }
  refresh();
}

/** @param {File} file */
async function addRow(file) {
  const row = new Row(file, () => changed(row));
  rows.push(row);
  const stored = await row.sending.findEarlier();
  if (stored) {
    // Its fields were filled in when the upload started.
    list.querySelector(`[data-key="${CSS.escape(stored.urlStorageKey)}"]`)?.remove();
    row.sending.queue(stored.metadata);
  }
  list.append(row.element);
}

function startChosen() {
  const ready = rows.filter(({ sending }) => sending.state === "chosen");
  if (!ready.every(({ fields }) => fields.check())) return;
  const shared = sourceField.hidden ? "" : source.value;
  for (const { sending, fields } of ready) sending.queue(fields.metadata(shared));
  if (!begin.hidden) begin.focus();
}

/** @param {Row} row */
function changed(row) {
  const { state } = row.sending;
  if (state === "removed") drop((one) => one === row);
  if (state === "done") tellNews();
  refresh();
}

/** @param {(row: Row) => boolean} isOver */
function drop(isOver) {
  for (const row of rows.filter(isOver)) row.element.remove();
  rows = rows.filter((row) => !isOver(row));
  refresh();
  if (document.activeElement === document.body) choose.focus();
}

let isRefreshing = false;

/** Starts queued uploads if there is room, and updates the summary. */
function refresh() {
  if (isRefreshing) return; // starting an upload calls this again
  isRefreshing = true;
  for (const { sending } of rows) {
    const active = rows.filter((row) => row.sending.isActive).length;
    if (active < MOST_AT_ONCE && sending.state === "queued") sending.start();
  }
  isRefreshing = false;
  const ready = rows.filter(({ sending }) => sending.state === "chosen").length;
  begin.hidden = !ready;
  begin.textContent = t("videos.upload", { ready: t("videos.count_videos", { count: ready }) });
  sourceField.hidden = ready < 2;
  clear.hidden = !rows.some(({ sending }) => ["done", "refused"].includes(sending.state));
  byId("upload-summary").textContent = summaryOf(rows);
  showOnOpener();
}

/** While the panel is closed, its button shows the progress. */
function showOnOpener() {
  const moving = rows.map(({ sending }) => sending).filter(({ isUnderWay }) => isUnderWay);
  const size = moving.reduce((sum, { file }) => sum + file.size, 0);
  const sent = moving.reduce((sum, one) => sum + one.sent, 0);
  opener.textContent = moving.length
    ? t("videos.uploading", { length: moving.length, percent: percent(size ? sent / size : 0) })
    : t("videos.upload_video");
}

setInterval(showOnOpener, 1000);
