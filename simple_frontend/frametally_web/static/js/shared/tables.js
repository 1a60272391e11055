// The tables of all pages; you can sort most of them by any column and copy them as text.

import { rangeWords } from "./checked.js";
import { copyText, el } from "./dom.js";
import { amountOf, knownWords } from "./metrics.js";
import { t } from "./texts.js";

/**
 * @param {Object} parts
 * @param {string} [parts.kind]  its class
 * @param {string|HTMLElement} [parts.caption]  a plain text is only for screen readers
 * @param {HTMLElement[]} parts.headings
 * @param {HTMLElement[]|HTMLElement} parts.rows  rows, or the body itself
 * @param {HTMLElement} [parts.total]  the last row
 */
export function tableOf({ kind, caption, headings, rows, total }) {
  return el(
    "table",
    { class: kind },
    typeof caption === "string" ? el("caption.visually-hidden", caption) : caption,
    el("thead", el("tr", ...headings)),
    Array.isArray(rows) ? el("tbody", ...rows) : rows,
    total ? el("tfoot", total) : null,
  );
}

/**
 * Column headings; those of numbers are on the right.
 * @param {string[]} names
 * @param {(position: number) => boolean} isNumber
 */
export const headingsOf = (names, isNumber) =>
  names.map((text, position) =>
    text
      ? el("th", { scope: "col", class: isNumber(position) ? "number" : null, title: text }, text)
      : el("td"),
  );

/** @param {string|null} text @param {string} [kind] */
export const numberCell = (text, kind = "number") => el("td", { class: kind }, text);

/** A row with its heading. @param {Node|string|(Node|null)[]} heading @param {...(Node|null)} cells */
export function rowOf(heading, ...cells) {
  const first = Array.isArray(heading) ? heading : [heading];
  return el("tr", el("th", { scope: "row" }, ...first), ...cells);
}

/** A row that opens something. @param {() => void} onclick @param {Parameters<typeof rowOf>} parts */
export function leadingRow(onclick, ...parts) {
  const row = rowOf(...parts);
  row.className = "leads";
  row.addEventListener("click", onclick);
  return row;
}

/**
 * A cell of a metric; zeros are grey.
 * @param {Page.Metric} metric
 * @param {number|null|Page.Known} number
 * @param {string} [absent]
 */
export function valueCell(metric, number, absent = t("web.not_measured")) {
  const known = number === null || typeof number === "number" ? { value: number, part: null } : number;
  const amount = amountOf(known);
  const words = known.value === null && !amount ? absent : knownWords(metric, known);
  return numberCell(words, amount ? "number" : "number zero");
}

/**
 * A cell of a metric with its interval, if an accuracy check provides one.
 * @param {Page.Metric} metric
 * @param {number|null|Page.Known} number
 * @param {Page.Interval|null} interval
 */
export function checkedCell(metric, number, interval) {
  const cell = valueCell(metric, number);
  if (!interval) return cell;
  cell.title = t("web.estimate_without_the_models_errors", { estimate: metric.format(interval.estimate) });
  cell.append(el("span.interval", rangeWords(metric, interval)));
  return cell;
}

/**
 * A heading button that shows only its label or source.
 * @param {string} name
 * @param {() => void} onclick
 * @param {Node|null} [mark]
 */
export const onlyButton = (name, onclick, mark = null) =>
  el("button.link.plain", { title: t("web.show_only", { name }), onclick }, mark, el("span.name", name));

/** A table that you can scroll with the keyboard. @param {string} name @param {HTMLElement} table */
export const scrollable = (name, table) =>
  el("div.table-area", { tabindex: 0, role: "group", "aria-label": name }, table);

/**
 * A table with a name and plain headings.
 * @param {string} name
 * @param {string[]} columns
 * @param {number} words  how many columns contain words; the rest contain numbers
 * @param {HTMLElement[]} rows
 * @param {{kind?: string, total?: HTMLElement}} [more]  its class, and the last row
 */
export const namedTable = (name, columns, words, rows, more) =>
  tableOf({ caption: name, headings: headingsOf(columns, (position) => position >= words), rows, ...more });

/** Like `namedTable`, but scrollable. @param {Parameters<typeof namedTable>} parts */
export const scrolledTable = (...parts) => scrollable(parts[0], namedTable(...parts));

/**
 * The column that sorts a table; the owner keeps it, because it outlives the table.
 * @typedef {{by: string, falls: boolean}} Order
 */

/**
 * A column; one without `of` contains pictures and cannot sort. Its `id` is its name by default.
 * @template Line
 * @typedef {{name: string, id?: string, of?: (line: Line) => number|string|null, isNumber?: boolean}} Column
 */

/** @param {Column<any>} column */
const idOf = ({ id, name }) => id ?? name;

/**
 * A table of any length, sorted by the chosen column; lines without a value come last.
 * @template Line
 * @param {Object} parts
 * @param {string} parts.name  of the table, for screen readers
 * @param {string} [parts.kind]  its class
 * @param {Column<Line>[]} parts.columns
 * @param {Line[]} parts.lines
 * @param {(line: Line) => HTMLElement} parts.rowFor
 * @param {HTMLElement} [parts.total]
 * @param {Order} parts.order
 */
export function sortableTable({ name, kind = "long", columns, lines, rowFor, total, order }) {
  const rows = new Map(lines.map((line) => [line, rowFor(line)]));
  const body = el("tbody");
  const headings = columns.map((column) => {
    if (!column.of) return column.name ? el("th", { scope: "col" }, column.name) : el("td");
    const button = el("button.sort", { title: column.name }, column.name);
    button.addEventListener("click", () => {
      order.falls = order.by === idOf(column) ? !order.falls : Boolean(column.isNumber);
      order.by = idOf(column);
      sort();
    });
    return el("th", { scope: "col", class: column.isNumber ? "number" : null }, button);
  });
  const sort = () => {
    const chosen = columns.find((column) => idOf(column) === order.by) ?? columns[0];
    headings.forEach((heading, position) => {
      if (columns[position] !== chosen) heading.removeAttribute("aria-sort");
      else heading.setAttribute("aria-sort", order.falls ? "descending" : "ascending");
    });
    body.append(...sorted(lines, chosen, order.falls).map((line) => rows.get(line) ?? ""));
  };
  sort();
  const table = tableOf({ kind, caption: name, headings, rows: body, total });
  table.style.setProperty("--columns", String(columns.length - 1));
  return table;
}

/**
 * @template Line
 * @param {Line[]} lines  in the order for equal values
 * @param {Column<Line>} column
 * @param {boolean} falls
 */
function sorted(lines, { of = () => null }, falls) {
  const compare = (/** @type {number|string} */ a, /** @type {number|string} */ b) =>
    typeof a === "string" ? a.localeCompare(String(b)) : a - Number(b);
  return lines
    .map((line) => ({ line, value: of(line) }))
    .sort(({ value: a }, { value: b }) => {
      if (a === null || b === null) return Number(a === null) - Number(b === null);
      return falls ? compare(b, a) : compare(a, b);
    })
    .map(({ line }) => line);
}

/**
 * A button that copies a sorted table as text for spreadsheets: a line per row, with tabs between cells.
 * @param {() => HTMLTableElement|null} tableNow
 */
export function copyButton(tableNow) {
  const button = el("button.button", t("web.copy_as_text"));
  button.addEventListener("click", () => {
    const rows = [...(tableNow()?.rows ?? [])];
    const text = rows.map((row) => [...row.cells].map(textOf).join("\t")).join("\n");
    copyText(text, button, { done: t("web.table_copied"), otherwise: t("web.copying_is_not_allowed_here") });
  });
  return button;
}

/** @param {HTMLTableCellElement} cell */
const textOf = (cell) => {
  const parts = [...cell.childNodes].map((node) => (node.textContent ?? "").replace(/\s+/g, " ").trim());
  return parts.filter(Boolean).join(" · ") + "\t".repeat(cell.colSpan - 1);
};
