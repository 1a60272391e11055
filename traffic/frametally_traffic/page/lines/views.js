// From answers on lines and zones to what the time chart draws.

import { gapsOf, notAnalysedOf, partOf } from "frametally/js/shared/series.js";
import { METRICS } from "frametally/js/shared/metrics.js";
import { together } from "frametally/js/shared/spans.js";

/**
 * @typedef {Object} Column  what one colour stands for
 * @property {string} name
 * @property {string} color
 * @property {Map<number, number>} values  by start of the bar; absent is 0
 */

/** What every answer on lines and zones begins with. @typedef {Pick<Api.LineCrossings, "source"|"bars"|"from_ms"|"to_ms"|"interval_s"|"not_analysed">} Head */

/** @param {Api.FlowBar} bar @returns {Page.Span} */
const spanOf = ({ start_ms: start, end_ms: end }) => [start, end];

/**
 * @param {Head} answer  that has footage
 * @param {Column[]} columns
 * @param {{from_ms: number|null, to_ms: number|null}[]} shapes  that are counted: when they hold
 * @param {Pick<Page.Metric, "title"|"axis"|"perInterval"|"format"|"stacks">} words
 * @returns {Page.View}
 */
export function viewOf(answer, columns, shapes, words) {
  const from = answer.from_ms ?? answer.bars[0].start_ms;
  const to = answer.to_ms ?? answer.bars[answer.bars.length - 1].end_ms;
  const outside = notHolding(shapes, from, to);
  // Before there was a line nobody did not cross it.
  const bars = answer.bars.filter(
    (bar) => !outside.some(([first, end]) => first <= bar.start_ms && bar.end_ms <= end),
  );
  const notAnalysed = notAnalysedOf(answer);
  const rows = bars.map((bar) => rowOf(bar, columns));
  const metric = { ...METRICS.objects, ...words };
  return {
    rows,
    series: columns.map(({ name, color, values }) => ({
      name,
      labels: [name],
      color,
      total: words.perInterval ? metric.join([...values.values()]) : null,
      measured: null,
    })),
    gaps: gapsOf(rows, [...outside, ...notAnalysed], from, to),
    outside,
    notAnalysed,
    partial: rows.filter((row) => partOf(row, [from, to])).map(({ start, end }) => [start, end]),
    range: [from, to],
    cut: [],
    sources: [answer.source],
    unmeasured: together(bars.filter((bar) => !bar.is_measured).map(spanOf)),
    measuredInPart: [],
    fileTimes: [],
    overlaps: [],
    metric,
    interval: answer.interval_s ?? 1,
    from: Math.min(from, answer.bars[0].start_ms),
    to: Math.max(to, answer.bars[answer.bars.length - 1].end_ms),
    at: null,
    kind: "bars",
    other: null,
  };
}

/**
 * Stretches in which none of some shapes holds.
 * @param {{from_ms: number|null, to_ms: number|null}[]} shapes
 * @param {number} from
 * @param {number} to
 */
export function notHolding(shapes, from, to) {
  const within = (/** @type {number} */ ms) => Math.min(Math.max(ms, from), to);
  const held = shapes.map((one) => ({ start: within(one.from_ms ?? from), end: within(one.to_ms ?? to) }));
  return gapsOf(held, [], from, to);
}

/**
 * @param {Api.FlowBar} bar
 * @param {Column[]} columns
 * @returns {Page.Row}
 */
function rowOf(bar, columns) {
  const { start_ms: start, end_ms: end, frames, covered_ms: covered } = bar;
  /** @type {Page.Row["byLabel"]} */
  const byLabel = new Map();
  for (const { name, values } of columns) {
    const value = values.get(start) ?? 0;
    // As of objects that were all followed.
    byLabel.set(name, {
      start_ms: start,
      label: name,
      source: null,
      detections: value,
      peak: value,
      mean_per_frame: value,
      objects: value,
      objects_missing: null,
      tracked_detections: value,
      followed_objects: null,
      measured_objects: null,
    });
  }
  return {
    start,
    end,
    frames,
    missing: bar.is_measured ? null : "too_slow",
    coveredS: covered === null ? null : covered / 1000,
    byLabel,
  };
}
