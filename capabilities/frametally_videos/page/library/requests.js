// The pages' requests about videos and their jobs.

import { withValues } from "frametally/js/shared/address.js";
import { BASE, getFrom, send } from "frametally/js/shared/api.js";

/**
 * @template Answer
 * @typedef {(id: string, signal?: AbortSignal) => Promise<Answer>} AskOfVideo
 */
/** @typedef {(id: string) => Promise<Api.JobOfVideo>} SendJob */

/** @param {string} id */
const routeOf = (id) => `videos/${encodeURIComponent(id)}`;

/** Requests a video with everything known about it, including its jobs. @type {AskOfVideo<Api.LibraryVideo>} */
export const askVideo = (id, signal) => getFrom(routeOf(id), undefined, signal);

/** @type {AskOfVideo<Api.VideoMetadata>} */
export const askMetadata = (id, signal) => getFrom(`${routeOf(id)}/metadata`, undefined, signal);

/** @type {AskOfVideo<Api.VideoQuality>} */
export const askQuality = (id, signal) => getFrom(`${routeOf(id)}/quality`, undefined, signal);

/** @type {AskOfVideo<Api.VideoDerivatives>} */
export const askDerivatives = (id, signal) => getFrom(`${routeOf(id)}/derivatives`, undefined, signal);

/** The most seconds of detections in one answer. */
export const MOST_S = 60;

/**
 * Requests the detections in a stretch of a video, at most `MOST_S` long.
 * @param {string} id
 * @param {number} fromS
 * @param {number} toS
 * @param {AbortSignal} [signal]
 * @returns {Promise<Api.VideoDetections>}
 */
export function askDetections(id, fromS, toS, signal) {
  const query = new URLSearchParams({ from_s: String(fromS), to_s: String(toS) });
  return getFrom(`${routeOf(id)}/detections`, query, signal);
}

/**
 * The URL of one frame as a picture.
 * @param {string} id
 * @param {number} positionS
 * @param {Partial<Api.Enhancement>} options  empty for the unchanged picture
 */
export function frameUrl(id, positionS, options) {
  const query = withValues("", { position_s: Math.round(positionS * 1000) / 1000, ...options });
  return `${BASE}/${routeOf(id)}/frame?${query}`;
}

/**
 * @param {Api.LibraryVideo} video  the video as it was when you made the change
 * @param {Api.VideoEdit} change
 * @returns {Promise<Api.LibraryVideo>}
 */
export const sendChange = ({ id, revision }, change) =>
  send("PATCH", routeOf(id), change, { "If-Match": `"${revision}"` });

/** Deletes a video with all its frames and counts. @param {string} id */
export const sendRemoval = (id) => send("DELETE", routeOf(id), undefined);

/** @type {AskOfVideo<Api.LibraryVideo>} */
export const sendRetry = (id) => send("POST", `${routeOf(id)}/retry`, {});

/**
 * Creates an enhanced version; the job says whether it already exists.
 * @type {(id: string, options: Partial<Api.Enhancement>) => Promise<Api.VideoJob>}
 */
export const sendEnhance = (id, options) => send("POST", `${routeOf(id)}/jobs`, { kind: "enhance", options });

/** @param {string} id @param {string} recipe */
export const sendDerivativeRemoval = (id, recipe) =>
  send("DELETE", `${routeOf(id)}/derivatives/${encodeURIComponent(recipe)}`, undefined);

/** @type {(query: URLSearchParams, signal?: AbortSignal) => Promise<Api.JobList>} */
export const askJobs = (query, signal) => getFrom("jobs", query, signal);

/** Retries a failed or cancelled job. @type {SendJob} */
export const sendAgain = (id) => send("POST", `jobs/${encodeURIComponent(id)}/retry`, {});

/** @type {SendJob} */
export const sendCancel = (id) => send("POST", `jobs/${encodeURIComponent(id)}/cancel`, {});
