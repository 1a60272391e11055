// Positions in the time chart: its axes with ticks and titles, and its scales.

import { day, duration, isOneDay, tickParts, zoneName } from "../shared/format.js";
import { joined, LOCALE, t } from "../shared/texts.js";
import { totalIn, valueIn } from "../shared/series.js";
import { msOf, partsOf, plus, startOf } from "../shared/time.js";
import { breaksOf, foldOf } from "./fold.js";
import { axisWords } from "./tooltip.js";
import { intervalIn } from "../shared/checked.js";

const LEAST_PX = 86;

/** @typedef {Exclude<import("../shared/time.js").Unit, "week">} TickUnit */
/** Possible distances between two ticks, by unit. @type {[unit: TickUnit, seconds: number, counts: number[]][]} */
const UNITS = [
  ["second", 1, [1, 5, 15, 30]],
  ["minute", 60, [1, 5, 15, 30]],
  ["hour", 3600, [1, 2, 3, 6, 12]],
  ["day", 86_400, [1, 2, 7, 14]],
  ["month", 2_629_800, [1, 3, 6]],
  ["year", 31_557_600, [1, 5, 20]],
];
const STEPS = UNITS.flatMap(([unit, length, counts]) =>
  counts.map((count) => ({ count, unit, seconds: count * length })),
);

/**
 * @typedef {Object} Ticks
 * @property {number[]} values  ms
 * @property {TickUnit} unit
 */

/**
 * @param {number} from  ms
 * @param {number} to  ms
 * @param {number} widthPx
 * @param {number} interval  seconds; there are no ticks between two bars, because they would have no meaning
 * @param {number} [length]  visible time between the two, in ms
 * @returns {Ticks}
 */
export function ticksFor(from, to, widthPx, interval, length = to - from) {
  const most = Math.max(2, Math.floor(widthPx / LEAST_PX));
  const finest = STEPS.findLast(({ seconds }) => seconds <= interval)?.seconds ?? 1;
  const { count, unit } =
    STEPS.find(({ seconds }) => seconds >= finest && length / 1000 / seconds <= most) ??
    STEPS[STEPS.length - 1];
  /** @type {number[]} */
  const values = [];
  const first = firstTick(from, count, unit);
  for (let step = 0, at = first; at <= to; at = after(first, ++step * count, unit)) {
    if (at >= from && at !== values.at(-1)) values.push(at);
  }
  return { values, unit };
}

/**
 * A number of units after the first tick, on the local clock, even on days when the clocks change.
 * @param {number} first
 * @param {number} count
 * @param {TickUnit} unit
 */
function after(first, count, unit) {
  if (unit === "minute" || unit === "second") return plus(first, { [`${unit}s`]: count });
  const parts = partsOf(first);
  return msOf({ ...parts, [unit]: parts[unit] + count });
}

/**
 * The round moment at or before `from`: a multiple of the step since the next larger unit started.
 * @param {number} from
 * @param {number} count
 * @param {TickUnit} unit
 */
function firstTick(from, count, unit) {
  if (unit === "day") return startOf(from, count === 7 || count === 14 ? "week" : "month");
  if (unit === "month") return startOf(from, "year");
  if (unit === "year")
    return msOf({ year: Math.floor(partsOf(from).year / count) * count, month: 1, day: 1 });
  return startOf(from, unit === "hour" ? "day" : unit === "minute" ? "hour" : "minute");
}

/**
 * The text of a tick; below it the new day or year, if one starts there, so that every date is clear.
 * @param {Ticks} ticks
 * @param {number} position
 * @param {boolean} oneDay  whether the axis title contains the day
 */
export function tickText({ values, unit }, position, oneDay) {
  const here = tickParts(values[position]);
  const before = position > 0 ? tickParts(values[position - 1]) : null;
  const newYear = here.year !== before?.year;
  if (unit === "year") return here.year;
  if (unit === "month") return newYear ? [here.month, here.year] : here.month;
  if (unit === "day") return newYear ? [here.day, here.year] : here.day;
  const time = unit === "second" ? here.seconds : here.time;
  if (oneDay || here.day === before?.day) return time;
  return newYear ? [time, here.date] : [time, here.day];
}

export const FONT = "12px system-ui, sans-serif";
export const LINE_PX = 15;
const TICK_GAP_PX = 8;
const LEAST_TICK_PX = 44;
/** Height below the area: two lines for ticks, one for the axis title. */
const BELOW_PX = 3 * LINE_PX + 16;
const ABOVE_PX = 8;
const LEAST_COUNT = 4;

/**
 * @typedef {Object} Layout
 * @property {number} width
 * @property {number} height
 * @property {{left: number, right: number, top: number, bottom: number}} area
 * @property {(ms: number) => number} x
 * @property {Page.Span[]} breaks  shortened stretches
 * @property {(px: number) => number} ms
 * @property {(value: number) => number} y
 * @property {{at: number, lines: string[]}[]} xTicks  in px
 * @property {{at: number, text: string}[]} yTicks
 * @property {string} xTitle
 * @property {string} yTitle
 */

/**
 * @param {Page.View} view
 * @param {number} width
 * @param {number} height
 * @param {(text: string) => number} widthOf  a text's width in the chart's font
 * @returns {Layout}
 */
export function layoutOf(view, width, height, widthOf) {
  const { from, to, metric, interval } = view;
  const values = valueTicks(mostIn(view), (height - ABOVE_PX - BELOW_PX) / LEAST_TICK_PX, metric);
  const texts = values.map((value) => value.toLocaleString(LOCALE, { maximumSignificantDigits: 6 }));
  const left = LINE_PX + Math.ceil(Math.max(...texts.map(widthOf))) + 2 * TICK_GAP_PX;
  const area = { left, right: width - 6, top: ABOVE_PX, bottom: height - BELOW_PX };
  const breaks = breaksOf(view);
  const fold = foldOf([from, to], view.outside, breaks);
  const x = (/** @type {number} */ ms) => left + fold.share(ms) * (area.right - left);
  const top = values[values.length - 1];
  const y = (/** @type {number} */ value) => area.bottom - (value / top) * (area.bottom - area.top);
  const oneDay = isOneDay(from, to);
  // Each stretch has its own ticks, because years may lie between two of them.
  const each = breaks.length ? fold.stretches : [/** @type {Page.Span} */ ([from, to])];
  const some = each.map(([start, end]) => ticksFor(start, end, area.right - left, interval, fold.length));
  const ticks = unfolded({ ...some[0], values: some.flatMap((one) => one.values) }, fold, x);
  return {
    width,
    height,
    area,
    x,
    breaks,
    ms: (px) => fold.ms((px - left) / (area.right - left)),
    y,
    xTicks: ticks.values.map((ms, position) => ({
      at: x(ms),
      lines: [tickText(ticks, position, oneDay)].flat(),
    })),
    yTicks: values.map((value, position) => ({ at: y(value), text: texts[position] })),
    xTitle: joined([
      oneDay ? `${day(from)}, ${zoneName(from)}` : zoneName(from),
      view.outside.length ? t("web.other_hours_and_days_folded_away") : "",
      breaks.length ? t("web.long_gaps_shortened") : "",
      cutWords(view),
    ]),
    yTitle: axisWords(metric, interval),
  };
}

/**
 * The ticks with room for their labels; where two collide at a fold, the later one stays.
 * @param {Ticks} ticks
 * @param {import("./fold.js").Fold} fold
 * @param {(ms: number) => number} x
 * @returns {Ticks}
 */
function unfolded({ values, unit }, fold, x) {
  const isClock = unit === "hour" || unit === "minute" || unit === "second";
  const here = isClock ? values.filter(fold.has) : values;
  /** @type {number[]} */
  const kept = [];
  for (const ms of here.toReversed()) if (!(x(kept[0]) - x(ms) < LEAST_PX / 2)) kept.unshift(ms);
  return { unit, values: kept };
}

/** The highest value in the chart. @param {Page.View} view */
function mostIn({ rows, series, metric, kind, other }) {
  const isStack = kind === "bars" && metric.stacks;
  const inRow = (/** @type {Page.Row} */ row) => {
    let sum = 0;
    const tops = series.map(({ label }) => {
      const value = valueIn(row, label, metric) ?? 0;
      const top = Math.max(value, intervalIn(row, label, metric)?.high ?? 0);
      sum += value;
      return isStack ? sum - value + top : top;
    });
    return Math.max(isStack ? (totalIn(row, metric) ?? sum) : 0, ...tops);
  };
  const beside = other?.rows.map(({ known }) => known.value ?? 0) ?? [];
  return [...rows.map(inRow), ...beside].reduce((most, value) => Math.max(most, value), 0);
}

/**
 * Round values from 0 to the first one that no value exceeds.
 * @param {number} most
 * @param {number} room  the most values that fit
 * @param {Page.Metric} metric
 */
function valueTicks(most, room, metric) {
  const isWhole = metric.id !== "mean_per_frame";
  const up = isWhole ? Math.max(most, LEAST_COUNT) : most || 1;
  const least = up / Math.max(Math.floor(room), 2);
  const size = 10 ** Math.floor(Math.log10(least));
  const found = [1, 2, 5, 10].map((one) => one * size).find((one) => one >= least * (1 - 1e-9)) ?? 10 * size;
  const step = isWhole ? Math.max(found, 1) : found;
  return [...Array(Math.ceil(up / step - 1e-9) + 1).keys()].map((position) => position * step);
}

/**
 * The axis note about bars at the ends of the range, which are lower because they are incomplete.
 * @param {Page.View} view
 */
export function cutWords({ cut, rows, interval }) {
  if (!cut.length) return "";
  const first = cut.some(([start]) => start === rows[0].start);
  const last = cut.some(([start]) => start === rows[rows.length - 1].start);
  const which =
    first && last && rows.length > 1
      ? t("web.first_and_last_bar")
      : first
        ? t("web.first_bar")
        : t("web.last_bar");
  return t("web.a_part_of_only", { which, interval: duration(interval) });
}
