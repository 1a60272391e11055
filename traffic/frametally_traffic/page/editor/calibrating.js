// What a calibration would be, while it is made: asked for a moment after each change, and shown at its points.

import { byId } from "frametally/js/shared/dom.js";
import { tryCalibration } from "./asking.js";
import { bodyOf, lackOf } from "./shapes.js";

const REST_MS = 150;

/** @typedef {{shape: string, answer: Api.CalibrationTry|null}} Tried */

export class Calibrating {
  /** @param {() => void} changed  there is another answer */
  constructor(changed) {
    this.changed = changed;
    this.area = byId("calibration");
    /** @type {Tried|null} */
    this.tried = null;
    /** @type {AbortController|null} */
    this.asking = null;
    this.timer = 0;
  }

  /** Of its points in turn; null where they are not known. */
  get errorsPx() {
    return this.tried?.answer?.errors_px ?? null;
  }

  /** @param {Page.Shape|null} shape */
  show(shape) {
    const wanted = shape?.kind === "calibration" ? JSON.stringify(bodyOf(shape)) : null;
    if (wanted === (this.tried?.shape ?? null)) return;
    this.asking?.abort();
    clearTimeout(this.timer);
    this.tried = wanted === null ? null : { shape: wanted, answer: null };
    this.area.hidden = wanted === null;
    if (!shape || wanted === null) return;
    const lack = lackOf(shape);
    if (lack) this.#say("incomplete", lack);
    else this.timer = window.setTimeout(() => this.#ask(shape, wanted), REST_MS);
  }

  /** @param {Page.Shape} shape @param {string} wanted */
  async #ask(shape, wanted) {
    const asking = (this.asking = new AbortController());
    try {
      const answer = await tryCalibration(shape, asking.signal);
      if (this.tried?.shape !== wanted) return;
      this.tried = { shape: wanted, answer };
      this.#say(answer.verdict, `${answer.words}${errorsOf(answer)}`);
      this.changed();
    } catch (error) {
      if (!asking.signal.aborted)
        this.#say("refused", error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {string} verdict @param {string} words */
  #say(verdict, words) {
    this.area.dataset.verdict = verdict;
    this.area.textContent = words;
  }
}

/** @param {Api.CalibrationTry} answer */
function errorsOf({ verdict, error_px: px, error_m: m, scale_error: part }) {
  if (px === null || m === null || part === null) return "";
  const lengths = `lengths are right to ${(part * 100).toFixed(1)} %`;
  return verdict === "good"
    ? ` Reprojection error ${px.toFixed(2)} px, ${m.toFixed(2)} m; ${lengths}.`
    : ` At best ${lengths}.`;
}
