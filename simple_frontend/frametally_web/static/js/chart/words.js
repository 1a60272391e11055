// The chart in words, for those who hear it: the whole of it, and one bar.

import { duration, span } from "../shared/format.js";
import { totalIn, valueIn } from "../shared/series.js";

/**
 * What a screen reader says in place of the picture; the table has the numbers.
 * @param {Page.View} view
 */
export function summary({ series, metric, interval, gaps, from, to }) {
  const named = series.map((one) => `${one.name} ${metric.format(one.total)}`).join(", ") || "nothing found";
  const without = gaps.length === 1 ? " One stretch without footage." : "";
  const stretches = gaps.length > 1 ? ` ${gaps.length} stretches without footage.` : "";
  return (
    `Chart of ${metric.axis} per ${duration(interval)}, ${span(from, to)}: ${named}.${without}${stretches} ` +
    "Arrow keys go from bar to bar, Enter shows the frames behind one. The button Table shows the numbers."
  );
}

/**
 * One bar in words.
 * @param {Page.View} view
 * @param {Page.Row} row
 */
export function describe({ series, metric, rows, other }, row) {
  const parts = series
    .map((one) => ({ name: one.name, value: valueIn(row, one.labels, metric) }))
    .filter(({ value }) => value !== 0)
    .map(({ name, value }) => `${name} ${metric.format(value)}`);
  const beside = other?.values[rows.indexOf(row)] ?? null;
  return [
    `${span(row.start, row.end)}: ${parts.join(", ") || "nothing"}`,
    series.length > 1 ? `together ${metric.format(totalIn(row, metric))}` : "",
    other ? `${other.name} ${beside === null ? "no footage" : metric.format(beside)}` : "",
    `${row.frames} frames analysed`,
  ]
    .filter(Boolean)
    .join("; ");
}
