// That something about the videos has changed: told by the server, or by a part of the page that changed it.

/** @type {Set<() => void>} */
const listeners = new Set();

/**
 * @param {() => void} listener
 * @returns {() => void} ends it
 */
export function onNews(listener) {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

/** A video was changed, removed or brought in: all that show videos ask anew. */
export function tellNews() {
  for (const listener of listeners) listener();
}
