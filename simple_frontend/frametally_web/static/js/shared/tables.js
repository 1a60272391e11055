// Tables, as all of the page's are built; long ones grow by a button.

import { el } from "./dom.js";
import { number } from "./format.js";

const ROWS_AT_ONCE = 200;

/**
 * @param {Object} parts
 * @param {string} [parts.kind]  its class
 * @param {HTMLElement} [parts.caption]
 * @param {HTMLElement[]} parts.headings
 * @param {string} [parts.headKind]  class of the row of headings
 * @param {HTMLElement[]|HTMLElement} parts.rows  or the body itself
 * @param {HTMLElement} [parts.total]  the last row
 */
export function tableOf({ kind, caption, headings, headKind, rows, total }) {
  return el(
    "table",
    { class: kind },
    caption ?? null,
    el("thead", { class: headKind }, el("tr", {}, ...headings)),
    Array.isArray(rows) ? el("tbody", {}, ...rows) : rows,
    total ? el("tfoot", {}, total) : null,
  );
}

/**
 * A table's name for those who hear it.
 * @param {string} text
 */
export const spokenCaption = (text) => el("caption", { class: "visually-hidden", text });

/**
 * Headings of columns; numbers stand on the right.
 * @param {string[]} names
 * @param {(position: number) => boolean} isNumber
 */
export const headingsOf = (names, isNumber) =>
  names.map((text, position) =>
    text
      ? el("th", { scope: "col", class: isNumber(position) ? "number" : null, title: text, text })
      : el("td"),
  );

/** @param {string|null} text @param {string} [kind] */
export const numberCell = (text, kind = "number") => el("td", { class: kind, text });

/**
 * A row with its heading.
 * @param {Node|string|(Node|null)[]} heading
 * @param {...(Node|null)} cells
 */
export function rowOf(heading, ...cells) {
  const first = Array.isArray(heading) ? heading : [heading];
  return el("tr", {}, el("th", { scope: "row" }, ...first), ...cells);
}

/**
 * A cell of a metric; zeros are grey.
 * @param {Page.Metric} metric
 * @param {number|null} value
 * @param {string} [absent]
 */
export const valueCell = (metric, value, absent = "not measured") =>
  numberCell(value === null ? absent : metric.format(value), value ? "number" : "number zero");

/**
 * A heading that shows its label, or its source, alone.
 * @param {string} name
 * @param {() => void} onclick
 * @param {Node|null} [mark]
 */
export const onlyButton = (name, onclick, mark = null) =>
  el(
    "button",
    { type: "button", class: "link plain", title: `Show only ${name}`, onclick },
    mark,
    el("span", { class: "name", text: name }),
  );

/**
 * A table that can be scrolled by the keyboard.
 * @param {string} name
 * @param {HTMLElement} table
 */
export const scrollable = (name, table) =>
  el("div", { class: "table-area", tabindex: 0, role: "region", "aria-label": name }, table);

/**
 * A body that shows its first rows, and the button for more.
 * @template Line
 * @param {Line[]} lines
 * @param {(line: Line) => HTMLElement} rowFor
 */
export function growing(lines, rowFor) {
  const body = el("tbody");
  const more = el("button", { type: "button", class: "button" });
  let shown = 0;
  const showMore = () => {
    body.append(...lines.slice(shown, shown + ROWS_AT_ONCE).map(rowFor));
    shown = Math.min(shown + ROWS_AT_ONCE, lines.length);
    more.hidden = shown >= lines.length;
    more.textContent = `Show ${number(Math.min(ROWS_AT_ONCE, lines.length - shown))} more of ${number(lines.length)}`;
  };
  more.addEventListener("click", showMore);
  showMore();
  return { body, more };
}
