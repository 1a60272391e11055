// Moments of a form's field, to the millisecond: what is not touched must not move a video.

import { fromInput, toInput } from "frametally/js/shared/format.js";

/**
 * For an `<input type="datetime-local" step="0.001">`.
 * @param {number|null} ms
 */
export function toField(ms) {
  if (ms === null) return "";
  const rest = ((ms % 1000) + 1000) % 1000;
  return toInput(ms) + (rest ? `.${String(rest).padStart(3, "0")}` : "");
}

/**
 * From such a field; null if it holds no moment.
 * @param {string} text
 */
export function fromField(text) {
  const whole = fromInput(text.replace(/\.\d*$/, ""));
  const [, rest = ""] = text.match(/\.(\d{1,3})/) ?? [];
  return whole === null ? null : whole + Number(rest.padEnd(3, "0"));
}
