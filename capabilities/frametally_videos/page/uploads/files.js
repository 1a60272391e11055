// Files that you drop on the page, and files whose upload was interrupted.

import { Upload } from "tus-js-client";
import { ApiError, getFrom } from "frametally/js/shared/api.js";
import { byId, el } from "frametally/js/shared/dom.js";
import { bytes, percent } from "frametally/js/shared/format.js";
import { visible } from "../library/words.js";
import { storage } from "./sending.js";
import { t } from "frametally/js/shared/texts.js";

/** @param {() => boolean} isAllowed @param {(files: File[]) => void} onFiles */
export function takeFiles(isAllowed, onFiles) {
  const veil = byId("drop-veil");
  let inside = 0; // each element that you drag over fires these events
  const hide = () => {
    inside = 0;
    veil.hidden = true;
  };
  const hasFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    inside += 1;
    veil.hidden = !isAllowed();
  });
  addEventListener("dragleave", (event) => {
    if (!hasFiles(event)) return;
    inside -= 1;
    if (inside <= 0) hide();
  });
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    // Otherwise the browser leaves the page and opens the file.
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = isAllowed() ? "copy" : "none";
  });
  addEventListener("drop", async (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    hide();
    if (isAllowed() && event.dataTransfer) onFiles(await filesIn(event.dataTransfer));
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length || !isAllowed()) return;
    event.preventDefault();
    onFiles(files);
  });
}

/** @param {DataTransfer} dropped @returns {Promise<File[]>} */
async function filesIn(dropped) {
  // Read everything at once, because the dropped items are gone after the first wait.
  const entries = [...dropped.items].map((item) => (item.kind === "file" ? item.webkitGetAsEntry() : null));
  const files = [...dropped.files];
  if (!entries.some((entry) => entry?.isDirectory)) return files;
  const found = await Promise.all(entries.map((entry) => (entry ? filesOf(entry) : [])));
  return found.flat();
}

/** @param {FileSystemEntry} entry @returns {Promise<File[]>} */
async function filesOf(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve) =>
      /** @type {FileSystemFileEntry} */ (entry).file(resolve, () => resolve(null)),
    );
    return file ? [file] : [];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  const found = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!some.length) return found;
    for (const one of some) found.push(...(await filesOf(one)));
  }
}

/**
 * @typedef {Object} LeftOver
 * @property {import("tus-js-client").PreviousUpload} stored
 * @property {number} offset  bytes on the server
 */

/** Uploads that the server still has; also forgets those that it does not have. @returns {Promise<LeftOver[]>} */
export async function findLeftOver() {
  const found = [];
  for (const stored of await storage.findAllUploads()) {
    const offset = await offsetOf(stored);
    if (offset !== null) found.push({ stored, offset });
  }
  return found;
}

/** @param {import("tus-js-client").PreviousUpload} stored @returns {Promise<number|null>}  `null` if it has ended */
async function offsetOf({ uploadUrl, urlStorageKey }) {
  const id = uploadUrl?.split("/").at(-1) ?? "";
  try {
    const told = await getFrom(`uploads/${encodeURIComponent(id)}`);
    if (told.state === "receiving") return told.offset;
  } catch (error) {
    if (!(error instanceof ApiError) || error.passes) return null; // requested again when the page reloads
  }
  await storage.removeUpload(urlStorageKey);
  return null;
}

/** @param {LeftOver} left @param {() => void} onChoose */
export function leftOverRow({ stored, offset }, onChoose) {
  const name = visible(stored.metadata.filename ?? t("videos.a_file"));
  const size = stored.size ?? 0;
  const remove = async () => {
    row.remove();
    await storage.removeUpload(stored.urlStorageKey);
    if (stored.uploadUrl) await Upload.terminate(stored.uploadUrl, { retryDelays: null }).catch(() => {});
  };
  const share = size ? offset / size : 0;
  const row = el(
    "li.upload-row.stack",
    { "data-state": "left", "data-key": stored.urlStorageKey },
    headOf(
      name,
      size,
      fileButton(t("videos.choose_the_file"), name, onChoose),
      fileButton(t("videos.remove_button"), name, remove),
    ),
    progressOf(name, share),
    el("p.small.upload-words", t("videos.left_at_choose_or_drop_the", { percent: percent(share) })),
  );
  return row;
}

/** @param {string} name  file name @param {number} size  bytes @param {...HTMLElement} buttons */
export const headOf = (name, size, ...buttons) =>
  el(
    "div.upload-head",
    el("p.strong.ellipsis", { title: name }, el("bdi", name)),
    el("span.muted.small", bytes(size)),
    el("span.upload-buttons", ...buttons),
  );

/** @param {string} text @param {string} name  file name @param {() => void} onclick */
export const fileButton = (text, name, onclick) =>
  el("button.button", { "aria-label": `${text}: ${name}`, onclick }, text);

/** @param {string} name  file name @param {number} share */
export const progressOf = (name, share) =>
  el("progress", { max: "1", value: share, "aria-label": t("videos.progress_of", { name }) });
