// Where the ticks of the time axis stand: at round moments of local time, as many as there is room for.

import { tickParts } from "../shared/format.js";
import { msOf, partsOf, plus, startOf } from "../shared/time.js";

const LEAST_PX = 86;

/** @typedef {Exclude<import("../shared/time.js").Unit, "week">} TickUnit */
/** @type {[count: number, unit: TickUnit, seconds: number][]} */
const STEPS = [
  [1, "second", 1],
  [5, "second", 5],
  [15, "second", 15],
  [30, "second", 30],
  [1, "minute", 60],
  [5, "minute", 300],
  [15, "minute", 900],
  [30, "minute", 1800],
  [1, "hour", 3600],
  [2, "hour", 7200],
  [3, "hour", 10_800],
  [6, "hour", 21_600],
  [12, "hour", 43_200],
  [1, "day", 86_400],
  [2, "day", 172_800],
  [7, "day", 604_800],
  [14, "day", 1_209_600],
  [1, "month", 2_629_800],
  [3, "month", 7_889_400],
  [6, "month", 15_778_800],
  [1, "year", 31_557_600],
  [5, "year", 157_788_000],
  [20, "year", 631_152_000],
];

/**
 * @typedef {Object} Ticks
 * @property {number[]} values  ms
 * @property {TickUnit} unit
 */

/**
 * @param {number} from  ms
 * @param {number} to  ms
 * @param {number} widthPx
 * @param {number} interval  seconds: no tick between two bars, they would say nothing
 * @returns {Ticks}
 */
export function ticksFor(from, to, widthPx, interval) {
  const most = Math.max(2, Math.floor(widthPx / LEAST_PX));
  const finest = STEPS.findLast(([, , seconds]) => seconds <= interval)?.[2] ?? 1;
  const [count, unit] =
    STEPS.find(([, , seconds]) => seconds >= finest && (to - from) / 1000 / seconds <= most) ??
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
 * So many units after the first tick, by the clock: on the days on which it changes too.
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
 * The round moment at or before `from`: a multiple of the step since the unit above it began.
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
 * What stands at a tick: below it the day, or the year, where a new one begins, so that no date is left to guess.
 * @param {Ticks} ticks
 * @param {number} position
 * @param {boolean} oneDay  the axis has its day in the title
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
