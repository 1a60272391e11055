// The page's one time cursor: the moment in view. The part with the frames sets it, and all other parts show
// it.

/** @type {number|null} */
let now = null;
/** @type {Set<(ms: number|null) => void>} */
const listeners = new Set();

/**
 * Says which moment is looked at; those who listen are told if it is another than before.
 * @param {number|null} ms  since 1970; null: none
 */
export function setMoment(ms) {
  if (ms === now) return;
  now = ms;
  for (const listener of listeners) listener(ms);
}

/**
 * Listens: at once, and whenever the moment changes.
 * @param {(ms: number|null) => void} listener
 * @returns {() => void} ends it
 */
export function onMoment(listener) {
  listeners.add(listener);
  listener(now);
  return () => {
    listeners.delete(listener);
  };
}
