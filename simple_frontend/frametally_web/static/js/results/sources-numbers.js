// The small multiples' numbers as a table: a row per interval that any source filmed, a column per source.

import { el } from "../shared/dom.js";
import { moment, number, span } from "../shared/format.js";
import { totalIn } from "../shared/series.js";

const ROWS_AT_ONCE = 200;

/** @typedef {{name: string, rows: Page.Row[]}} SourceRows  a source's intervals with footage, by time */

/**
 * Closed until somebody wants it: it can be long.
 * @param {SourceRows[]} sources
 * @param {Page.Metric} metric
 * @param {boolean} isOpen
 */
export function sourcesNumbers(sources, metric, isOpen) {
  const details = el("details", {}, el("summary", { text: "Numbers per interval" }));
  const fill = () => {
    if (details.open && details.childElementCount === 1) details.append(...tableOf(sources, metric));
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
function tableOf(sources, metric) {
  const columns = sources.map(({ rows }) => new Map(rows.map((row) => [row.start, row])));
  const ends = new Map(sources.flatMap(({ rows }) => rows.map((row) => [row.start, row.end])));
  const starts = [...ends.keys()].sort((a, b) => a - b);
  const body = el("tbody");
  const more = el("button", { type: "button", class: "button" });
  let shown = 0;
  const showMore = () => {
    const next = starts.slice(shown, shown + ROWS_AT_ONCE);
    body.append(
      ...next.map((start) =>
        el(
          "tr",
          {},
          el("th", { scope: "row", text: moment(start), title: span(start, ends.get(start) ?? start) }),
          ...columns.map((rows) => cell(rows.get(start), metric)),
        ),
      ),
    );
    shown += next.length;
    more.hidden = shown >= starts.length;
    more.textContent = `Show ${number(Math.min(ROWS_AT_ONCE, starts.length - shown))} more of ${number(starts.length)}`;
  };
  more.addEventListener("click", showMore);
  showMore();
  const heading = (/** @type {string} */ text, /** @type {string|null} */ kind) =>
    el("th", { scope: "col", class: kind, title: text, text });
  return [
    el(
      "table",
      {},
      el("caption", { class: "visually-hidden", text: `${metric.name} per interval and source` }),
      el(
        "thead",
        {},
        el("tr", {}, heading("Interval", null), ...sources.map(({ name }) => heading(name, "number"))),
      ),
      body,
    ),
    more,
  ];
}

/**
 * @param {Page.Row|undefined} row
 * @param {Page.Metric} metric
 */
function cell(row, metric) {
  const value = row ? totalIn(row, metric) : null;
  const absent = row ? "not measured" : "no footage";
  return el("td", {
    class: value ? "number" : "number zero",
    text: value === null ? absent : metric.format(value),
  });
}
