// The chart in words, for those who hear it: the whole of it, and one bar.

import { duration, roughly, span } from "../shared/format.js";
import { WHY_NOT } from "../shared/metrics.js";
import { isMeasuredInPart, partOf, totalIn, valueIn } from "../shared/series.js";

/**
 * What the bars measure: a sum is one of an interval, a mean and a peak are of frames.
 * @param {Page.Metric} metric
 * @param {number} interval  seconds
 */
export const axisWords = (metric, interval) =>
  metric.perInterval ? `${metric.axis} per ${duration(interval)}` : metric.axis;

/**
 * What a series comes to in all.
 * @param {Page.Metric} metric
 * @param {Page.Series} series
 */
export const totalWords = (metric, { total, measured }) =>
  total === null && measured !== null ? `${metric.format(measured)} in part` : metric.format(total);

/**
 * A stretch without bars, and why; `at` is the moment in it that was pointed at.
 * @typedef {{span: Page.Span, at: number, kind: "no footage"|"filmed, not analysed"}} Hole
 */

/**
 * The stretches without bars of a view, by time.
 * @param {Page.View} view
 * @returns {Hole[]}
 */
export function holesOf({ gaps, notAnalysed }) {
  const holes = (/** @type {Page.Span[]} */ spans, /** @type {Hole["kind"]} */ kind) =>
    spans.map((one) => ({ span: one, at: one[0], kind }));
  return [...holes(gaps, "no footage"), ...holes(notAnalysed, "filmed, not analysed")].sort(
    (a, b) => a.at - b.at,
  );
}

/**
 * What a screen reader says in place of the picture; the table has the numbers.
 * @param {Page.View} view
 */
export function summary({ series, metric, interval, gaps, notAnalysed, from, to }) {
  const named = series.map((one) => `${one.name} ${totalWords(metric, one)}`).join(", ") || "nothing found";
  const without = gaps.length === 1 ? " One stretch without footage." : "";
  const stretches = gaps.length > 1 ? ` ${gaps.length} stretches without footage.` : "";
  const waiting = notAnalysed.length ? " Some of the footage is not analysed." : "";
  return (
    `Chart of ${axisWords(metric, interval)}, ${span(from, to)}: ${named}.${without}${stretches}${waiting} ` +
    "Arrow keys go from bar to bar, Enter shows the frames behind one, or why there is none. The button Table shows the numbers."
  );
}

/**
 * One bar in words.
 * @param {Page.View} view
 * @param {Page.Row} row
 */
export function describe(view, row) {
  const { series, metric, other } = view;
  const parts = series
    .map((one) => ({ name: one.name, value: valueIn(row, one.labels, metric) }))
    .filter(({ value }) => value !== 0)
    .map(({ name, value }) => `${name} ${metric.format(value)}`);
  return [
    `${span(row.start, row.end)}: ${parts.join(", ") || "nothing"}`,
    series.length > 1 ? `together ${metric.format(totalIn(row, metric))}` : "",
    other ? `${other.name} ${besideIn(view, row)}` : "",
    `${row.frames} frames analysed`,
    ...partsOf(view, row),
  ]
    .filter(Boolean)
    .join("; ");
}

/**
 * A stretch without bars in words.
 * @param {Hole} hole
 */
export const describeHole = ({ span: [from, to], kind }) => `${span(from, to)}: ${kind}`;

/**
 * The other side's value beside a row.
 * @param {Page.View} view
 * @param {Page.Row} row
 */
export function besideIn({ rows, metric, other }, row) {
  const value = other?.values[rows.indexOf(row)];
  return value === undefined ? "no footage" : metric.format(value);
}

/**
 * The other side's value beside a moment without a bar; nothing where it has no footage either.
 * @param {Page.View} view
 * @param {number} ms
 */
export function besideHole({ metric, other }, ms) {
  const row = other?.rows.find(({ start, end }) => start <= ms && ms < end);
  return other && row ? `${other.name}: ${metric.format(row.value)}.` : "";
}

/**
 * "3 sec of 1 min filmed"; nothing where all of it was, or nobody has noted how much.
 * @param {Page.View} view
 * @param {Page.Row} row
 */
export function filmedPart(view, row) {
  const part = partOf(row, view.range);
  return part ? `${roughly(part.filmed)} of ${roughly(part.of)} filmed` : "";
}

/**
 * "5 days of 1 week in the range" of a bar that the range cuts.
 * @param {Page.View} view
 * @param {Page.Row} row
 */
export function cutPart({ cut, range: [from, to] }, { start, end }) {
  if (!cut.some(([first]) => first === start)) return "";
  return `${roughly(Math.min(end, to) - Math.max(start, from))} of ${roughly(end - start)} in the range`;
}

/**
 * What all of a bar's footage is less than the interval, or its numbers less than the footage.
 * @param {Page.View} view
 * @param {Page.Row} row
 */
export const partsOf = (view, row) =>
  [filmedPart(view, row), cutPart(view, row), measuredPart(view, row)].filter(Boolean);

/**
 * @param {Page.View} view
 * @param {Page.Row} row
 */
export const measuredPart = ({ metric }, row) =>
  isMeasuredInPart(row, metric) && row.missing
    ? `measured in part of the footage (elsewhere ${WHY_NOT[row.missing]})`
    : "";

/**
 * What hands can do with the chart, on this device.
 */
export const handWords = () =>
  matchMedia("(hover: hover)").matches
    ? "Click a bar for its frames, a hole for its reason; drag to zoom in. Zoom out, or Esc, goes back one step."
    : "Tap a bar for its frames, a hole for its reason; drag sideways to zoom in. Zoom out goes back one step.";

/**
 * Why a metric of some labels is not known in a row.
 * @param {Page.Row} row
 * @param {(string|null)[]} labels
 */
export function whyNotIn(row, labels) {
  const found = row.missing ?? labels.map((label) => row.byLabel.get(label)?.objects_missing).find(Boolean);
  return found ? WHY_NOT[found] : "not measured";
}
