// The pages' requests about cameras and streams.

import { send } from "frametally/js/shared/api.js";

/** @type {(videoId: string, what: "start"|"stop") => Promise<Api.StreamOfVideo>} */
export const sendStream = (videoId, what) => send("POST", `stream/${what}`, { video_id: videoId });

/** @type {(streamId: string, what: "pause"|"resume") => Promise<Api.StreamOfVideo>} */
export const sendSteer = (streamId, what) => send("POST", `streams/${streamId}/${what}`, {});

/** @param {string} streamId @param {number} positionS @returns {Promise<Api.StreamOfVideo>} */
export const sendSeek = (streamId, positionS) =>
  send("POST", `streams/${streamId}/seek`, { position_s: positionS });

/** @param {{source: string, address: string, transport: string}} camera @returns {Promise<Api.LiveCamera>} */
export const sendCamera = (camera) => send("POST", "cameras", camera);

/** @param {{source: string, address: string, transport: string}} camera @returns {Promise<Api.CameraPreview>} */
export const askPreview = (camera) => send("POST", "cameras/preview", camera);

/** Searches the local network, for up to 15 s. @returns {Promise<Api.CameraSearch>} */
export const askSearch = () => send("POST", "cameras/search", {});

/** @param {string} source @param {"start"|"stop"} what @returns {Promise<Api.LiveCamera>} */
export const sendTurn = (source, what) => send("POST", `${cameraRoute(source)}/${what}`, {});

/**
 * Changes a camera's address or rate, if one is given, and tests the camera for up to 10 s.
 * @param {string} source
 * @param {{address?: string, sample_fps?: string}} change
 * @returns {Promise<Api.LiveCamera>}
 */
export const sendCameraChange = (source, change) => send("PATCH", cameraRoute(source), change);

/** @param {string} source */
export const sendCameraRemoval = (source) => send("DELETE", cameraRoute(source), undefined);

/** @param {string} source */
const cameraRoute = (source) => `cameras/${encodeURIComponent(source)}`;
