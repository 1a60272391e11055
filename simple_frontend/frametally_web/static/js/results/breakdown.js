// How much of each label: bars in a table, so that the picture is its own table.

import { el, swatch } from "../shared/dom.js";
import { number, percent } from "../shared/format.js";
import { allIn } from "../shared/series.js";
import { numberCell, onlyButton, rowOf, tableOf } from "../shared/tables.js";

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
  const rows = found.slice(0, SHOWN).map((total) => {
    const value = metric.of(total);
    const label = total.label ?? "";
    const bar = el("span", { class: "bar", "aria-hidden": "true" });
    bar.style.width = `${most ? (100 * (value ?? 0)) / most : 0}%`;
    bar.style.background = colorOf(label);
    const share = metric.stacks && value !== null && all ? percent(value / all) : "";
    return rowOf(
      onlyButton(label, () => onLabel(label), swatch(colorOf(label))),
      el("td", { class: "bar-cell" }, value === null ? null : bar),
      numberCell(metric.format(value)),
      numberCell(share, "number muted"),
    );
  });
  const headings = ["Label", "Bar", metric.name, "Share"].map((text) => el("th", { scope: "col", text }));
  const left = found.length - rows.length + counts.rest.length;
  area.replaceChildren(
    rows.length
      ? tableOf({ kind: "bars", headKind: "visually-hidden", headings, rows })
      : el("p", { class: "muted", text: "Nothing was found." }),
    left > 0 ? el("p", { class: "muted small", text: `and ${number(left)} more labels` }) : "",
  );
}
