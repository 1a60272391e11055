// Facts in groups: names and values, and tables of what there are several of.

import { el } from "frametally/js/shared/dom.js";
import { visible } from "../library/words.js";

/** @typedef {[name: string, value: string|number|null|undefined]} Fact */

/**
 * @param {string} title
 * @param {Fact[]} facts  those without a value are left out
 * @returns {HTMLElement|null} null: none has one
 */
export function factGroup(title, facts) {
  const known = facts.filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (!known.length) return null;
  return el(
    "section",
    { class: "fact-group" },
    el("h3", { text: title }),
    el("dl", { class: "facts" }, ...known.flatMap(([name, value]) => pair(name, String(value)))),
  );
}

/** What is longer has a line of its own where two facts stand side by side. */
const MOST_CHARS = 40;

/** @param {string} name @param {string} value */
const pair = (name, value) => [
  el("dt", {}, el("bdi", { text: visible(name) })),
  el("dd", value.length > MOST_CHARS ? { class: "long" } : {}, el("bdi", { text: visible(value) })),
];

/**
 * A table with a column for each of several, and a row for each fact that one of them has.
 * @param {string} title
 * @param {string[]} names  of the columns
 * @param {Fact[][]} columns  the same names in each, in the same order
 */
export function factTable(title, names, columns) {
  if (!columns.length) return null;
  const rows = columns[0]
    .map(([name], at) => ({ name, values: columns.map((facts) => facts[at][1]) }))
    .filter(({ values }) => values.some((value) => value !== null && value !== undefined && value !== ""));
  return el(
    "section",
    { class: "fact-group" },
    el("h3", { text: title }),
    el(
      "div",
      { class: "scrolls", tabindex: "0", role: "group", "aria-label": title },
      el(
        "table",
        { class: "fact-table" },
        el("caption", { class: "visually-hidden", text: title }),
        el("thead", {}, el("tr", {}, el("td", {}), ...names.map((text) => el("th", { scope: "col", text })))),
        el(
          "tbody",
          {},
          ...rows.map(({ name, values }) =>
            el(
              "tr",
              {},
              el("th", { scope: "row", text: name }),
              ...values.map((value) => el("td", {}, el("bdi", { text: visible(String(value ?? "–")) }))),
            ),
          ),
        ),
      ),
    ),
  );
}
