// By what a file is known again, after a reload or another day: nothing of it leaves this browser.

const FIRST_BYTES = 1024 * 1024;

/**
 * Of its name, its size, when it was changed last, and its first MiB.
 * @param {File} file
 */
export async function fingerprint(file) {
  const first = new Uint8Array(await file.slice(0, FIRST_BYTES).arrayBuffer());
  return ["frametally", file.name, file.size, file.lastModified, hash(first)].join("-");
}

/**
 * FNV-1a twice, from two beginnings: told apart must be a handful of files, not what somebody makes on purpose. (What
 * browsers have for that they do not have on pages without TLS.)
 * @param {Uint8Array} data
 */
export function hash(data) {
  let [one, other] = [0x811c9dc5, 0x9dc5811c];
  for (const byte of data) {
    one = Math.imul(one ^ byte, 0x01000193);
    other = Math.imul(other ^ byte, 0x01000193);
  }
  return [one, other].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
}
