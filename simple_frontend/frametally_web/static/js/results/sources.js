// Small multiples: each source by itself, on one scale, with its numbers; per interval in a table below.

import { sparkline } from "../chart/sparkline.js";
import { el, refill } from "../shared/dom.js";
import { moment, number, span } from "../shared/format.js";
import { allIn, notAnalysedOf, rowsOf, totalIn } from "../shared/series.js";
import { numberCell, onlyButton, rowOf, sortableTable, valueCell } from "../shared/tables.js";

const AT_ONCE = 12;

/** @typedef {{source: string, answer: Api.Counts, rows: Page.Row[], notAnalysed: Page.Span[]}} Part */

/** @type {import("../shared/tables.js").Order} */
const sourceOrder = { by: "Source", falls: false };

/**
 * @param {HTMLElement} area
 * @param {Api.Counts} counts  by source
 * @param {Page.Metric} metric
 * @param {(source: string) => string} nameOf
 * @param {(source: string) => void} onSource
 */
export function showSources(area, counts, metric, nameOf, onSource) {
  /** @type {Part[]} */
  const parts = counts.sources.map((source) => {
    const isHere = (/** @type {{source: string|null}} */ one) => one.source === source;
    const answer = {
      ...counts,
      coverage: counts.coverage.filter(isHere),
      buckets: counts.buckets.filter(isHere),
      totals: counts.totals.filter(isHere),
      not_analysed: (counts.not_analysed ?? []).filter(isHere),
    };
    return { source, answer, rows: rowsOf(answer), notAnalysed: notAnalysedOf(answer) };
  });
  const most = Math.max(0, ...parts.flatMap(({ rows }) => rows.map((row) => totalIn(row, metric) ?? 0)));
  const framesOf = (/** @type {Part} */ { rows }) => rows.reduce((sum, row) => sum + row.frames, 0);
  const valueOf = (/** @type {Part} */ { answer, rows }) => (rows.length ? allIn(answer, metric) : null);
  const rowFor = (/** @type {Part} */ part) => {
    const { source, answer, rows, notAnalysed } = part;
    const absent = notAnalysed.length ? "not analysed" : "no footage";
    const name = nameOf(source);
    return rowOf(
      onlyButton(name, () => onSource(source)),
      el("td", { class: "spark" }, sparkline(counts, rows, notAnalysed, metric, most)),
      numberCell(rows.length ? metric.format(allIn(answer, metric)) : absent),
      numberCell(number(framesOf(part)), "number muted"),
    );
  };
  const isOpen = area.querySelector("details")?.open ?? false;
  const named = parts.map(({ source, rows, notAnalysed }) => ({ name: nameOf(source), rows, notAnalysed }));
  /** @type {import("../shared/tables.js").Column<Part>[]} */
  const columns = [
    { name: "Source", of: ({ source }) => nameOf(source) },
    { name: `Over time, up to ${metric.format(most)}` },
    { name: metric.name, id: "value", of: valueOf, isNumber: true },
    { name: "Frames", of: framesOf, isNumber: true },
  ];
  // The fullest, unless all were asked for; those that are left out are named by the button.
  const isAll = area.dataset.all === "true";
  const ranked = [...parts].sort((a, b) => (valueOf(b) ?? -1) - (valueOf(a) ?? -1));
  const lines = isAll ? parts : parts.filter((part) => ranked.indexOf(part) < AT_ONCE);
  const more = el("button", {
    type: "button",
    class: "button",
    text: `${number(parts.length - lines.length)} more`,
    onclick: () => {
      area.dataset.all = "true";
      showSources(area, counts, metric, nameOf, onSource);
      area.querySelector("button")?.focus();
    },
  });
  refill(
    area,
    sortableTable({
      name: lines.length < parts.length ? `The ${AT_ONCE} sources with the most` : "Each source",
      kind: "multiples",
      columns,
      lines,
      rowFor,
      order: sourceOrder,
    }),
    ...(lines.length < parts.length ? [more] : []),
    sourcesNumbers(named, metric, isOpen),
  );
}

/** A source's intervals with footage, by time. @typedef {{name: string, rows: Page.Row[], notAnalysed: Page.Span[]}} SourceRows */

/**
 * Closed until somebody wants it: it can be long.
 * @param {SourceRows[]} sources
 * @param {Page.Metric} metric
 * @param {boolean} isOpen
 */
function sourcesNumbers(sources, metric, isOpen) {
  const details = el("details", {}, el("summary", { text: "Numbers per interval" }));
  const fill = () => {
    if (details.open && details.childElementCount === 1) details.append(numbersOf(sources, metric));
  };
  details.addEventListener("toggle", fill);
  details.open = isOpen;
  fill();
  return details;
}

/** @type {import("../shared/tables.js").Order} */
const order = { by: "Interval", falls: false };

/**
 * @param {SourceRows[]} sources
 * @param {Page.Metric} metric
 */
function numbersOf(sources, metric) {
  const columns = sources.map(({ name, rows, notAnalysed }) => {
    const byStart = new Map(rows.map((row) => [row.start, row]));
    const isWaiting = (/** @type {number} */ ms) =>
      notAnalysed.some(([start, end]) => start <= ms && ms < end);
    const of = (/** @type {number} */ start) => {
      const row = byStart.get(start);
      return row ? totalIn(row, metric) : null;
    };
    const absentAt = (/** @type {number} */ start) =>
      byStart.has(start) ? "not measured" : isWaiting(start) ? "filmed, not analysed" : "no footage";
    return { name, isNumber: true, of, absentAt };
  });
  const ends = new Map(sources.flatMap(({ rows }) => rows.map((row) => [row.start, row.end])));
  return sortableTable({
    name: `${metric.name} per interval and source`,
    columns: [{ name: "Interval", of: (start) => start }, ...columns],
    lines: [...ends.keys()].sort((a, b) => a - b),
    rowFor: (start) => {
      const when = el("span", { text: moment(start), title: span(start, ends.get(start) ?? start) });
      return rowOf(when, ...columns.map(({ of, absentAt }) => valueCell(metric, of(start), absentAt(start))));
    },
    order,
  });
}
