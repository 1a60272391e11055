// The chart's numbers as a table: a row per interval with footage, which opens its frames, one per stretch without.

import { filmedPart, measuredPart } from "../chart/words.js";
import { el, refill } from "../shared/dom.js";
import { moment, number, plural, span } from "../shared/format.js";
import { joined } from "../shared/metrics.js";
import { gapsOf, totalIn, valueIn } from "../shared/series.js";
import { copyButton, numberCell, rowOf, sortableTable, valueCell } from "../shared/tables.js";

/**
 * A row, a stretch without bars, or a bar that only the other side has.
 * @typedef {{row: Page.Row, position: number}|{gap: Page.Span, why: string}|{gap: Page.Span, beside: number|null}} Line
 */

/** @type {import("../shared/tables.js").Order} */
const order = { by: "Interval", falls: false };

/**
 * @param {HTMLElement} area  filled with the table
 * @param {Page.View} view  as the chart has it
 * @param {Api.Counts} counts
 * @param {(start: number) => void} onBar
 */
export function showTable(area, view, counts, onBar) {
  const table = sortableTable({
    name: `${view.metric.name} per interval and label`,
    columns: columnsOf(view),
    lines: linesOf(view),
    rowFor: (line) => lineElement(line, view, onBar),
    total: totalsElement(view, counts),
    order,
  });
  const says = plural(view.rows.length, "interval");
  const tools = el("div", { class: "table-tools" }, el("span", { class: "muted", text: says }));
  tools.append(copyButton(() => table));
  refill(area, tools, table);
}

/**
 * @param {Page.View} view
 * @returns {import("../shared/tables.js").Column<Line>[]}
 */
function columnsOf({ series, metric, other }) {
  /**
   * @param {string} name
   * @param {(row: Page.Row, position: number) => number|null|undefined} of
   * @param {(line: {beside: number|null}) => number|null} [alone]
   */
  const numbers = (name, of, alone = () => null) => ({
    name,
    isNumber: true,
    of: (/** @type {Line} */ line) =>
      "row" in line ? (of(line.row, line.position) ?? null) : "beside" in line ? alone(line) : null,
  });
  return [
    { name: "Interval", of: begin },
    ...series.map((one) => numbers(one.name, (row) => valueIn(row, one.labels, metric))),
    numbers("All", (row) => totalIn(row, metric)),
    ...(other
      ? [
          numbers(
            other.name,
            (_, position) => other.values[position],
            ({ beside }) => beside,
          ),
        ]
      : []),
    numbers("Frames analysed", (row) => row.frames),
  ];
}

/** @param {Line} line */
const begin = (line) => ("gap" in line ? line.gap[0] : line.row.start);

/**
 * @param {Page.View} view
 * @returns {Line[]}
 */
function linesOf({ rows, gaps, notAnalysed, outside, range, other }) {
  /** @type {Line[]} */
  const lines = rows.map((row, position) => ({ row, position }));
  /**
   * @param {Page.Span[]} spans
   * @param {string} why
   * @returns {Line[]}
   */
  const without = (spans, why) => spans.map((gap) => ({ gap, why }));
  // What lies in a hole of this side alone has a line of its own, as its bar would have.
  const alone = (other?.rows ?? []).filter(({ start }) =>
    gaps.some(([from, to]) => from <= start && start < to),
  );
  const left = alone.length ? gapsOf([...rows, ...alone], [...notAnalysed, ...outside], ...range) : gaps;
  lines.push(
    ...alone.map(({ start, end, value }) => ({
      gap: /** @type {Page.Span} */ ([start, end]),
      beside: value,
    })),
  );
  lines.push(...without(left, "no footage"), ...without(notAnalysed, "filmed, not analysed"));
  return lines.sort((a, b) => begin(a) - begin(b));
}

/**
 * @param {Line} line
 * @param {Page.View} view
 * @param {(start: number) => void} onBar
 */
function lineElement(line, view, onBar) {
  const { series, metric, other, at, fileTimes, overlaps } = view;
  if ("beside" in line) return besideElement(line, view);
  if ("gap" in line) {
    return el(
      "tr",
      { class: "gap" },
      el("th", { scope: "row", text: span(...line.gap) }),
      el("td", { colspan: series.length + (other ? 3 : 2), text: line.why }),
    );
  }
  const { row, position } = line;
  const open = el("button", {
    type: "button",
    class: "link",
    text: moment(row.start),
    title: span(row.start, row.end),
    "aria-label": `${moment(row.start)}: show the frames`,
  });
  const parts = [filmedPart(view, row), measuredPart(view, row)].filter(Boolean);
  const isIn = (/** @type {Page.Span[]} */ spans) =>
    spans.some(([from, to]) => from < row.end && to > row.start);
  return el(
    "tr",
    { class: row.start === at ? "leads chosen" : "leads", onclick: () => onBar(row.start) },
    el(
      "th",
      { scope: "row" },
      open,
      ...parts.map((text) => el("span", { class: "remark", text })),
      isIn(fileTimes) ? el("span", { class: "remark", text: "time guessed" }) : null,
      isIn(overlaps) ? el("span", { class: "remark", text: "media overlap" }) : null,
    ),
    ...series.map((one) => valueCell(metric, valueIn(row, one.labels, metric))),
    valueCell(metric, totalIn(row, metric)),
    other ? besideCell(metric, other.values[position]) : null,
    numberCell(number(row.frames)),
  );
}

/**
 * @param {{gap: Page.Span, beside: number|null}} line
 * @param {Page.View} view
 */
function besideElement({ gap, beside }, { series, metric }) {
  const empty = el("td", { class: "gap", colspan: series.length + 1, text: "no footage" });
  empty.style.gridColumn = `span ${series.length + 1}`;
  const time = el("th", { scope: "row", text: moment(gap[0]), title: span(...gap) });
  return el("tr", {}, time, empty, valueCell(metric, beside), numberCell("–", "number zero"));
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
  );
}
