// Uploads that an earlier session of this browser left: the same file has to be chosen again, and goes on where it was.

import { Upload } from "tus-js-client";
import { ApiError, get } from "frametally/js/shared/api.js";
import { el } from "frametally/js/shared/dom.js";
import { percent } from "frametally/js/shared/format.js";
import { bytes, visible } from "../library/words.js";
import { storage } from "./sending.js";

/**
 * @typedef {Object} LeftOver
 * @property {import("tus-js-client").Stored} stored
 * @property {number} offset  bytes that are there
 */

/** Those that the server still has; what it has not is forgotten here, too. @returns {Promise<LeftOver[]>} */
export async function findLeftOver() {
  const found = [];
  for (const stored of await storage.findAllUploads()) {
    const offset = await offsetOf(stored);
    if (offset !== null) found.push({ stored, offset });
  }
  return found;
}

/** @param {import("tus-js-client").Stored} stored @returns {Promise<number|null>} null: it is over */
async function offsetOf({ uploadUrl, urlStorageKey }) {
  const id = uploadUrl?.split("/").at(-1) ?? "";
  try {
    const told = /** @type {any} */ (
      await get(/** @type {Api.Route} */ (`uploads/${encodeURIComponent(id)}`))
    );
    if (told.state === "receiving") return told.offset;
  } catch (error) {
    if (!(error instanceof ApiError) || error.passes) return null; // asked again when the page is opened again
  }
  await storage.removeUpload(urlStorageKey);
  return null;
}

/**
 * @param {LeftOver} left
 * @param {() => void} onChoose
 */
export function leftOverRow({ stored, offset }, onChoose) {
  const name = visible(stored.metadata.filename ?? "a file");
  const size = stored.size ?? 0;
  const remove = async () => {
    row.remove();
    await storage.removeUpload(stored.urlStorageKey);
    if (stored.uploadUrl) await Upload.terminate(stored.uploadUrl, { retryDelays: null }).catch(() => {});
  };
  const button = (/** @type {string} */ text, /** @type {() => void} */ onclick) =>
    el("button", { type: "button", class: "button", text, "aria-label": `${text}: ${name}`, onclick });
  const row = el(
    "li",
    { class: "upload-row", "data-state": "left" },
    el(
      "div",
      { class: "upload-head" },
      el("p", { class: "strong ellipsis", title: name }, el("bdi", { text: name })),
      el("span", { class: "muted small", text: bytes(size) }),
      el("span", { class: "upload-buttons" }, button("Choose the file", onChoose), button("Remove", remove)),
    ),
    el("progress", {
      max: "1",
      value: String(size ? offset / size : 0),
      "aria-label": `Progress of ${name}`,
    }),
    el("p", {
      class: "small upload-words",
      text: `Left at ${percent(size ? offset / size : 0)}. Choose or drop the same file, and it goes on from there.`,
    }),
  );
  row.dataset.key = stored.urlStorageKey;
  return row;
}
