// Time zones and local time: converts moments to calendar parts and back.

import { LOCALE } from "./texts.js";

/** The browser's time zone. */
export const OWN_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** Time zones of sources by slug; `""` has the one that all share. @type {Record<string, string|null>} */
const sourceZones = JSON.parse(globalThis.document?.body?.dataset.timezones ?? "{}");

/** Sets the time zone of a source. @param {string} source @param {string|null} name */
export function setSourceZone(source, name) {
  sourceZones[source] = name;
}

/** Zones for which the stored counts cannot form bars; as defaults, they are replaced by UTC. @type {Set<string>} */
const givenUp = new Set();

/** @param {string} name */
export const giveUpZone = (name) => givenUp.add(name);

/**
 * The default time zone for some sources: theirs, if they share one.
 * @param {string[]} sources  slugs or names; empty means all
 */
export function usualZoneOf(sources) {
  const slugs = (sources.length ? sources : [""]).map((source) =>
    source.trim().toLowerCase().replace(/\s+/g, "-"),
  );
  const [name, ...others] = new Set(slugs.map((slug) => sourceZones[slug]));
  return name && !others.length && isZone(name) ? name : OWN_ZONE;
}

/** Whether UTC replaces the default zone of a state. @param {Pick<Page.State, "timezone"|"sources">} state */
export const lacksUsualZone = ({ timezone, sources }) =>
  timezone === null && givenUp.has(usualZoneOf(sources));

/** @param {Pick<Page.State, "timezone"|"sources">} state */
export const zoneOf = (state) =>
  state.timezone ?? (lacksUsualZone(state) ? "UTC" : usualZoneOf(state.sources));

/** @param {string|null} name */
export function isZone(name) {
  if (!name) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return !/^[+-]/.test(name);
  } catch {
    return false;
  }
}

/** All zones that this browser knows, UTC first. */
export function zoneNames() {
  const names = Intl.supportedValuesOf?.("timeZone") ?? [];
  return ["UTC", ...names.filter((name) => name !== "UTC")];
}

/** @typedef {"second"|"minute"|"hour"|"day"|"week"|"month"|"year"} Unit */
/**
 * @typedef {Object} Parts
 * @property {number} year
 * @property {number} month  from 1
 * @property {number} day  of the month
 * @property {number} hour
 * @property {number} minute
 * @property {number} second
 * @property {number} weekday  1 is Monday
 */

const DAY_MS = 86_400_000;
/** Weekday names, Monday first. @param {"short"|"long"} weekday */
export const weekdayNames = (weekday) =>
  [1, 2, 3, 4, 5, 6, 7].map((day) =>
    new Intl.DateTimeFormat(LOCALE, { weekday, timeZone: "UTC" }).format(Date.UTC(2024, 0, day)),
  );
export const WEEKDAYS = weekdayNames("short");
/** The last moment that a Date can represent; the first is as far before 1970. */
const LAST_MS = 8.64e15;
/** Units with the same length in every hour. @type {Record<string, number>} */
const EVEN_MS = { second: 1000, minute: 60_000, hour: 3_600_000 };

let zone = OWN_ZONE;
let clock = clockOf(zone);
/**
 * Cached offsets of this zone, because each conversion needs those at the start and end of its day.
 * @type {Map<number, number>}
 */
const offsets = new Map();
const MOST_OFFSETS = 10_000;

/** Sets the time zone for all times. @param {string} name  IANA */
export function useZone(name) {
  if (name === zone) return;
  offsets.clear();
  zone = name;
  clock = clockOf(name);
}

/** The current time zone. */
export const zoneInUse = () => zone;

/** @param {number} ms */
const bounded = (ms) => Math.min(Math.max(ms, -LAST_MS), LAST_MS);

/** @param {string} timeZone */
function clockOf(timeZone) {
  return new Intl.DateTimeFormat("en-u-ca-gregory-nu-latn-hc-h23", {
    timeZone,
    era: "short",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
}

/** Date.UTC maps the years 0 to 99 to 1900 to 1999. @param {number[]} parts  month from 1 */
function utc([year, month, day, hour = 0, minute = 0, second = 0]) {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  return date.getTime();
}

/** How far the clocks are ahead of UTC, in ms; NaN for an invalid moment. @param {number} ms */
function offsetAt(ms) {
  if (Number.isNaN(ms)) return NaN;
  const at = bounded(Math.floor(ms / 1000) * 1000);
  const known = offsets.get(at);
  if (known !== undefined) return known;
  const offset = offsetToldOf(at);
  if (offsets.size >= MOST_OFFSETS) offsets.clear();
  offsets.set(at, offset);
  return offset;
}

/** @param {number} at  ms, whole seconds */
function offsetToldOf(at) {
  /** @type {Record<string, string>} */
  const names = {};
  for (const { type, value } of clock.formatToParts(at)) names[type] = value;
  const year = names.era.startsWith("B") ? 1 - Number(names.year) : Number(names.year);
  const { month, day, hour, minute, second } = names;
  return utc([year, ...[month, day, hour, minute, second].map(Number)]) - at;
}

/**
 * The moment when the clocks show this; a skipped time is moved after the gap, and a repeated one is the first.
 * @param {number} shown  ms, as if the clocks showed UTC
 */
function momentOf(shown) {
  const [before, after] = [shown - DAY_MS, shown + DAY_MS].map(offsetAt);
  const meant = [before, after].find((offset) => offsetAt(shown - offset) === offset) ?? before;
  const ms = shown - meant;
  return bounded(ms) === ms ? ms : NaN;
}

/** The local clock time, as if it were UTC. @param {number} ms */
export const shownAt = (ms) => new Date(bounded(ms + offsetAt(ms)));

/** The calendar parts of a moment. @param {number} ms @returns {Parts} */
export function partsOf(ms) {
  const shown = shownAt(ms);
  return {
    year: shown.getUTCFullYear(),
    month: shown.getUTCMonth() + 1,
    day: shown.getUTCDate(),
    hour: shown.getUTCHours(),
    minute: shown.getUTCMinutes(),
    second: shown.getUTCSeconds(),
    weekday: shown.getUTCDay() || 7,
  };
}

/**
 * The moment of calendar parts. Excess goes into the next unit: day 32 is in the following month.
 * @param {{year: number, month: number, day: number, hour?: number, minute?: number, second?: number}} parts
 * @returns {number}  ms; NaN beyond all dates
 */
export const msOf = ({ year, month, day, hour, minute, second }) =>
  momentOf(utc([year, month, day, hour ?? 0, minute ?? 0, second ?? 0]));

/** The start of the unit that contains a moment; weeks start on Monday. @param {number} ms @param {Unit} unit */
export function startOf(ms, unit) {
  const offset = offsetAt(ms);
  const shown = ms + offset;
  if (unit in EVEN_MS) {
    const begun = Math.floor(shown / EVEN_MS[unit]) * EVEN_MS[unit];
    // In a repeated hour, stay in the same one of the two.
    return offsetAt(begun - offset) === offset ? begun - offset : momentOf(begun);
  }
  const { year, month, day, weekday } = partsOf(ms);
  if (unit === "year") return msOf({ year, month: 1, day: 1 });
  if (unit === "month") return msOf({ year, month, day: 1 });
  return msOf({ year, month, day: unit === "week" ? day - weekday + 1 : day });
}

/**
 * Adds time: days and longer units on the calendar, at the same time of day; hours and shorter as elapsed time.
 * @param {number} ms
 * @param {{years?: number, months?: number, weeks?: number, days?: number, hours?: number, minutes?: number,
 *   seconds?: number}} by
 */
export function plus(
  ms,
  { years = 0, months = 0, weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0 },
) {
  const passing = hours * EVEN_MS.hour + minutes * EVEN_MS.minute + seconds * EVEN_MS.second;
  if (!(years || months || weeks || days)) return ms + passing;
  const shown = new Date(ms + offsetAt(ms));
  const [year, month] = [shown.getUTCFullYear() + years, shown.getUTCMonth() + months];
  const lastDay = new Date(utc([year, month + 2, 0])).getUTCDate();
  shown.setUTCFullYear(year, month, Math.min(shown.getUTCDate(), lastDay) + 7 * weeks + days);
  return momentOf(shown.getTime()) + passing;
}
