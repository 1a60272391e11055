// What the panel of one video asks the server, and what it sends.

import { get, send } from "frametally/js/shared/api.js";

/** Most seconds of detections that one answer has. */
export const MOST_S = 60;

/**
 * What was found in a stretch of a video, at most `MOST_S` long.
 * @param {string} id
 * @param {number} fromS
 * @param {number} toS
 * @param {AbortSignal} [signal]
 * @returns {Promise<Page.Detections>}
 */
export function askDetections(id, fromS, toS, signal) {
  const query = new URLSearchParams({ from_s: String(fromS), to_s: String(toS) });
  return ask(`${routeOf(id)}/detections`, query, signal);
}

/**
 * Whether videos may be changed here; if not, what to do about it.
 * @returns {Promise<{isAllowed: boolean, remedy: string}>}
 */
export async function askLeave() {
  /** @type {Page.Videos} */
  const { uploads_allowed: isAllowed, remedy } = await ask("videos", new URLSearchParams({ limit: "1" }));
  return { isAllowed, remedy: remedy ?? "" };
}

/**
 * @param {Page.Video} video  as it was shown when the change was made
 * @param {Page.VideoChange} change
 * @returns {Promise<Page.Video>}
 */
export const sendChange = ({ id, revision }, change) =>
  send("PATCH", routeOf(id), change, { "If-Match": `"${revision}"` });

/**
 * Has a video and all of its frames and counts removed.
 * @param {string} id
 */
export const sendRemoval = (id) => send("DELETE", routeOf(id), undefined);

/**
 * Has done again what failed.
 * @param {string} id
 * @returns {Promise<Page.Video>}
 */
export const sendRetry = (id) => send("POST", `${routeOf(id)}/retry`, {});

/** @param {string} id */
const routeOf = (id) => `videos/${encodeURIComponent(id)}`;

/**
 * @param {string} route
 * @param {URLSearchParams} query
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
const ask = (route, query, signal) => get(/** @type {Api.Route} */ (route), query, signal);
