// Stretches of time: their union, and the stretches outside the chosen hours and weekdays.

import { msOf, partsOf } from "./time.js";

const DAY_MIN = 1440;

/**
 * The stretches of a range that were not chosen. Bars of a day contain all its hours; longer ones contain all
 * weekdays.
 * @param {Pick<Page.State, "hours"|"weekdays">} state
 * @param {number} from  ms
 * @param {number} to  ms
 * @param {number} interval  of the bars, in seconds
 */
export function outsideOf({ hours, weekdays }, from, to, interval) {
  const isAllDay = !hours || interval >= 86_400;
  if (interval > 86_400 || (isAllDay && !weekdays.length)) return [];
  const without = isAllDay ? [] : minutesWithout(hours);
  /** @type {Page.Span[]} */
  const outside = [];
  const { year, month, day } = partsOf(from);
  const at = (/** @type {number} */ days, /** @type {number} */ minute) =>
    msOf({ year, month, day: day + days, minute });
  for (let days = 0, start = at(0, 0); start < to; days += 1, start = at(days, 0)) {
    const isChosen = !weekdays.length || weekdays.includes(partsOf(start).weekday);
    for (const [first, end] of isChosen ? without : [[0, DAY_MIN]]) {
      const span = [Math.max(at(days, first), from), Math.min(at(days, end), to)];
      if (span[0] < span[1]) outside.push([span[0], span[1]]);
    }
  }
  return together(outside);
}

/**
 * The chosen part of an interval; all of it if the answer does not say.
 * @param {{start_ms: number, end_ms: number}} interval
 * @param {Api.Counts["asked"]} asked
 * @returns {Page.Span}
 */
export function askedPart({ start_ms: start, end_ms: end }, asked) {
  const parts = (asked ?? []).filter((one) => one.from_ms < end && one.to_ms > start);
  if (!parts.length) return [start, end];
  return [Math.max(start, parts[0].from_ms), Math.min(end, parts[parts.length - 1].to_ms)];
}

/**
 * "08:00-09:00" leaves the rest of the day; "22:00-06:00" leaves the time between.
 * @param {string} hours
 * @returns {[first: number, end: number][]}  minutes of the day
 */
function minutesWithout(hours) {
  const [from, to] = hours.split("-").map((time) => {
    const [hour, minute] = time.split(":").map(Number);
    return hour * 60 + minute;
  });
  return from < to
    ? [
        [0, from],
        [to, DAY_MIN],
      ]
    : [[to, from]];
}

/** Joins spans that touch or overlap. @param {Page.Span[]} spans */
export function together(spans) {
  /** @type {Page.Span[]} */
  const merged = [];
  for (const [start, end] of [...spans].sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else merged.push([start, end]);
  }
  return merged;
}
