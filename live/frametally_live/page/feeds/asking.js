// What pages ask of what is live, and what they send.

import { get, send } from "frametally/js/shared/api.js";

/**
 * The streams of a video, the one that is not over first, and whether they may be steered here.
 * @param {string} videoId
 * @param {AbortSignal} [signal]
 */
export const askStreams = (videoId, signal) =>
  get("streams", new URLSearchParams({ video_id: videoId }), signal);

/** @param {string} videoId @returns {Promise<Api.StreamOfVideo>} */
export const sendStart = (videoId) => send("POST", "stream/start", { video_id: videoId });

/** @param {string} videoId @returns {Promise<Api.StreamOfVideo>} */
export const sendStop = (videoId) => send("POST", "stream/stop", { video_id: videoId });

/**
 * @param {string} streamId
 * @param {"pause"|"resume"} what
 * @returns {Promise<Api.StreamOfVideo>}
 */
export const sendSteer = (streamId, what) => send("POST", `streams/${streamId}/${what}`, {});

/** @param {string} streamId @param {number} positionS @returns {Promise<Api.StreamOfVideo>} */
export const sendSeek = (streamId, positionS) =>
  send("POST", `streams/${streamId}/seek`, { position_s: positionS });

/** @param {AbortSignal} [signal] */
export const askCameras = (signal) => get("cameras", undefined, signal);

/** @param {{source: string, address: string, transport: string}} camera @returns {Promise<Api.LiveCamera>} */
export const sendCamera = (camera) => send("POST", "cameras", camera);

/** @param {string} source @param {"start"|"stop"} what @returns {Promise<Api.LiveCamera>} */
export const sendTurn = (source, what) => send("POST", `${cameraRoute(source)}/${what}`, {});

/** @param {string} source */
export const sendCameraRemoval = (source) => send("DELETE", cameraRoute(source), undefined);

/** @param {string} source */
const cameraRoute = (source) => `cameras/${encodeURIComponent(source)}`;
