// Small multiples: each source by itself, on one scale, with its numbers.

import { el, svg } from "../shared/dom.js";
import { number } from "../shared/format.js";
import { joined } from "../shared/metrics.js";
import { gapsOf, totalIn } from "../shared/series.js";
import { sourcesNumbers } from "./sources-numbers.js";

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
  const parts = counts.sources.map((source) => ({ source, rows: rowsOfSource(counts, source) }));
  const most = Math.max(0, ...parts.flatMap(({ rows }) => rows.map((row) => totalIn(row, metric) ?? 0)));
  const lines = parts.map(({ source, rows }) => {
    const totals = counts.totals.filter((total) => total.source === source);
    const name = nameOf(source);
    return el(
      "tr",
      {},
      el(
        "th",
        { scope: "row" },
        el(
          "button",
          { type: "button", class: "link plain", title: `Show only ${name}`, onclick: () => onSource(source) },
          el("span", { class: "name", text: name }),
        ),
      ),
      el("td", { class: "spark" }, sparkline(counts, rows, metric, most)),
      el("td", { class: "number", text: rows.length ? metric.format(joined(metric, totals)) : "no footage" }),
      el("td", {
        class: "number muted",
        text: number(rows.reduce((sum, row) => sum + row.frames, 0)),
      }),
    ); // prettier-ignore
  });
  const isOpen = area.querySelector("details")?.open ?? false;
  const named = parts.map(({ source, rows }) => ({ name: nameOf(source), rows }));
  area.replaceChildren(
    el(
      "table",
      { class: "multiples" },
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          el("th", { scope: "col", text: "Source" }),
          el("th", { scope: "col", text: `Over time, up to ${metric.format(most)}` }),
          el("th", { scope: "col", class: "number", text: metric.name }),
          el("th", { scope: "col", class: "number", text: "Frames" }),
        ),
      ),
      el("tbody", {}, ...lines),
    ),
    sourcesNumbers(named, metric, isOpen),
  );
}

/**
 * @param {Api.Counts} counts
 * @param {string} source
 * @returns {Page.Row[]}
 */
function rowsOfSource({ coverage, buckets }, source) {
  /** @type {Map<number, Page.Row>} */
  const rows = new Map();
  for (const one of coverage) {
    if (one.source !== source) continue;
    rows.set(one.start_ms, { start: one.start_ms, end: one.end_ms, frames: one.frames, byLabel: new Map() });
  }
  for (const one of buckets) if (one.source === source) rows.get(one.start_ms)?.byLabel.set(one.label, one);
  return [...rows.values()].sort((a, b) => a.start - b.start);
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
    return svg("rect", { x: left, y: HEIGHT - high, width: Math.max(x(row.end) - left, 0.5), height: high });
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
