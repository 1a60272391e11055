// The browser's ID at the server, which distinguishes uploads by it and sends news of an upload only to its
// sender.

const CLIENT = "frametally-client";
/** Of a browser that keeps nothing. @type {string|null} */
let kept = null;
/** @type {Set<(id: string) => void>} */
const listeners = new Set();

/** The name that this browser has; null: it has uploaded nothing yet. */
function knownClient() {
  try {
    return localStorage.getItem(CLIENT) ?? kept;
  } catch {
    return kept;
  }
}

/** The same; where there is none, one is made. */
export function clientId() {
  const known = knownClient();
  if (known) return known;
  // Not `randomUUID`, which a page has only by HTTPS or on its own machine.
  kept = [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  try {
    localStorage.setItem(CLIENT, kept);
  } catch {
    // It is kept as long as the page is open.
  }
  for (const listener of listeners) listener(kept);
  return kept;
}

/**
 * Listens for the name: at once where there is one, else when one is made.
 * @param {(id: string) => void} listener
 */
export function onClient(listener) {
  const known = knownClient();
  if (known) listener(known);
  else listeners.add(listener);
}
