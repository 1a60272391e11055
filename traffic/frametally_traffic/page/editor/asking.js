// What the editor asks the API for, and sends to it.

import { get, send } from "frametally/js/shared/api.js";
import { bodyOf, drawingOf } from "./shapes.js";

/** @param {string} source @param {string} what */
const routeOf = (source, what) => /** @type {any} */ (`sources/${encodeURIComponent(source)}/${what}`);

/** @param {string} source @returns {Promise<Api.SourceDrawing>} */
export const askDrawing = (source) => /** @type {any} */ (get(routeOf(source, "drawing")));

/**
 * The first stored picture from a time on, or the last one.
 * @param {string} source
 * @param {number|null} ms
 * @returns {Promise<Api.StoredPicture>}
 */
export const askPicture = (source, ms) =>
  /** @type {any} */ (
    get(routeOf(source, "frame"), new URLSearchParams(ms === null ? {} : { at: String(ms) }))
  );

/**
 * Stores all that is drawn, if it is still of that revision.
 * @param {string} source
 * @param {Page.Shape[]} shapes
 * @param {number} revision
 * @returns {Promise<Api.SourceDrawing>}
 */
export const sendDrawing = (source, shapes, revision) =>
  send("PUT", routeOf(source, "drawing"), drawingOf(shapes), { "If-Match": `"${revision}"` });

/**
 * What a calibration would be.
 * @param {Page.Shape} shape
 * @param {AbortSignal} signal
 * @returns {Promise<Api.CalibrationTry>}
 */
export const tryCalibration = (shape, signal) => send("POST", "calibrations/try", bodyOf(shape), {}, signal);
