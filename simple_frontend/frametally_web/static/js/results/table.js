// The chart's numbers as a table: a row per interval with footage, which opens its frames, and one per gap.

import { hasIntervals, intervalIn, intervalOfAll } from "../shared/checked.js";
import { filmedPart, holesOf, measuredPart } from "../chart/tooltip.js";
import { el, refill } from "../shared/dom.js";
import { isMidnight, moment, number, span } from "../shared/format.js";
import { amountOf, fromStartWords, untrackedWords } from "../shared/metrics.js";
import {
  allIn,
  allKnownIn,
  gapsOf,
  knownIn,
  spanOf,
  spansOf,
  totalIn,
  UNKNOWN,
  valueIn,
} from "../shared/series.js";
import {
  checkedCell,
  copyButton,
  leadingRow,
  numberCell,
  rowOf,
  sortableTable,
  valueCell,
} from "../shared/tables.js";
import { t } from "../shared/texts.js";

/**
 * A row, a gap, or a bar that only the compared side has.
 * @typedef {{row: Page.Row, position: number}|{gap: Page.Span, why: string}|{gap: Page.Span, beside: Page.Known}}
 *   Line
 */

const order = { by: t("web.interval"), falls: false };

/**
 * @param {HTMLElement} area  the table goes here
 * @param {Page.View} view  the chart's view
 * @param {Api.Counts} counts
 * @param {(start: number) => void} onBar
 */
export function showTable(area, view, counts, onBar) {
  const table = sortableTable({
    name: t("web.per_interval_and_label", { name: view.metric.name }),
    kind: hasIntervals(view) ? "long checked" : "long",
    columns: columnsOf(view),
    lines: linesOf(view),
    rowFor: (line) => lineElement(line, view, onBar),
    total: totalsElement(view, counts),
    order,
  });
  const says = el("span.muted", t("web.count_intervals", { count: view.rows.length }));
  refill(
    area,
    el(
      "div.table-tools",
      says,
      copyButton(() => table),
    ),
    table,
  );
}

/** @param {Page.View} view @returns {import("../shared/tables.js").Column<Line>[]} */
function columnsOf({ series, metric, other }) {
  /** @param {string} name @param {(row: Page.Row) => number|null} of */
  const numbers = (name, of) => ({
    name,
    isNumber: true,
    of: (/** @type {Line} */ line) => ("row" in line ? of(line.row) : null),
  });
  /** @param {Line} line */
  const besideOf = (line) =>
    amountOf(("row" in line ? other?.values[line.position] : "beside" in line && line.beside) || UNKNOWN);
  return [
    { name: t("web.interval"), of: begin },
    ...series.map((one) => numbers(one.name, (row) => valueIn(row, one.label, metric))),
    numbers(t("web.all"), (row) => totalIn(row, metric)),
    ...(other ? [{ name: other.name, isNumber: true, of: besideOf }] : []),
    numbers(t("web.frames_analysed_title"), (row) => row.frames),
  ];
}

/** @param {Line} line */
const begin = (line) => ("gap" in line ? line.gap[0] : line.row.start);

/** @param {Page.View} view */
function linesOf({ rows, gaps, notAnalysed, nothing, outside, range, other }) {
  /** @type {Line[]} */
  const lines = rows.map((row, position) => ({ row, position }));
  // A compared bar in a gap of this side gets its own row, like its bar in the chart.
  const alone = (other?.rows ?? []).filter(({ start }) =>
    gaps.some(([from, to]) => from <= start && start < to),
  );
  const left = alone.length
    ? gapsOf([...rows, ...alone], [...notAnalysed, ...spansOf(nothing), ...outside], ...range)
    : gaps;
  lines.push(...alone.map((one) => ({ gap: spanOf(one), beside: one.known })));
  const holes = holesOf({ gaps: left, notAnalysed, nothing });
  lines.push(...holes.map(({ span: gap, kind: why }) => ({ gap, why })));
  return lines.sort((a, b) => begin(a) - begin(b));
}

/** @param {Line} line @param {Page.View} view @param {(start: number) => void} onBar */
function lineElement(line, view, onBar) {
  const { series, metric, other, at, fileTimes, overlaps } = view;
  if ("beside" in line) return besideElement(line, view);
  if ("gap" in line) {
    return el(
      "tr.gap",
      el("th", { scope: "row" }, span(...line.gap)),
      el("td", { colspan: series.length + (other ? 3 : 2) }, line.why),
    );
  }
  const { row, position } = line;
  const beside = other?.values[position];
  const isDays = isMidnight(row.start) && isMidnight(row.end);
  const start = isDays ? span(row.start, row.end) : moment(row.start);
  const open = el(
    "button.link",
    { title: span(row.start, row.end), "aria-label": t("web.show_the_frames_from_start", { start }) },
    start,
  );
  const isIn = (/** @type {Page.Span[]} */ spans) =>
    spans.some(([from, to]) => from < row.end && to > row.start);
  const parts = [
    fromStartWords(metric, row.all),
    untrackedWords(metric, row.all),
    filmedPart(row),
    measuredPart(view, row),
    isIn(fileTimes) ? t("web.time_guessed") : "",
    isIn(overlaps) ? t("web.media_overlap") : "",
  ].filter(Boolean);
  const element = leadingRow(
    () => onBar(row.start),
    [open, ...parts.map((text) => el("span.remark", text))],
    ...series.map(({ label }) =>
      checkedCell(metric, knownIn(row, label, metric), intervalIn(row, label, metric)),
    ),
    checkedCell(metric, allKnownIn(row, metric), intervalOfAll(row, metric)),
    other ? valueCell(metric, beside ?? null, beside ? undefined : t("web.no_footage")) : null,
    numberCell(number(row.frames)),
  );
  element.classList.toggle("chosen", row.start === at);
  return element;
}

/** @param {{gap: Page.Span, beside: Page.Known}} line @param {Page.View} view */
function besideElement({ gap, beside }, { series, metric }) {
  const empty = el("td.gap", { colspan: series.length + 1 }, t("web.no_footage"));
  empty.style.gridColumn = `span ${series.length + 1}`;
  const time = el("th", { scope: "row", title: span(...gap) }, moment(gap[0]));
  return el("tr", time, empty, valueCell(metric, beside), numberCell("–", "number zero"));
}

/** @param {Page.View} view @param {Api.Counts} counts */
function totalsElement({ rows, series, metric, other }, counts) {
  const name = {
    detections: t("web.total"),
    objects: t("web.total"),
    mean_per_frame: t("web.mean"),
    peak: t("web.maximum"),
  }[metric.id];
  const all = allIn(counts, metric);
  return rowOf(
    `${name}, ${t("web.count_intervals", { count: rows.length })}`,
    ...series.map((one) => checkedCell(metric, one.total, one.interval)),
    checkedCell(metric, all, series.length === 1 ? series[0].interval : null),
    other ? el("td") : null,
    numberCell(number(counts.frames)),
  );
}
