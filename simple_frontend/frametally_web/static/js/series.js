// From the API's answer to what the chart, the table and the tiles show: one row per interval.

import { groupLabels } from "./palette.js";

const OTHER = "other labels";

/**
 * @typedef {Object} Row  one interval
 * @property {number} start  ms
 * @property {number} end  ms, exclusive
 * @property {number|null} frames  frames analysed; null: no footage
 * @property {number} total  detections of all labels
 * @property {Map<string, {detections: number, peak: number, mean: number|null}>} byLabel
 */

/** @returns {Row[]} every interval from the first to the last of the range, those without footage too */
export function rowsOf(counts) {
  const step = counts.interval_s * 1000;
  const first = Math.floor(counts.from_ms / step) * step;
  const count = Math.ceil(counts.to_ms / step) - first / step;
  const rows = Array.from({ length: count }, (_, position) => ({
    start: first + position * step,
    end: first + (position + 1) * step,
    frames: null,
    total: 0,
    byLabel: new Map(),
  }));
  const at = (start) => rows[(start - first) / step];
  for (const { start_ms, frames } of counts.coverage) {
    const row = at(start_ms);
    if (row) row.frames = frames;
  }
  for (const { start_ms, label, detections, peak, mean_per_frame } of counts.buckets) {
    const row = at(start_ms);
    if (!row) continue;
    row.byLabel.set(label, { detections, peak, mean: mean_per_frame });
    row.total += detections;
  }
  return rows;
}

/** Those of the API's sources that were filming at some time of the rows. */
export function filmingSources(rows, sources) {
  const withFootage = rows.filter((row) => row.frames !== null);
  if (!withFootage.length) return [];
  const first = withFootage[0].start;
  const last = withFootage.at(-1).end;
  return sources.filter((one) => one.first_interval_ms < last && one.next_interval_ms > first);
}

/** Stretches without footage, as [start, end) in ms. */
export function gapsOf(rows) {
  const gaps = [];
  for (const row of rows) {
    if (row.frames !== null) continue;
    const last = gaps.at(-1);
    if (last && last[1] === row.start) last[1] = row.end;
    else gaps.push([row.start, row.end]);
  }
  return gaps;
}

/**
 * The columns of the table and the colours of the bars: the most frequent labels, the rest together.
 * @returns {{name: string, labels: string[], color: string, detections: number}[]}
 */
export function seriesOf(counts, colorOf) {
  const totals = new Map(counts.totals.map((total) => [total.label, total.detections]));
  const ranked = [...counts.labels].sort((a, b) => totals.get(b) - totals.get(a));
  const { own, shared } = groupLabels(ranked);
  const series = own.map((label) => ({
    name: label,
    labels: [label],
    color: colorOf(label),
    detections: totals.get(label),
  }));
  if (shared.length) {
    series.push({
      name: `${shared.length} ${OTHER}`,
      labels: shared,
      color: colorOf(null),
      detections: shared.reduce((sum, label) => sum + totals.get(label), 0),
    });
  }
  return series;
}

/** Detections of one series in one row. */
export function detectionsIn(row, series) {
  return series.labels.reduce((sum, label) => sum + (row.byLabel.get(label)?.detections ?? 0), 0);
}
