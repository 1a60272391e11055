// How much of each label: bars in a table, so that the picture is its own table.

import { el, refill, swatch } from "../shared/dom.js";
import { number, percent } from "../shared/format.js";
import { allIn } from "../shared/series.js";
import { numberCell, onlyButton, rowOf, sortableTable } from "../shared/tables.js";

/** @type {import("../shared/tables.js").Order} */
const order = { by: "value", falls: true };

const SHOWN = 12;

/**
 * @param {HTMLElement} area
 * @param {Api.Counts} counts
 * @param {Page.Metric} metric
 * @param {Page.ColorOf} colorOf
 * @param {(label: string) => void} onLabel
 */
export function showBreakdown(area, counts, metric, colorOf, onLabel) {
  const found = counts.totals.filter((total) => total.label !== null && metric.of(total) !== 0);
  const most = Math.max(0, ...found.map((total) => metric.of(total) ?? 0));
  const all = allIn(counts, metric);
  const lines = found.slice(0, SHOWN);
  const rowFor = (/** @type {Api.Total} */ total) => {
    const value = metric.of(total);
    const label = total.label ?? "";
    const bar = el("span", { class: "bar", "aria-hidden": "true" });
    bar.style.width = `${most ? (100 * (value ?? 0)) / most : 0}%`;
    bar.style.background = colorOf(label);
    const share = value !== null && all ? percent(value / all) : "";
    return rowOf(
      onlyButton(label, () => onLabel(label), swatch(colorOf(label))),
      el("td", { class: "bar-cell" }, value === null ? null : bar),
      numberCell(metric.format(value)),
      metric.stacks ? numberCell(share, "number muted") : null,
    );
  };
  const columns = [
    { name: "Label", of: (/** @type {Api.Total} */ { label }) => label },
    { name: "" },
    { name: metric.name, id: "value", of: metric.of, isNumber: true },
    ...(metric.stacks ? [{ name: "Share", of: metric.of, isNumber: true }] : []),
  ];
  const left = found.length - lines.length + counts.rest.length;
  refill(
    area,
    lines.length
      ? sortableTable({ name: `${metric.name} by label`, kind: "bars", columns, lines, rowFor, order })
      : el("p", { class: "muted", text: "Nothing was found." }),
    left > 0 ? el("p", { class: "muted small", text: `and ${number(left)} more labels` }) : "",
  );
}
