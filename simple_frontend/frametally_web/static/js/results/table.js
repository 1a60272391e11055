// The chart's numbers as a table: a row per interval with footage, one per stretch without.

import { filmedPart } from "../chart/words.js";
import { el } from "../shared/dom.js";
import { moment, number, plural, span } from "../shared/format.js";
import { joined } from "../shared/metrics.js";
import { totalIn, valueIn } from "../shared/series.js";
import {
  growing,
  headingsOf,
  numberCell,
  rowOf,
  spokenCaption,
  tableOf,
  valueCell,
} from "../shared/tables.js";

/** @typedef {{row: Page.Row, position: number}|{gap: Page.Span, why: string}} Line */

/**
 * @param {HTMLElement} area  filled with the table
 * @param {Page.View} view  as the chart has it
 * @param {Api.Counts} counts
 * @param {(start: number) => void} onBar
 */
export function showTable(area, view, counts, onBar) {
  const { body, more } = growing(linesOf(view), (line) => lineElement(line, view, onBar));
  const caption = spokenCaption(`${view.metric.name} per interval and label`);
  const beside = view.other ? [view.other.name] : [];
  const names = ["Interval", ...view.series.map((one) => one.name), "All", ...beside, "Frames analysed", ""];
  const headings = headingsOf(names, Boolean);
  area.replaceChildren(tableOf({ caption, headings, rows: body, total: totalsElement(view, counts) }), more);
}

/**
 * @param {Page.View} view
 * @returns {Line[]}
 */
function linesOf({ rows, gaps, notAnalysed }) {
  /** @type {Line[]} */
  const lines = rows.map((row, position) => ({ row, position }));
  const begin = (/** @type {Line} */ line) => ("gap" in line ? line.gap[0] : line.row.start);
  /**
   * @param {Page.Span[]} spans
   * @param {string} why
   * @returns {Line[]}
   */
  const without = (spans, why) => spans.map((gap) => ({ gap, why }));
  lines.push(...without(gaps, "no footage"), ...without(notAnalysed, "filmed, not analysed"));
  return lines.sort((a, b) => begin(a) - begin(b));
}

/**
 * @param {Line} line
 * @param {Page.View} view
 * @param {(start: number) => void} onBar
 */
function lineElement(line, view, onBar) {
  const { series, metric, other, at, fileTimes, overlaps } = view;
  if ("gap" in line) {
    return el(
      "tr",
      { class: "gap" },
      el("th", { scope: "row", text: span(...line.gap) }),
      el("td", { colspan: series.length + (other ? 4 : 3), text: line.why }),
    );
  }
  const { row, position } = line;
  const open = el("button", {
    type: "button",
    class: "link",
    text: "Show frames",
    "aria-label": `Show frames of ${span(row.start, row.end)}`,
    onclick: () => onBar(row.start),
  });
  const part = filmedPart(view, row);
  const isIn = (/** @type {Page.Span[]} */ spans) =>
    spans.some(([from, to]) => from < row.end && to > row.start);
  return el(
    "tr",
    { class: row.start === at ? "chosen" : null },
    el(
      "th",
      { scope: "row" },
      el("span", { text: moment(row.start), title: span(row.start, row.end) }),
      part ? el("span", { class: "remark", text: part }) : null,
      isIn(fileTimes) ? el("span", { class: "remark", text: "file date" }) : null,
      isIn(overlaps) ? el("span", { class: "remark", text: "media overlap" }) : null,
    ),
    ...series.map((one) => valueCell(metric, valueIn(row, one.labels, metric))),
    valueCell(metric, totalIn(row, metric)),
    other ? besideCell(metric, other.values[position]) : null,
    numberCell(number(row.frames)),
    el("td", {}, open),
  );
}

/**
 * @param {Page.Metric} metric
 * @param {number|null|undefined} value
 */
const besideCell = (metric, value) =>
  value === undefined ? valueCell(metric, null, "no footage") : valueCell(metric, value);

/**
 * @param {Page.View} view
 * @param {Api.Counts} counts
 */
function totalsElement({ rows, series, metric, other }, counts) {
  const name = { detections: "Total", objects: "Total", mean_per_frame: "Mean", peak: "Maximum" }[metric.id];
  return rowOf(
    `${name}, ${plural(rows.length, "interval")}`,
    ...series.map((one) => valueCell(metric, one.total)),
    valueCell(metric, joined(metric, counts.totals)),
    other ? el("td") : null,
    numberCell(number(counts.frames)),
    el("td"),
  );
}
