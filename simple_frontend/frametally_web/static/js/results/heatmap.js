// The busiest times: the busiest intervals, and the hours of the week.

import { byId, el, refill } from "../shared/dom.js";
import { duration, number, percent, span, spanAmong, weekdaySpan } from "../shared/format.js";
import { LOCALE, t } from "../shared/texts.js";
import { WEEKDAYS, weekdayNames } from "../shared/time.js";
import { amountOf, brief, fromStartWords, knownOf, knownWords, METRICS, WHY_NOT } from "../shared/metrics.js";
import { baseWords, shareWords } from "../shared/series.js";
import { askedPart } from "../shared/spans.js";
import { leadingRow, numberCell, rowOf, sortableTable, tableOf, valueCell } from "../shared/tables.js";
import { isAdded, noneOf, whyAbsent } from "./headline.js";

const order = { by: "value", falls: true };

// From this ratio of frame numbers on, bars are not comparable.
const UNEVEN = 2;
// The common lengths among the possible ones: 5 and 15 minutes, an hour, a day.
const LENGTHS_S = [300, 900, 3600, 86_400];

/**
 * @param {HTMLElement} area
 * @param {Pick<Page.Answers, "counts"|"summary">} answers
 * @param {import("./headline.js").Leads} on
 */
export function showBusiest(area, { counts, summary }, on) {
  showLengths(byId("busiest-lengths"), counts, on.change);
  if (!isAdded(summary)) return area.replaceChildren(el("p.muted", whyAbsent(summary)));
  const { busiest, metric: id, from_ms: from, to_ms: to } = summary;
  if (!busiest.length) return area.replaceChildren(el("p.muted", noneOf(summary, counts)));
  const metric = METRICS[id];
  /** @param {Api.BusyInterval} one */
  const rowFor = (one) => {
    const [start, end] = askedPart(one, counts.asked);
    const whole = weekdaySpan(start, end);
    const short = spanAmong(start, end, from ?? start, to ?? end);
    const when = whole.includes(short) ? whole : short; // the accessible name must contain the visible text
    const open = el("button.link", { "aria-label": t("web.show_the_frames_of_time", { when }) }, short);
    const fromStart = fromStartWords(metric, one);
    return leadingRow(
      () => on.bar(one.start_ms),
      fromStart ? [open, el("span.remark", fromStart)] : open,
      valueCell(metric, one.is_least ? { value: null, part: one.value } : one.value),
      numberCell(number(one.frames), "number muted"),
      filmedCell(one, summary.filmed.sources),
    );
  };
  /** @type {import("../shared/tables.js").Column<Api.BusyInterval>[]} */
  const columns = [
    { name: t("web.interval"), of: (one) => one.start_ms },
    {
      name: metric.name,
      id: "value",
      of: (one) => one.value - (one.objects_from_start ?? 0),
      isNumber: true,
    },
    { name: t("web.frames"), of: (one) => one.frames, isNumber: true },
    { name: t("web.filmed_title"), of: (one) => one.filmed_part, isNumber: true },
  ];
  const { sources } = summary.filmed;
  const of = baseWords({ askedS: summary.interval_s ?? 0, sources });
  const rests = [
    from !== null && to !== null ? span(from, to) : "",
    sources ? t("web.filmed_share_of", { of }) : "",
  ];
  const name = t("web.busiest_intervals");
  refill(
    area,
    el("p.muted.small", rests.filter(Boolean).join(" · ")),
    sortableTable({ name, kind: "busiest", columns, lines: busiest, rowFor, order }),
  );
}

/** @param {Api.BusyInterval} interval @param {number} sources */
function filmedCell({ filmed_part: part, asked_s: askedS }, sources) {
  const cell = numberCell(part === null ? "–" : percent(part), "number muted");
  if (part !== null) cell.title = shareWords({ part, askedS, sources });
  return cell;
}

/**
 * Shows the length of the intervals, which is also that of the chart's bars; one click changes it.
 * @param {HTMLElement} area
 * @param {Api.Counts} counts
 * @param {(change: Partial<Page.State>) => void} onChange
 */
function showLengths(area, { interval_s: shown, interval_choices_s: choices }, onChange) {
  const lengths = [...new Set([...LENGTHS_S.filter((one) => choices.includes(one)), shown ?? LENGTHS_S[0]])];
  lengths.sort((a, b) => a - b);
  area.hidden = shown === null || lengths.length < 2;
  const buttons = lengths.map((interval) =>
    el(
      "button",
      { "aria-pressed": String(interval === shown), onclick: () => onChange({ interval }) },
      duration(interval),
    ),
  );
  refill(area, ...buttons);
}

/**
 * Warns if bars have very different numbers of frames, because those with more frames have higher counts.
 * @param {HTMLElement} area
 * @param {Page.Answers["summary"]} summary
 * @param {(change: Partial<Page.State>) => void} onChange
 */
export function showFramesWarning(area, summary, onChange) {
  area.hidden = true;
  if (!isAdded(summary)) return;
  const { frames_per_bar: frames, metric: id } = summary;
  const grows = id === "detections" || id === "peak";
  area.hidden = !(grows && frames && frames.most > UNEVEN * frames.least);
  if (area.hidden || !frames) return;
  area.replaceChildren(
    t("web.bars_rest_on_to_each_where", {
      least: number(frames.least),
      most: t("web.count_frames", { count: frames.most }),
    }),
    el(
      "button.link",
      { onclick: () => onChange({ metric: "mean_per_frame" }) },
      t("web.mean_per_frame_title"),
    ),
    t("web.does_not_depend_on_that"),
  );
}

/** An hour of the week. @typedef {{weekday: number, hour: number}} Hour */
/** An hour without a number. @typedef {{kind: string, words: string}} Absent */
const NO_FOOTAGE = { kind: "gap", words: t("web.no_footage") };
const UNANALYSED = { kind: "unanalysed", words: t("web.filmed_not_analysed") };
const NOTHING = { kind: "nothing", words: t("web.filmed_shows_nothing") };
const UNMEASURED = { kind: "unmeasured", words: t("web.not_measured") };
// Created once, because a formatter costs more than a cell.
const LONG_WEEKDAYS = weekdayNames("long");
const hours = new Intl.DateTimeFormat(LOCALE, { hour: "numeric", timeZone: "UTC" });
const HOUR_NAMES = [...Array(24).keys()].map((hour) => hours.format(Date.UTC(2024, 0, 1, hour)));

/**
 * @param {HTMLElement} area
 * @param {Api.Heatmap} answer
 * @param {Page.Metric} metric
 * @param {(hour: Hour) => void} onHour  called when you choose an hour
 */
export function showHeatmap(area, answer, metric, onHour) {
  const waiting = answer.not_analysed ?? [];
  const leftOut = [...answer.shows_nothing, ...answer.not_within];
  const most = Math.max(0, ...answer.cells.map((cell) => amountOf(knownOf(metric, cell)) ?? 0));
  const headings = HOUR_NAMES.map((title, hour) =>
    el(
      "th",
      { scope: "col", title },
      el("span", { class: hour % 3 ? "visually-hidden" : null }, String(hour).padStart(2, "0")),
    ),
  );
  /** @param {Hour} one */
  const cellAt = (one) => {
    const isIt = (/** @type {Hour} */ other) => other.weekday === one.weekday && other.hour === one.hour;
    const absent = waiting.some(isIt) ? UNANALYSED : leftOut.some(isIt) ? NOTHING : NO_FOOTAGE;
    return cellElement(answer.cells.find(isIt) ?? absent, one, metric, most, onHour);
  };
  const rows = WEEKDAYS.map((name, day) =>
    rowOf(name, ...HOUR_NAMES.map((_, hour) => cellAt({ weekday: day + 1, hour }))),
  );
  const caption = t("web.by_weekday_and_hour", { name: metric.name });
  const table = tableOf({ kind: "heatmap", caption, headings: [el("td"), ...headings], rows });
  roam(table);
  area.replaceChildren(
    table,
    scale(metric, most, [
      NO_FOOTAGE,
      ...(waiting.length ? [UNANALYSED] : []),
      ...(answer.cells.some((cell) => metric.of(cell) === null) ? [UNMEASURED] : []),
    ]),
  );
}

/**
 * @param {Api.WeekCell|Absent} cell
 * @param {Hour} at
 * @param {Page.Metric} metric
 * @param {number} most
 * @param {(hour: Hour) => void} onHour
 */
function cellElement(cell, at, metric, most, onHour) {
  const when = `${LONG_WEEKDAYS[at.weekday - 1]}, ${HOUR_NAMES[at.hour]}`;
  if ("kind" in cell) {
    const { kind, words } = cell;
    return el("td", { class: kind, title: `${when}: ${words}` }, el("span.visually-hidden", words));
  }
  const known = knownOf(metric, cell);
  const value = amountOf(known);
  const why = known.value === null && cell.objects_missing ? ` (${WHY_NOT[cell.objects_missing]})` : "";
  const text = knownWords(metric, known) + why;
  // A button, so that you can choose the hour; the whole table is one tab stop, and the arrow keys move inside it.
  const frames = t("web.count_frames", { count: cell.frames });
  const title = t("web.analysed_click_for_this_hour_of", { when, text, frames });
  const choose = el(
    "button.heat-cell",
    { tabindex: "-1", title, "aria-label": `${when}: ${text}`, onclick: () => onHour(at) },
    el("span.heat-value", { "aria-hidden": "true" }, value === null ? "–" : brief(metric, value)),
  );
  const element = el("td", { class: value === null ? "unmeasured" : null }, choose);
  if (value !== null) element.style.setProperty("--heat", String(most ? value / most : 0));
  return element;
}

/** Lets the arrow keys move between hours. @param {HTMLTableElement} table */
function roam(table) {
  const buttons = /** @type {HTMLButtonElement[]} */ ([...table.querySelectorAll(".heat-cell")]);
  if (buttons[0]) buttons[0].tabIndex = 0;
  table.addEventListener("keydown", (event) => {
    const here = buttons.findIndex((one) => one === event.target);
    const cell = buttons[here]?.closest("td");
    if (!cell) return;
    const near = (/** @type {number} */ by) =>
      table.rows[(cell.closest("tr")?.rowIndex ?? 0) + by]?.cells[cell.cellIndex].querySelector("button");
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
 * @param {Absent[]} absent  for cells without a number
 */
function scale(metric, most, absent) {
  return el(
    "p.heat-scale.row.muted.small",
    el("span", metric.format(0)),
    el("span.heat-ramp", { "aria-hidden": "true" }),
    el("span", `${metric.format(most)} ${metric.axis}`),
    ...absent.flatMap(({ kind, words }) => [
      el(`span.swatch.${kind}`, { "aria-hidden": "true" }),
      el("span", words),
    ]),
  );
}
