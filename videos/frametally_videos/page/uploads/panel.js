// The panel by which videos are brought in: files are chosen, dropped or pasted, something is said of them, they go up.

import { byId, el } from "frametally/js/shared/dom.js";
import { percent, plural } from "frametally/js/shared/format.js";
import { tellNews } from "../library/news.js";
import { visible } from "../library/words.js";
import { takeFiles } from "./dropping.js";
import { fingerprint } from "./fingerprint.js";
import { findLeftOver, leftOverRow } from "./left_over.js";
import { Row, summaryOf } from "./row.js";

/** One more would only share the line with the others. */
const MOST_AT_ONCE = 2;

const panel = byId("upload");
const opener = byId("upload-open");
const list = el("ul", { class: "upload-rows" });
const picker = el("input", {
  type: "file",
  multiple: true,
  accept: "video/*,.mkv,.avi,.ts,.mts,.m2ts,.flv,.wmv,.mxf",
  hidden: true,
});
const choose = el("button", { type: "button", id: "upload-choose", class: "button", text: "choose files" });
const source = el("input", {
  type: "text",
  id: "upload-source",
  maxlength: "255",
  autocomplete: "off",
  list: "known-sources",
});
const sourceField = el(
  "div",
  { class: "field", hidden: true },
  el("label", { for: "upload-source", text: "Source of all" }),
  source,
);
const begin = el("button", { type: "button", id: "upload-start", class: "button primary", hidden: true });
const clear = el("button", {
  type: "button",
  id: "upload-clear",
  class: "button",
  text: "Clear the finished",
  hidden: true,
});
const summary = el("p", { id: "upload-summary", class: "muted small" });
const knownSources = el("datalist", { id: "known-sources" });

/** @type {Row[]} */
let rows = [];
let isAllowed = false;
/** @type {() => Iterable<string>} */
let sourceNames = () => [];

/**
 * @param {() => Iterable<string>} namesOfSources
 * @returns {{allow: (answer: Page.Videos) => void}}
 */
export function startUploads(namesOfSources) {
  sourceNames = namesOfSources;
  panel.append(
    el(
      "div",
      { class: "card-head" },
      el("h2", { id: "upload-title", text: "Upload videos" }),
      el("button", {
        type: "button",
        class: "button icon",
        "aria-label": "Close the upload panel",
        text: "×",
        onclick: () => show(false),
      }),
    ),
    el("div", { class: "drop-zone" }, el("p", {}, "Drop videos here, paste them, or ", choose, "."), picker),
    list,
    el("div", { class: "upload-actions" }, sourceField, begin, clear, summary),
    knownSources,
    el("datalist", { id: "known-zones" }, ...zones().map((value) => el("option", { value }))),
  );
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

const zones = () => ["UTC", ...Intl.supportedValuesOf("timeZone")];

/**
 * Whether uploads are on here, as the server says.
 * @param {Page.Videos} answer
 */
function allow({ uploads_allowed: allowed, remedy, states }) {
  const wasAllowed = isAllowed;
  isAllowed = allowed;
  opener.hidden = !allowed;
  const off = byId("uploads-off");
  off.textContent = `Uploads are off here. ${remedy ?? ""}`;
  off.hidden = allowed || !Object.keys(states).length; // else the empty page says it
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

/** Whether it goes on here already. @param {import("tus-js-client").Stored} stored */
const isListed = ({ uploadUrl, urlStorageKey }) =>
  rows.some(
    ({ sending: { upload, stored } }) => upload?.url === uploadUrl || stored?.urlStorageKey === urlStorageKey,
  );

/** @param {boolean} isShown */
function show(isShown) {
  panel.hidden = !isShown;
  opener.setAttribute("aria-expanded", String(isShown));
  if (isShown) knownSources.replaceChildren(...[...sourceNames()].map((value) => el("option", { value })));
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
      byId("spoken").textContent = `${visible(file.name)} is in the list already.`;
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
    // What was said of it was said when it was begun.
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

/** Gives free places to those that wait, and says how all of them stand. */
function refresh() {
  if (isRefreshing) return; // beginning one changes its state
  isRefreshing = true;
  for (const { sending } of rows) {
    const active = rows.filter((row) => row.sending.isActive).length;
    if (active < MOST_AT_ONCE && sending.state === "queued") sending.start();
  }
  isRefreshing = false;
  const ready = rows.filter(({ sending }) => sending.state === "chosen").length;
  begin.hidden = !ready;
  begin.textContent = `Upload ${plural(ready, "video")}`;
  sourceField.hidden = ready < 2;
  clear.hidden = !rows.some(({ sending }) => ["done", "refused"].includes(sending.state));
  summary.textContent = summaryOf(rows);
  showOnOpener();
}

/** Closed, the panel's button says how far they are. */
function showOnOpener() {
  const moving = rows.map(({ sending }) => sending).filter(({ isUnderWay }) => isUnderWay);
  const size = moving.reduce((sum, { file }) => sum + file.size, 0);
  const sent = moving.reduce((sum, one) => sum + one.sent, 0);
  opener.textContent = moving.length
    ? `Uploading ${moving.length} · ${percent(size ? sent / size : 0)}`
    : "+ Upload video";
}

setInterval(showOnOpener, 1000);
