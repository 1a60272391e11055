// Ranges of time: named ones, and the previous and next range, by the calendar of the time zone.

import { partsOf, plus, startOf } from "../shared/time.js";
import { t } from "../shared/texts.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** @typedef {{from: number, to: number, last?: number|null}} Range  ms; `to` is exclusive; `last`: see `presentEnd` */

/**
 * @typedef {Object} NamedRange
 * @property {string} name
 * @property {(now: number, last: number) => Range} of  last: end of the footage, ms
 */

/**
 * The start of the calendar unit that contains a moment, or of an earlier one.
 * @param {"day"|"week"|"month"} unit
 * @param {number} [before]
 * @returns {NamedRange["of"]}
 */
const calendar =
  (unit, before = 0) =>
  (now) => {
    const by = (/** @type {number} */ count) => plus(startOf(now, unit), { [`${unit}s`]: count });
    return { from: by(-before), to: by(1 - before) };
  };

/** Whole days up to the day on which the footage ends. @param {number} count @returns {NamedRange["of"]} */
const lastDays = (count) => (_now, last) => {
  const to = plus(startOf(last - 1, "day"), { days: 1 });
  return { from: plus(to, { days: -count }), to };
};

/** @type {NamedRange[]} */
const OF_THE_CALENDAR = [
  { name: t("web.today"), of: calendar("day") },
  { name: t("web.yesterday"), of: calendar("day", 1) },
  { name: t("web.this_week"), of: calendar("week") },
  { name: t("web.last_week"), of: calendar("week", 1) },
  { name: t("web.this_month"), of: calendar("month") },
  { name: t("web.last_month"), of: calendar("month", 1) },
];
/** @type {NamedRange[]} */
const OF_THE_FOOTAGE = [
  { name: t("web.last_hour_of_footage"), of: (_, last) => ({ from: last - HOUR_MS, to: last }) },
  { name: t("web.last_day_of_footage"), of: lastDays(1) },
  { name: t("web.last_7_days_of_footage"), of: lastDays(7) },
  { name: t("web.last_30_days_of_footage"), of: lastDays(30) },
];

/**
 * The end of the footage in ms, ignoring dates more than a day in the future; `null` if there is none.
 * @param {Pick<Api.SourceRange, "first_interval_ms"|"next_interval_ms">[]} sources
 * @param {number} now  ms
 */
export function presentEnd(sources, now) {
  const ends = sources
    .filter((one) => one.first_interval_ms <= now + DAY_MS)
    .map((one) => (one.next_interval_ms > now + DAY_MS ? now : one.next_interval_ms));
  return ends.length ? Math.max(...ends) : null;
}

/**
 * The named ranges that contain some of the footage, but not all.
 * @param {Range} data  range of all footage
 * @param {number} now  ms
 */
export function offered(data, now) {
  return [...OF_THE_CALENDAR, ...OF_THE_FOOTAGE]
    .map(({ name, of }) => ({ name, range: of(now, data.last ?? data.to) }))
    .filter(({ range }) => overlaps(range, data) && (range.from > data.from || range.to < data.to));
}

/**
 * The name of a range, for example "Last week"; "" if it does not have one.
 * @param {Range} range
 * @param {number} now  ms
 */
export function nameOf({ from, to }, now) {
  const found = OF_THE_CALENDAR.find(({ of }) => of(now, now).from === from && of(now, now).to === to);
  return found?.name ?? "";
}

/** @param {Range} one @param {Range} other */
export const overlaps = (one, other) => one.from < other.to && one.to > other.from;

/**
 * The previous or next range of the same calendar length: a month for a month, days for days, even if the clocks
 * change.
 * @param {Range} range
 * @param {-1|1} direction
 * @returns {Range}
 */
export function shifted({ from, to }, direction) {
  const by = stepOf(from, to);
  if (direction > 0) return { from: to, to: plus(to, by) };
  const back = Object.fromEntries(Object.entries(by).map(([unit, count]) => [unit, -count]));
  return { from: plus(from, back), to: from };
}

/**
 * The length of a range: in months if they are whole, in days if it starts and ends at the same time of day.
 * @param {number} from
 * @param {number} to
 * @returns {{months: number}|{days: number}|{seconds: number}}
 */
function stepOf(from, to) {
  const [first, end] = [partsOf(from), partsOf(to)];
  const months = 12 * (end.year - first.year) + end.month - first.month;
  if (months > 0 && startOf(from, "month") === from && startOf(to, "month") === to) return { months };
  const days = Math.round((to - from) / DAY_MS);
  if (days > 0 && plus(from, { days }) === to) return { days };
  return { seconds: (to - from) / 1000 };
}
