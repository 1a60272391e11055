// This browser's ID on the server, which uses it to distinguish uploads and to send updates only to the uploader.

const CLIENT = "frametally-client";
/** For a browser that does not store anything. @type {string|null} */
let kept = null;
/** @type {Set<(id: string) => void>} */
const listeners = new Set();

/** This browser's ID; `null` if it has not uploaded anything yet. */
function knownClient() {
  try {
    return localStorage.getItem(CLIENT) ?? kept;
  } catch {
    return kept;
  }
}

/** This browser's ID; creates it if needed. */
export function clientId() {
  const known = knownClient();
  if (known) return known;
  // Not `randomUUID`, which needs HTTPS or localhost.
  kept = [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  try {
    localStorage.setItem(CLIENT, kept);
  } catch {
    // The ID lasts as long as the page is open.
  }
  for (const listener of listeners) listener(kept);
  return kept;
}

/**
 * Calls the listener with the ID, at once or when it is created.
 * @param {(id: string) => void} listener
 */
export function onClient(listener) {
  const known = knownClient();
  if (known) listener(known);
  else listeners.add(listener);
}
