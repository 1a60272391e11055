// The comparison in numbers: per label and together, here, there, and the difference.

import { el, swatch } from "../shared/dom.js";
import { change, difference, number, span } from "../shared/format.js";
import { joined } from "../shared/metrics.js";

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
    a: joined(metric, here.totals),
    b: filmed ? joined(metric, there.totals) : null,
  });
  area.replaceChildren(
    el("h3", { text: `Compared with ${comparison.name}` }),
    el("p", { class: "muted small", text: rangesOf(here, there) }),
    el(
      "div",
      { class: "table-area", tabindex: 0, role: "region", "aria-label": "Differences in numbers" },
      el(
        "table",
        {},
        el("thead", {}, headings(metric.name, comparison.name)),
        el("tbody", {}, ...lines.map((line) => lineElement(line, metric, filmed))),
        el("tfoot", {}, framesLine(here, there)),
      ),
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
 * @param {string} metric
 * @param {string} other
 */
function headings(metric, other) {
  const names = [metric, "Shown", other, "Difference", "Change"];
  return el(
    "tr",
    {},
    ...names.map((text, position) =>
      el("th", { scope: "col", class: position ? "number" : null, title: text, text }),
    ),
  );
}

/**
 * @param {{name: string, color: string, a: number|null, b: number|null}} line
 * @param {Page.Metric} metric
 * @param {boolean} filmed
 */
function lineElement({ name, color, a, b }, metric, filmed) {
  const known = a !== null && b !== null;
  const absent = filmed ? "not measured" : "no footage";
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, color ? swatch(color) : null, el("span", { class: "name", text: name })),
    cell(metric.format(a)),
    cell(b === null ? absent : metric.format(b)),
    cell(known ? difference(a - b) : "–"),
    cell(known && b ? change(a / b - 1) : "–"),
  );
}

/**
 * @param {Api.Counts} here
 * @param {Api.Counts} there
 */
function framesLine(here, there) {
  return el(
    "tr",
    {},
    el("th", { scope: "row", text: "Frames analysed" }),
    cell(number(here.frames)),
    cell(number(there.frames)),
    cell(difference(here.frames - there.frames)),
    cell(there.frames ? change(here.frames / there.frames - 1) : "–"),
  );
}

/** @param {string} text */
const cell = (text) => el("td", { class: "number", text });
