// The alerts that a rule would have sent, in words and as a chart: its intervals, and its threshold, which you can
// drag. The rule's form and the chart on Answers show it.

import { el, svg } from "frametally/js/shared/dom.js";
import { moment, number } from "frametally/js/shared/format.js";
import { joined, t } from "frametally/js/shared/texts.js";

const MOST_LINES = 8;
const MOST_CHARTS = 3;
const [WIDTH, HEIGHT] = [600, 90];

/**
 * @param {Api.RuleTrial} trial
 * @param {number} threshold
 * @param {(threshold: number) => void} onThreshold
 * @param {boolean} [isDrawn]  whether the chart already shows the intervals
 */
export function trialParts(trial, threshold, onThreshold, isDrawn = false) {
  const { from_ms: from, to_ms: to, total, alerts, tried, fulfilled } = trial;
  if (from === null || to === null) return [el("p.muted", t("alerts.frametally_cannot_try_this_rule_there"))];
  const span = t("alerts.from_to", { from: moment(from), to: moment(to) });
  const lines = alerts.slice(0, MOST_LINES).map((one) => {
    const value = one.value === null ? "" : `: ${number(one.value)}`;
    return el("li", joined([moment(one.start_ms), one.source_name, one.label], ", ") + value);
  });
  const more = t("alerts.and_more", { total: number(total - lines.length) });
  const counts = { fulfilled: number(fulfilled), tried: number(tried) };
  const when = fulfilled === tried ? t("alerts.true_all_along", counts) : t("alerts.true_in", counts);
  const sent = t("alerts.count_alerts", { count: total });
  return [
    el("p.strong", t("alerts.this_rule_would_have_sent", { total: sent, span })),
    tried ? el("p", when) : "",
    ...(isDrawn ? [] : charts(trial, threshold, onThreshold)),
    el("ul", ...lines),
    total > lines.length ? el("p.muted.small", more) : "",
  ];
}

/**
 * Positions of times and values, in the picture's units.
 * @typedef {Object} Scale
 * @property {number} width
 * @property {number} height
 * @property {number} left  where the threshold line starts
 * @property {number} bottom  where bars start
 * @property {(ms: number) => number} x
 * @property {(value: number) => number} y
 * @property {(y: number) => number} value
 */

/**
 * The intervals of a trial, with those that meet the rule marked, and the threshold, which you can drag.
 * @param {Scale} scale
 * @param {Api.RuleTrial["intervals"]} intervals
 * @param {number} threshold
 * @param {(threshold: number) => void} onThreshold
 */
export function thresholdPicture(
  { width, height, left, bottom, x, y, value },
  intervals,
  threshold,
  onThreshold,
) {
  const bars = intervals.map(({ start_ms: start, end_ms: end, value: of, fulfils }) =>
    svg("rect", {
      class: fulfils ? "fulfils" : "",
      x: x(start),
      y: y(of),
      width: Math.max(x(end) - x(start) - 0.5, 0.5),
      height: Math.max(bottom - y(of), 0),
    }),
  );
  const lines = ["grip", "threshold"].map((name) => svg("line", { class: name, x1: left, x2: width }));
  const move = (/** @type {number} */ to) =>
    lines.forEach((line) => ["y1", "y2"].forEach((end) => line.setAttribute(end, String(y(to)))));
  move(threshold);
  const viewBox = `0 0 ${width} ${height}`;
  const look = { class: "trial-picture", viewBox, preserveAspectRatio: "none", "aria-hidden": "true" };
  const picture = svg("svg", look, ...bars, ...lines);
  const isWhole = intervals.every(({ value: of }) => Number.isInteger(of));
  const valueAt = (/** @type {PointerEvent} */ { clientY }) => {
    const box = picture.getBoundingClientRect();
    const exact = Math.max(value(((clientY - box.top) * height) / box.height), 0);
    return isWhole ? Math.max(Math.round(exact), 1) : Number(exact.toPrecision(3));
  };
  picture.addEventListener("pointerdown", (event) => picture.setPointerCapture(event.pointerId));
  picture.addEventListener("pointermove", (event) => {
    if (event.buttons) move(valueAt(event));
  });
  picture.addEventListener("pointerup", (event) => onThreshold(valueAt(event)));
  return picture;
}

/**
 * A picture for each source.
 * @param {Api.RuleTrial} trial
 * @param {number} threshold
 * @param {(threshold: number) => void} onThreshold
 */
function charts({ intervals, from_ms, to_ms }, threshold, onThreshold) {
  const [from, to] = [from_ms ?? 0, to_ms ?? 1];
  const top = 1.1 * Math.max(threshold, ...intervals.map(({ value }) => value)) || 1;
  /** @type {Scale} */
  const scale = {
    width: WIDTH,
    height: HEIGHT,
    left: 0,
    bottom: HEIGHT,
    x: (ms) => WIDTH * Math.max((ms - from) / (to - from), 0),
    y: (value) => HEIGHT * (1 - value / top),
    value: (y) => top * (1 - y / HEIGHT),
  };
  // The intervals closest to the threshold, or beyond it.
  const highest = intervals.toSorted((one, other) => other.value - one.value);
  const names = [...new Map(highest.map((one) => [one.source, one.source_name]))].slice(0, MOST_CHARTS);
  return names.map(([source, name]) => {
    const own = intervals.filter((one) => one.source === source);
    const picture = thresholdPicture(scale, own, threshold, onThreshold);
    return el("figure.trial-chart", el("figcaption.small.muted", name), picture);
  });
}

/** 900 as "15m". @param {number} seconds */
export function period(seconds) {
  if (!seconds) return "";
  if (seconds % 3600 === 0) return `${seconds / 3600}h`;
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`;
}
