// What the page asks the server about videos.

import { get } from "frametally/js/shared/api.js";

/** Videos on a page of the list. */
export const PAGE_SIZE = 48;

/**
 * @param {URLSearchParams} query
 * @param {AbortSignal} [signal]
 * @returns {Promise<Page.Videos>}
 */
export const askVideos = (query, signal) => ask("videos", query, signal);

/**
 * One video with all that is known of it, its jobs included.
 * @param {string} id
 * @param {AbortSignal} [signal]
 * @returns {Promise<Page.Video>}
 */
export const askVideo = (id, signal) =>
  ask(`videos/${encodeURIComponent(id)}`, new URLSearchParams(), signal);

/**
 * @param {string} route
 * @param {URLSearchParams} query
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
const ask = (route, query, signal) => get(/** @type {Api.Route} */ (route), query, signal);
