// The chart of one video, which is its seek bar: what was counted, at the place of the video where it was.

import { el, svg } from "frametally/js/shared/dom.js";
import { number, timeAmong } from "frametally/js/shared/format.js";
import { METRICS } from "frametally/js/shared/metrics.js";
import { valueIn } from "frametally/js/shared/series.js";
import { playTime } from "../library/words.js";

const HEIGHT = 100;
/** Without bars, a step with shift goes so far. */
const LEAP_S = 5;

/**
 * What the bar is drawn of.
 * @typedef {Object} Course
 * @property {number} lengthS
 * @property {number|null} startedAtMs  event time of the first frame
 * @property {Page.Row[]} rows
 * @property {Page.Series[]} series
 */

/** @type {Course} */
const NOTHING = { lengthS: 0, startedAtMs: null, rows: [], series: [] };

export class SeekBar {
  /** @param {(positionS: number) => void} onSeek */
  constructor(onSeek) {
    this.onSeek = onSeek;
    this.course = NOTHING;
    this.positionS = 0;
    this.drawing = svg("svg", {
      class: "seek-bars",
      viewBox: `0 0 1 ${HEIGHT}`,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    });
    this.cursor = el("span", { class: "seek-cursor", "aria-hidden": "true" });
    this.tip = el("div", { class: "chart-tip seek-tip", hidden: true, "aria-hidden": "true" });
    this.element = el(
      "div",
      {
        class: "seek",
        role: "slider",
        tabindex: "0",
        "aria-label": "Place in the video",
        "aria-valuemin": "0",
      },
      this.drawing,
      this.cursor,
      this.tip,
    );
    this.#listen();
  }

  /** Whether it leads anywhere: where nothing plays it is a chart alone. @param {boolean} canSeek */
  enable(canSeek) {
    this.element.toggleAttribute("aria-disabled", false);
    if (canSeek) this.element.removeAttribute("aria-disabled");
    else this.element.setAttribute("aria-disabled", "true");
    this.cursor.hidden = !canSeek;
  }

  /** @param {Course} course */
  show(course) {
    this.course = course;
    this.drawing.setAttribute("viewBox", `0 0 ${course.lengthS || 1} ${HEIGHT}`);
    this.drawing.replaceChildren(...barsOf(course));
    this.element.setAttribute("aria-valuemax", course.lengthS.toFixed(2));
    this.move(this.positionS);
  }

  /** The one time cursor. @param {number} positionS */
  move(positionS) {
    const { lengthS } = this.course;
    this.positionS = positionS;
    this.cursor.style.left = `${lengthS ? Math.min((100 * positionS) / lengthS, 100) : 0}%`;
    this.element.setAttribute("aria-valuenow", positionS.toFixed(2));
    this.element.setAttribute("aria-valuetext", wordsAt(this.course, positionS).join(", "));
  }

  /**
   * Where a bar begins that is so many on; without bars, some seconds on.
   * @param {number} positionS  from where
   * @param {-1|1} by
   */
  leap(positionS, by) {
    const { course } = this;
    const starts = course.rows.map(({ start }) => placeOf(course, start));
    const far =
      by > 0 ? starts.find((at) => at > positionS + 0.01) : starts.findLast((at) => at < positionS - 0.01);
    return Math.max(far ?? positionS + by * (course.rows.length ? course.lengthS : LEAP_S), 0);
  }

  #listen() {
    const { element } = this;
    let isHeld = false;
    element.addEventListener("pointerdown", (event) => {
      if (event.button || element.ariaDisabled === "true") return;
      isHeld = true;
      element.setPointerCapture(event.pointerId);
      this.onSeek(this.#placeAt(event));
    });
    element.addEventListener("pointermove", (event) => {
      const place = this.#placeAt(event);
      this.#showTip(place);
      if (isHeld) this.onSeek(place);
    });
    for (const event of /** @type {const} */ (["pointerup", "pointercancel", "lostpointercapture"])) {
      element.addEventListener(event, () => {
        isHeld = false;
      });
    }
    element.addEventListener("pointerleave", () => {
      this.tip.hidden = true;
    });
  }

  /** @param {PointerEvent} event */
  #placeAt({ clientX }) {
    const { left, width } = this.element.getBoundingClientRect();
    return Math.min(Math.max((clientX - left) / (width || 1), 0), 1) * this.course.lengthS;
  }

  /** @param {number} placeS */
  #showTip(placeS) {
    const { lengthS } = this.course;
    if (!lengthS) return;
    const [first, ...others] = wordsAt(this.course, placeS);
    this.tip.replaceChildren(
      el("p", { class: "strong", text: first }),
      ...others.map((text) => el("p", { text })),
    );
    const share = placeS / lengthS;
    this.tip.style.left = `${100 * share}%`;
    this.tip.style.translate = `${-100 * share}% 0`;
    this.tip.hidden = false;
  }
}

/** Where a moment lies in the video, in seconds. @param {Course} course @param {number} ms */
const placeOf = ({ startedAtMs, lengthS }, ms) =>
  Math.min(Math.max((ms - (startedAtMs ?? ms)) / 1000, 0), lengthS);

/** @param {Course} course */
function barsOf(course) {
  const metric = METRICS.detections;
  const sums = course.rows.map((row) => course.series.map(({ labels }) => valueIn(row, labels, metric) ?? 0));
  const most = Math.max(1, ...sums.map((values) => values.reduce((sum, value) => sum + value, 0)));
  return course.rows.flatMap((row, order) => {
    const [left, right] = [placeOf(course, row.start), placeOf(course, row.end)];
    const gap = 0.06 * (right - left);
    let base = HEIGHT;
    return sums[order].map((value, kind) => {
      const height = (value / most) * HEIGHT;
      base -= height;
      const bar = svg("rect", {
        x: left + gap / 2,
        y: base,
        width: Math.max(right - left - gap, 0),
        height,
        "data-start": row.start,
        "data-label": course.series[kind].name,
        "data-value": value,
      });
      bar.style.fill = course.series[kind].color;
      return bar;
    });
  });
}

/**
 * What stands at a place: when that is, and what was counted in its bar.
 * @param {Course} course
 * @param {number} placeS
 */
export function wordsAt(course, placeS) {
  const { lengthS, startedAtMs, rows, series } = course;
  const place = `${playTime(placeS)} of ${playTime(lengthS)}`;
  if (startedAtMs === null) return [place];
  const ms = startedAtMs + placeS * 1000;
  const when = `${timeAmong(Math.floor(ms / 1000) * 1000, false)} · ${place}`;
  const row = rows.find(({ start, end }) => start <= ms && ms < end);
  if (!row) return rows.length ? [when, "nothing analysed here"] : [when];
  const counts = series
    .map(({ name, labels }) => ({ name, value: valueIn(row, labels, METRICS.detections) ?? 0 }))
    .filter(({ value }) => value > 0)
    .map(({ name, value }) => `${number(value)} ${name}`);
  const length = `${number((row.end - row.start) / 1000)} s`;
  return [when, `${counts.join(", ") || "nothing"} in these ${length}, ${number(row.frames)} frames`];
}
