// The page's one time cursor: the moment in view. The part with the frames sets it, and all others show it.

/** @type {number|null} */
let now = null;
/** @type {Set<(ms: number|null) => void>} */
const listeners = new Set();

/**
 * Sets the moment, and calls the listeners if it has changed.
 * @param {number|null} ms  since 1970; `null` for none
 */
export function setMoment(ms) {
  if (ms === now) return;
  now = ms;
  for (const listener of listeners) listener(ms);
}

/**
 * Calls the listener at once, and whenever the moment changes.
 * @param {(ms: number|null) => void} listener
 * @returns {() => void}  removes the listener
 */
export function onMoment(listener) {
  listeners.add(listener);
  listener(now);
  return () => {
    listeners.delete(listener);
  };
}
