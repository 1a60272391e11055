// The small chart: bars without axes, and marks without footage.

import { svg } from "../shared/dom.js";
import { gapsOf, totalIn } from "../shared/series.js";
import { foldOf } from "./fold.js";

const WIDTH = 600;
const HEIGHT = 56;

/**
 * Bars in a picture; what they say stands beside it in words.
 * @param {{from_ms: number|null, to_ms: number|null}} range
 * @param {Page.Row[]} rows
 * @param {Page.Span[]} notAnalysed
 * @param {Page.Metric} metric
 * @param {number} most
 * @param {Page.Span[]} [outside]  what was not asked for: it is folded away
 * @param {Page.Span[]} [nothing]  where the footage shows nothing
 */
export function sparkline({ from_ms, to_ms }, rows, notAnalysed, metric, most, outside = [], nothing = []) {
  const from = from_ms ?? 0;
  const to = to_ms ?? 1;
  const fold = foldOf([from, to], outside);
  const x = (/** @type {number} */ ms) => WIDTH * fold.share(Math.min(Math.max(ms, from), to));
  const bars = rows.map((row) => {
    const value = totalIn(row, metric) ?? 0;
    const high = most ? (HEIGHT * value) / most : 0;
    const left = x(row.start);
    return svg("rect", {
      x: left,
      y: HEIGHT - high,
      width: Math.max(x(row.end) - left, 0.5),
      height: high,
    });
  });
  const across =
    (/** @type {string} */ kind) =>
    (/** @type {Page.Span} */ [start, end]) =>
      svg("rect", {
        class: kind,
        x: x(start),
        y: 0,
        width: Math.max(x(end) - x(start), 0),
        height: HEIGHT,
      });
  const gaps = [
    ...gapsOf(rows, [...notAnalysed, ...nothing, ...outside], from, to).map(across("no-footage")),
    ...nothing.map(across("nothing")),
    ...notAnalysed.map(across("not-analysed")),
  ];
  return svg(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      class: "sparkline",
      "aria-hidden": "true",
    },
    ...gaps,
    ...bars,
  );
}
