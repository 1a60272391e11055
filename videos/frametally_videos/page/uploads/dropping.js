// Files that are dropped anywhere on the page, or pasted; of folders, the files in them.

import { byId } from "frametally/js/shared/dom.js";

/**
 * @param {() => boolean} isAllowed
 * @param {(files: File[]) => void} onFiles
 */
export function takeFiles(isAllowed, onFiles) {
  const veil = byId("drop-veil");
  let inside = 0; // every element that is entered and left says so
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
    // Where it is not prevented, the browser leaves the page and opens the file.
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
  // All of it at once: what was dropped is gone after the first wait.
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
