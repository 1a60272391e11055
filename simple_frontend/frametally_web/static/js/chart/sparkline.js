// The small chart: bars without axes, and marks for missing footage.

import { svg } from "../shared/dom.js";
import { gapsOf, spanOf, totalIn } from "../shared/series.js";
import { foldOf } from "./fold.js";

const WIDTH = 600;
const HEIGHT = 56;

/**
 * Bars as a picture; the text next to it has the numbers.
 * @param {{from_ms: number|null, to_ms: number|null}} range
 * @param {Page.Row[]} rows
 * @param {Page.Span[]} notAnalysed
 * @param {Page.Metric} metric
 * @param {number} most
 * @param {Page.Span[]} [outside]  unchosen time, which the axis leaves out
 * @param {Page.Span[]} [nothing]  where the footage shows nothing
 */
export function sparkline({ from_ms, to_ms }, rows, notAnalysed, metric, most, outside = [], nothing = []) {
  const from = from_ms ?? 0;
  const to = to_ms ?? 1;
  const fold = foldOf([from, to], outside);
  const x = (/** @type {number} */ ms) => WIDTH * fold.share(Math.min(Math.max(ms, from), to));
  /** @param {Page.Span} span @param {number} height @param {number} least  width @param {string} [kind] */
  const rect = ([start, end], height, least, kind) =>
    svg("rect", {
      class: kind,
      x: x(start),
      y: HEIGHT - height,
      width: Math.max(x(end) - x(start), least),
      height,
    });
  const across = (/** @type {Page.Span[]} */ spans, /** @type {string} */ kind) =>
    spans.map((span) => rect(span, HEIGHT, 0, kind));
  const size = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" };
  return svg(
    "svg",
    { ...size, class: "sparkline", "aria-hidden": "true" },
    ...across(gapsOf(rows, [...notAnalysed, ...nothing, ...outside], from, to), "no-footage"),
    ...across(nothing, "nothing"),
    ...across(notAnalysed, "not-analysed"),
    ...rows.map((row) => rect(spanOf(row), most ? (HEIGHT * (totalIn(row, metric) ?? 0)) / most : 0, 0.5)),
  );
}
