// Which video is open: `v` in the page's address, so that "back" works and a link leads there.

import { withValues } from "frametally/js/shared/address.js";

const NAME = "v";

/** @type {Set<(id: string|null) => void>} */
const listeners = new Set();
/** @type {string|null} */
let told = null;

/** The id of the video that is open; null: none. */
export const chosen = () => new URLSearchParams(location.search).get(NAME) || null;

/**
 * The address at which a video is open, as a query; all else of the address stays.
 * @param {string|null} id  null: none is
 */
export const addressOf = (id) => `?${withValues(location.search, { [NAME]: id })}`;

/** Opens a video, or closes the one that is open. @param {string|null} id */
export function choose(id) {
  if (id === chosen()) return;
  history.pushState(history.state, "", addressOf(id));
  tell();
}

/**
 * Listens: at once if a video is open, and whenever another one is.
 * @param {(id: string|null) => void} listener
 */
export function onChosen(listener) {
  listeners.add(listener);
  if (chosen()) listener(chosen());
}

function tell() {
  const id = chosen();
  if (id === told) return;
  told = id;
  for (const listener of listeners) listener(id);
}

told = chosen();
addEventListener("popstate", tell);
