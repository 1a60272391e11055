// Hour of the day by day of the week: a table whose cells are coloured by their numbers.

import { el } from "../shared/dom.js";
import { LOCALE, plural } from "../shared/format.js";
import { WHY_NOT } from "../shared/metrics.js";
import { rowOf, spokenCaption, tableOf } from "../shared/tables.js";

/** An hour without a cell. @typedef {{kind: string, words: string}} Absent */
const NO_FOOTAGE = { kind: "gap", words: "no footage" };
const UNANALYSED = { kind: "unanalysed", words: "filmed, not analysed" };
const HOURS = [...Array(24).keys()];
const DAYS = [1, 2, 3, 4, 5, 6, 7];

// 1 January 2024 was a Monday.
const weekday = (/** @type {number} */ day, /** @type {"short"|"long"} */ style) =>
  new Intl.DateTimeFormat(LOCALE, { weekday: style, timeZone: "UTC" }).format(Date.UTC(2024, 0, day));
const hourName = (/** @type {number} */ hour) =>
  new Intl.DateTimeFormat(LOCALE, { hour: "numeric", timeZone: "UTC" }).format(Date.UTC(2024, 0, 1, hour));

/**
 * @param {HTMLElement} area
 * @param {Api.Heatmap} answer
 * @param {Page.Metric} metric
 */
export function showHeatmap(area, answer, metric) {
  const cells = new Map(answer.cells.map((cell) => [cell.weekday * 24 + cell.hour, cell]));
  const waiting = new Set((answer.not_analysed ?? []).map((one) => one.weekday * 24 + one.hour));
  const most = Math.max(0, ...answer.cells.map((cell) => metric.of(cell) ?? 0));
  const headings = HOURS.map((hour) =>
    el(
      "th",
      { scope: "col", title: hourName(hour) },
      el("span", { class: hour % 3 ? "visually-hidden" : null, text: String(hour).padStart(2, "0") }),
    ),
  );
  const rows = DAYS.map((day) =>
    rowOf(
      weekday(day, "short"),
      ...HOURS.map((hour) => {
        const absent = waiting.has(day * 24 + hour) ? UNANALYSED : NO_FOOTAGE;
        return cellElement(cells.get(day * 24 + hour) ?? absent, day, hour, metric, most);
      }),
    ),
  );
  const caption = spokenCaption(`${metric.name} by weekday and hour`);
  area.replaceChildren(
    tableOf({ kind: "heatmap", caption, headings: [el("td"), ...headings], rows }),
    scale(metric, most, waiting.size > 0),
  );
}

/**
 * @param {Api.WeekCell|Absent} cell
 * @param {number} day
 * @param {number} hour
 * @param {Page.Metric} metric
 * @param {number} most
 */
function cellElement(cell, day, hour, metric, most) {
  const when = `${weekday(day, "long")}, ${hourName(hour)}`;
  if ("kind" in cell) {
    return el(
      "td",
      { class: cell.kind, title: `${when}: ${cell.words}` },
      el("span", { class: "visually-hidden", text: cell.words }),
    );
  }
  const value = metric.of(cell);
  const why = value === null && cell.objects_missing ? ` (${WHY_NOT[cell.objects_missing]})` : "";
  const text = metric.format(value) + why;
  const element = el(
    "td",
    { title: `${when}: ${text}, ${plural(cell.frames, "frame")} analysed`, class: value === null ? "unmeasured" : null },
    el("span", { class: "visually-hidden", text }),
  ); // prettier-ignore
  if (value !== null) element.style.setProperty("--heat", String(most ? value / most : 0));
  return element;
}

/**
 * @param {Page.Metric} metric
 * @param {number} most
 * @param {boolean} isWaiting  whether some of it is not analysed
 */
function scale(metric, most, isWaiting) {
  return el(
    "p",
    { class: "heat-scale muted small" },
    el("span", { text: metric.format(0) }),
    el("span", { class: "heat-ramp", "aria-hidden": "true" }),
    el("span", { text: `${metric.format(most)} ${metric.axis}` }),
    ...[NO_FOOTAGE, ...(isWaiting ? [UNANALYSED] : [])].flatMap(({ kind, words }) => [
      el("span", { class: `swatch ${kind}`, "aria-hidden": "true" }),
      el("span", { text: words }),
    ]),
  );
}
