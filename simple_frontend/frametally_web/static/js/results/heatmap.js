// Hour of the day by day of the week: a table whose cells are coloured by their numbers.

import { el } from "../shared/dom.js";
import { LOCALE, plural } from "../shared/format.js";
import { brief, WHY_NOT } from "../shared/metrics.js";
import { rowOf, spokenCaption, tableOf } from "../shared/tables.js";

/** An hour without a cell. @typedef {{kind: string, words: string}} Absent */
const NO_FOOTAGE = { kind: "gap", words: "no footage" };
const UNANALYSED = { kind: "unanalysed", words: "filmed, not analysed" };
const UNMEASURED = { kind: "unmeasured", words: "not measured" };
const HOURS = [...Array(24).keys()];
const DAYS = [1, 2, 3, 4, 5, 6, 7];

// 1 January 2024 was a Monday.
// Made once: a formatter takes longer than a cell.
const WEEKDAYS = { short: weekdaysAs("short"), long: weekdaysAs("long") };
const hours = new Intl.DateTimeFormat(LOCALE, { hour: "numeric", timeZone: "UTC" });
const HOUR_NAMES = HOURS.map((hour) => hours.format(Date.UTC(2024, 0, 1, hour)));

/**
 * The names of days 1 (Monday) to 7; nothing stands at 0.
 * @param {"short"|"long"} style
 */
function weekdaysAs(style) {
  const names = new Intl.DateTimeFormat(LOCALE, { weekday: style, timeZone: "UTC" });
  return ["", ...DAYS.map((day) => names.format(Date.UTC(2024, 0, day)))];
}

/**
 * @param {HTMLElement} area
 * @param {Api.Heatmap} answer
 * @param {Page.Metric} metric
 * @param {(hour: {weekday: number, hour: number}) => void} onHour  one was chosen
 */
export function showHeatmap(area, answer, metric, onHour) {
  const cells = new Map(answer.cells.map((cell) => [cell.weekday * 24 + cell.hour, cell]));
  const waiting = new Set((answer.not_analysed ?? []).map((one) => one.weekday * 24 + one.hour));
  const most = Math.max(0, ...answer.cells.map((cell) => metric.of(cell) ?? 0));
  const headings = HOURS.map((hour) =>
    el(
      "th",
      { scope: "col", title: HOUR_NAMES[hour] },
      el("span", { class: hour % 3 ? "visually-hidden" : null, text: String(hour).padStart(2, "0") }),
    ),
  );
  const rows = DAYS.map((day) =>
    rowOf(
      WEEKDAYS.short[day],
      ...HOURS.map((hour) => {
        const absent = waiting.has(day * 24 + hour) ? UNANALYSED : NO_FOOTAGE;
        return cellElement(cells.get(day * 24 + hour) ?? absent, day, hour, metric, most, onHour);
      }),
    ),
  );
  const caption = spokenCaption(`${metric.name} by weekday and hour`);
  const table = tableOf({ kind: "heatmap", caption, headings: [el("td"), ...headings], rows });
  roam(table);
  area.replaceChildren(
    table,
    scale(metric, most, [
      NO_FOOTAGE,
      ...(waiting.size ? [UNANALYSED] : []),
      ...(answer.cells.some((cell) => metric.of(cell) === null) ? [UNMEASURED] : []),
    ]),
  );
}

/**
 * @param {Api.WeekCell|Absent} cell
 * @param {number} day
 * @param {number} hour
 * @param {Page.Metric} metric
 * @param {number} most
 * @param {(hour: {weekday: number, hour: number}) => void} onHour
 */
function cellElement(cell, day, hour, metric, most, onHour) {
  const when = `${WEEKDAYS.long[day]}, ${HOUR_NAMES[hour]}`;
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
  // A button, that the hour can be chosen; one stop of the tab key for all, the arrows go on from it.
  const choose = el("button", {
    type: "button",
    tabindex: "-1",
    class: "heat-cell",
    title: `${when}: ${text}, ${plural(cell.frames, "frame")} analysed. Click for this hour of these days.`,
    "aria-label": `${when}: ${text}`,
    onclick: () => onHour({ weekday: day, hour }),
  }, el("span", { class: "heat-value", "aria-hidden": "true", text: value === null ? "–" : brief(metric, value) })); // prettier-ignore
  const element = el("td", { class: value === null ? "unmeasured" : null }, choose);
  if (value !== null) element.style.setProperty("--heat", String(most ? value / most : 0));
  return element;
}

/**
 * Arrow keys go from hour to hour.
 * @param {HTMLElement} table
 */
function roam(table) {
  const buttons = /** @type {HTMLButtonElement[]} */ ([...table.querySelectorAll(".heat-cell")]);
  if (buttons[0]) buttons[0].tabIndex = 0;
  table.addEventListener("keydown", (event) => {
    const here = buttons.findIndex((one) => one === event.target);
    if (here < 0) return;
    const row = buttons[here].closest("tr");
    const column = buttons[here].closest("td")?.cellIndex;
    const near = (/** @type {number} */ by) => {
      const rows = [...(row?.parentElement?.children ?? [])];
      const other = /** @type {HTMLTableRowElement|undefined} */ (rows[rows.indexOf(row ?? rows[0]) + by]);
      return /** @type {HTMLButtonElement|null|undefined} */ (
        other?.cells[column ?? 0]?.querySelector("button")
      );
    };
    /** @type {Record<string, HTMLButtonElement|null|undefined>} */
    const targets = {
      ArrowRight: buttons[here + 1],
      ArrowLeft: buttons[here - 1],
      ArrowDown: near(1),
      ArrowUp: near(-1),
    };
    const target = targets[event.key];
    if (!target) return;
    buttons[here].tabIndex = -1;
    target.tabIndex = 0;
    target.focus();
    event.preventDefault();
  });
}

/**
 * @param {Page.Metric} metric
 * @param {number} most
 * @param {Absent[]} absent  what cells without a number are
 */
function scale(metric, most, absent) {
  return el(
    "p",
    { class: "heat-scale muted small" },
    el("span", { text: metric.format(0) }),
    el("span", { class: "heat-ramp", "aria-hidden": "true" }),
    el("span", { text: `${metric.format(most)} ${metric.axis}` }),
    ...absent.flatMap(({ kind, words }) => [
      el("span", { class: `swatch ${kind}`, "aria-hidden": "true" }),
      el("span", { text: words }),
    ]),
  );
}
