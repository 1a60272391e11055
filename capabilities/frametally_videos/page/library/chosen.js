// The open video: `v` in the page's address, so that "Back" works and you can share a link.

import { withValues } from "frametally/js/shared/address.js";

const NAME = "v";

/** @type {Set<(id: string|null) => void>} */
const listeners = new Set();
/** @type {string|null} */
let told = null;

/** The ID of the open video, or `null`. */
export const chosen = () => new URLSearchParams(location.search).get(NAME) || null;

/**
 * The query that opens a video; it keeps the other parameters.
 * @param {string|null} id  `null` for none
 */
export const addressOf = (id) => `?${withValues(location.search, { [NAME]: id })}`;

/** Opens a video, or closes the open one. @param {string|null} id */
export function choose(id) {
  if (id === chosen()) return;
  history.pushState(history.state, "", addressOf(id));
  tell();
}

/**
 * Calls the listener whenever a video opens, and at once if one is open.
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
