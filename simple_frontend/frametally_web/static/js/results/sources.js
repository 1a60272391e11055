// Small multiples: each source by itself, on one scale, with its numbers; per interval in a table below.

import { el, svg } from "../shared/dom.js";
import { moment, number, span } from "../shared/format.js";
import { joined } from "../shared/metrics.js";
import { gapsOf, rowsOf, totalIn } from "../shared/series.js";
import {
  growing,
  headingsOf,
  numberCell,
  onlyButton,
  rowOf,
  spokenCaption,
  tableOf,
  valueCell,
} from "../shared/tables.js";

const WIDTH = 600;
const HEIGHT = 56;

/**
 * @param {HTMLElement} area
 * @param {Api.Counts} counts  by source
 * @param {Page.Metric} metric
 * @param {(source: string) => string} nameOf
 * @param {(source: string) => void} onSource
 */
export function showSources(area, counts, metric, nameOf, onSource) {
  const parts = counts.sources.map((source) => {
    const isHere = (/** @type {{source: string|null}} */ one) => one.source === source;
    const [coverage, buckets] = [counts.coverage.filter(isHere), counts.buckets.filter(isHere)];
    return { source, rows: rowsOf({ coverage, buckets }) };
  });
  const most = Math.max(0, ...parts.flatMap(({ rows }) => rows.map((row) => totalIn(row, metric) ?? 0)));
  const lines = parts.map(({ source, rows }) => {
    const totals = counts.totals.filter((total) => total.source === source);
    const name = nameOf(source);
    return rowOf(
      onlyButton(name, () => onSource(source)),
      el("td", { class: "spark" }, sparkline(counts, rows, metric, most)),
      numberCell(rows.length ? metric.format(joined(metric, totals)) : "no footage"),
      numberCell(number(rows.reduce((sum, row) => sum + row.frames, 0)), "number muted"),
    );
  });
  const isOpen = area.querySelector("details")?.open ?? false;
  const named = parts.map(({ source, rows }) => ({ name: nameOf(source), rows }));
  area.replaceChildren(
    tableOf({
      kind: "multiples",
      headings: [
        el("th", { scope: "col", text: "Source" }),
        el("th", { scope: "col", text: `Over time, up to ${metric.format(most)}` }),
        el("th", { scope: "col", class: "number", text: metric.name }),
        el("th", { scope: "col", class: "number", text: "Frames" }),
      ],
      rows: lines,
    }),
    sourcesNumbers(named, metric, isOpen),
  );
}

/**
 * Bars in a picture; its sum stands beside it, its numbers in the table below.
 * @param {Api.Counts} counts
 * @param {Page.Row[]} rows
 * @param {Page.Metric} metric
 * @param {number} most
 */
function sparkline({ from_ms, to_ms }, rows, metric, most) {
  const from = from_ms ?? 0;
  const to = to_ms ?? 1;
  const x = (/** @type {number} */ ms) => (WIDTH * (Math.min(Math.max(ms, from), to) - from)) / (to - from);
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
  const gaps = gapsOf(rows, from, to).map(([start, end]) =>
    svg("rect", {
      class: "no-footage",
      x: x(start),
      y: 0,
      width: Math.max(x(end) - x(start), 0),
      height: HEIGHT,
    }),
  );
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

/** @typedef {{name: string, rows: Page.Row[]}} SourceRows  a source's intervals with footage, by time */

/**
 * Closed until somebody wants it: it can be long.
 * @param {SourceRows[]} sources
 * @param {Page.Metric} metric
 * @param {boolean} isOpen
 */
function sourcesNumbers(sources, metric, isOpen) {
  const details = el("details", {}, el("summary", { text: "Numbers per interval" }));
  const fill = () => {
    if (details.open && details.childElementCount === 1) details.append(...numbersOf(sources, metric));
  };
  details.addEventListener("toggle", fill);
  details.open = isOpen;
  fill();
  return details;
}

/**
 * @param {SourceRows[]} sources
 * @param {Page.Metric} metric
 */
function numbersOf(sources, metric) {
  const columns = sources.map(({ rows }) => new Map(rows.map((row) => [row.start, row])));
  const ends = new Map(sources.flatMap(({ rows }) => rows.map((row) => [row.start, row.end])));
  const starts = [...ends.keys()].sort((a, b) => a - b);
  const { body, more } = growing(starts, (start) =>
    el(
      "tr",
      {},
      el("th", { scope: "row", text: moment(start), title: span(start, ends.get(start) ?? start) }),
      ...columns.map((rows) => {
        const row = rows.get(start);
        return valueCell(metric, row ? totalIn(row, metric) : null, row ? "not measured" : "no footage");
      }),
    ),
  );
  const caption = spokenCaption(`${metric.name} per interval and source`);
  const headings = headingsOf(["Interval", ...sources.map(({ name }) => name)], Boolean);
  return [tableOf({ caption, headings, rows: body }), more];
}
