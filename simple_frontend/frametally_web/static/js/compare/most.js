// Where both sides differ most: a label in an interval each; each opens the pictures of both sides.

import { el, swatch } from "../shared/dom.js";
import { difference, isOneDay, number, shortSpan, weekdaySpan } from "../shared/format.js";
import { numberCell, rowOf, scrollable, sortableTable } from "../shared/tables.js";
import { openPair } from "./pair.js";

/** @type {import("../shared/tables.js").Order} */
const order = { by: "apart", falls: true };

/**
 * @param {HTMLElement} area
 * @param {Api.Differences} found
 * @param {Page.Metric} metric
 * @param {import("./card.js").Context} context
 */
export function showMost(area, { most, differing, compared, from_ms: from, to_ms: to }, metric, context) {
  const [here, there] = context.sides;
  const hasSources = new Set(most.map(({ source }) => source)).size > 1;
  const isInADay = isOneDay(from ?? 0, to ?? 0);
  /** @param {Api.BarDifference} one */
  const rowFor = (one) => {
    const when = weekdaySpan(one.start_ms, one.end_ms);
    const label = `${when}, ${one.label}: show both pictures`;
    const text = isInADay ? shortSpan(one.start_ms, one.end_ms) : when;
    const row = rowOf(
      el("button", { type: "button", class: "link", text, "aria-label": label }),
      el(
        "td",
        { class: "most-label" },
        swatch(context.colorOf(one.label)),
        el("span", { class: "name", text: one.label }),
        hasSources && one.source
          ? el("span", { class: "muted small name", text: ` ${context.nameOf(one.source)}` })
          : null,
      ),
      numberCell(metric.format(one.value)),
      numberCell(metric.format(one.other_value)),
      numberCell(difference(apart(one)), "number strong"),
    );
    row.className = "leads";
    row.addEventListener("click", () => openPair(most, most.indexOf(one), metric, context));
    return row;
  };
  /** @type {import("../shared/tables.js").Column<Api.BarDifference>[]} */
  const columns = [
    { name: "Interval", of: (one) => one.start_ms },
    { name: "Label", of: (one) => one.label },
    { name: here.name, id: "here", isNumber: true, of: (one) => one.value },
    { name: there.name, id: "there", isNumber: true, of: (one) => one.other_value },
    { name: "Difference", id: "apart", isNumber: true, of: (one) => Math.abs(apart(one)) },
  ];
  const name = "Where they differ most";
  area.replaceChildren(
    el("h4", { text: name }),
    most.length
      ? scrollable(name, sortableTable({ name, kind: "sides most", columns, lines: most, rowFor, order }))
      : el("p", { class: "muted", text: "No bar differs." }),
    el("p", {
      class: "muted small",
      text: `${number(differing)} of ${number(compared)} bars of a label differ. Choose one to see both pictures.`,
    }),
  );
}

/** @param {Api.BarDifference} one */
const apart = ({ value, other_value: other }) => value - other;
