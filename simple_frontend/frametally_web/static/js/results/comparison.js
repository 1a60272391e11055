// The comparison in numbers: per label and together, here, there, and the difference.

import { el, swatch } from "../shared/dom.js";
import { change, difference, number, span } from "../shared/format.js";
import { joined } from "../shared/metrics.js";
import { allIn } from "../shared/series.js";
import { headingsOf, numberCell, rowOf, scrollable, tableOf } from "../shared/tables.js";

/**
 * @param {HTMLElement} area
 * @param {Page.View} view
 * @param {Api.Counts} here
 * @param {{counts: Api.Counts, comparison: Page.Comparison}} other
 */
export function showComparison(area, view, here, { counts: there, comparison }) {
  const { metric, series } = view;
  const totals = new Map(there.totals.map((total) => [total.label, total]));
  const filmed = there.coverage.length > 0;
  const lines = series.map((one) => ({
    name: one.name,
    color: one.color,
    a: one.total,
    b: filmed ? joined(metric, one.labels.flatMap((label) => totals.get(label) ?? [])) : null,
  })); // prettier-ignore
  lines.push({
    name: "All labels",
    color: "",
    a: allIn(here, metric),
    b: filmed ? allIn(there, metric) : null,
  });
  area.replaceChildren(
    el("h3", { text: `Compared with ${comparison.name}` }),
    el("p", { class: "muted small", text: rangesOf(here, there) }),
    scrollable(
      "Differences in numbers",
      tableOf({
        headings: headingsOf([metric.name, "Shown", comparison.name, "Difference", "Change"], Boolean),
        rows: lines.map((line) => lineElement(line, metric, filmed)),
        total: framesLine(here, there),
      }),
    ),
    ...(filmed ? [] : [el("p", { class: "muted", text: "Nothing was filmed on the other side." })]),
  );
}

/**
 * @param {Api.Counts} here
 * @param {Api.Counts} there
 */
function rangesOf(here, there) {
  const range = (/** @type {Api.Counts} */ { from_ms: from, to_ms: to }) =>
    from === null || to === null ? "–" : span(from, to);
  return range(here) === range(there) ? range(here) : `${range(here)} beside ${range(there)}`;
}

/**
 * @param {{name: string, color: string, a: number|null, b: number|null}} line
 * @param {Page.Metric} metric
 * @param {boolean} filmed
 */
function lineElement({ name, color, a, b }, metric, filmed) {
  const known = a !== null && b !== null;
  const absent = filmed ? "not measured" : "no footage";
  return rowOf(
    [color ? swatch(color) : null, el("span", { class: "name", text: name })],
    numberCell(metric.format(a)),
    numberCell(b === null ? absent : metric.format(b)),
    numberCell(known ? difference(a - b) : "–"),
    numberCell(known && b ? change(a / b - 1) : "–"),
  );
}

/**
 * @param {Api.Counts} here
 * @param {Api.Counts} there
 */
function framesLine(here, there) {
  return rowOf(
    "Frames analysed",
    numberCell(number(here.frames)),
    numberCell(number(there.frames)),
    numberCell(difference(here.frames - there.frames)),
    numberCell(there.frames ? change(here.frames / there.frames - 1) : "–"),
  );
}
