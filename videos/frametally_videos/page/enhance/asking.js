// What the page asks and sends to have a video made better to look at.

import { BASE, get, send } from "frametally/js/shared/api.js";

/**
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<Page.Derivatives>}
 */
export const askDerivatives = (id, signal) =>
  /** @type {Promise<any>} */ (
    get(/** @type {Api.Route} */ (`${routeOf(id)}/derivatives`), new URLSearchParams(), signal)
  );

/**
 * Has it made; the job says whether it was made already.
 * @param {string} id
 * @param {Page.Enhancement} options
 * @returns {Promise<Page.VideoJob>}
 */
export const sendEnhance = (id, options) => send("POST", `${routeOf(id)}/jobs`, { kind: "enhance", options });

/**
 * @param {string} id
 * @param {string} recipe
 */
export const sendDerivativeRemoval = (id, recipe) =>
  send("DELETE", `${routeOf(id)}/derivatives/${encodeURIComponent(recipe)}`, undefined);

/**
 * Where the server has one frame as a picture.
 * @param {string} id
 * @param {number} positionS
 * @param {Page.Enhancement} options  empty: as it is
 */
export function frameUrl(id, positionS, options) {
  const query = new URLSearchParams({ position_s: String(Math.round(positionS * 1000) / 1000) });
  for (const [name, value] of Object.entries(options)) query.set(name, String(value));
  return `${BASE}/${routeOf(id)}/frame?${query}`;
}

/** @param {string} id */
const routeOf = (id) => `videos/${encodeURIComponent(id)}`;
