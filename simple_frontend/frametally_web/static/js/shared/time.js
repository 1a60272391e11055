// Time zones and local time: the name of a moment in a zone, and the moment for a name.

import { LOCALE } from "./texts.js";

/** The time zone that this browser is in. */
export const OWN_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** Time zones of sources, by slug; `""` has the one that all share. @type {Record<string, string|null>} */
const sourceZones = JSON.parse(globalThis.document?.body?.dataset.timezones ?? "{}");

/** The time zone of a source is this one now. @param {string} source @param {string|null} name */
export function setSourceZone(source, name) {
  sourceZones[source] = name;
}

/** Zones whose bars cannot be made of what is stored: where none is chosen, UTC stands for them. @type {Set<string>} */
const givenUp = new Set();

/** @param {string} name */
export const giveUpZone = (name) => givenUp.add(name);

/**
 * The zone in which times of some sources are shown where none is chosen: theirs, where they share one.
 * @param {string[]} sources  by slug or as they are written; none: all
 */
export function usualZoneOf(sources) {
  const slugs = (sources.length ? sources : [""]).map((source) =>
    source.trim().toLowerCase().replace(/\s+/g, "-"),
  );
  const [name, ...others] = new Set(slugs.map((slug) => sourceZones[slug]));
  return name && !others.length && isZone(name) ? name : OWN_ZONE;
}

/** Whether UTC stands for the usual zone of a state. @param {Pick<Page.State, "timezone"|"sources">} state */
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

/** All that this browser knows, UTC first. */
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
/** The first is Monday. @param {"short"|"long"} weekday */
export const weekdayNames = (weekday) =>
  [1, 2, 3, 4, 5, 6, 7].map((day) =>
    new Intl.DateTimeFormat(LOCALE, { weekday, timeZone: "UTC" }).format(Date.UTC(2024, 0, day)),
  );
export const WEEKDAYS = weekdayNames("short");
/** The last moment that a Date can tell; the first lies as far before 1970. */
const LAST_MS = 8.64e15;
/** Units that every hour has alike. @type {Record<string, number>} */
const EVEN_MS = { second: 1000, minute: 60_000, hour: 3_600_000 };

let zone = OWN_ZONE;
let clock = clockOf(zone);
/** What the clocks of this zone told: every name of a moment asks for its day's beginning and end again. @type {Map<number, number>} */
const offsets = new Map();
const MOST_OFFSETS = 10_000;

/** From now on times are of this zone. @param {string} name  IANA */
export function useZone(name) {
  if (name === zone) return;
  offsets.clear();
  zone = name;
  clock = clockOf(name);
}

/** The zone that times are of. */
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

/** Date.UTC takes the years 0 to 99 for 1900 to 1999. @param {number[]} parts  month from 1 */
function utc([year, month, day, hour = 0, minute = 0, second = 0]) {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  return date.getTime();
}

/** How far the clocks are ahead of UTC, in ms; NaN of no moment. @param {number} ms */
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
 * The moment at which the clocks show this; one that they skip lies after the gap, of two it is the first.
 * @param {number} shown  ms, as if the clocks were those of UTC
 */
function momentOf(shown) {
  const [before, after] = [shown - DAY_MS, shown + DAY_MS].map(offsetAt);
  const meant = [before, after].find((offset) => offsetAt(shown - offset) === offset) ?? before;
  const ms = shown - meant;
  return bounded(ms) === ms ? ms : NaN;
}

/** What the clocks show, as if they were those of UTC. @param {number} ms */
export const shownAt = (ms) => new Date(bounded(ms + offsetAt(ms)));

/** What a moment is called. @param {number} ms @returns {Parts} */
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
 * The moment of that name. What is too much for a unit goes into the next: day 32 is of the month after.
 * @param {{year: number, month: number, day: number, hour?: number, minute?: number, second?: number}} parts
 * @returns {number} ms; NaN beyond all dates
 */
export const msOf = ({ year, month, day, hour, minute, second }) =>
  momentOf(utc([year, month, day, hour ?? 0, minute ?? 0, second ?? 0]));

/** Where the unit that holds a moment begins; weeks begin on Monday. @param {number} ms @param {Unit} unit */
export function startOf(ms, unit) {
  const offset = offsetAt(ms);
  const shown = ms + offset;
  if (unit in EVEN_MS) {
    const begun = Math.floor(shown / EVEN_MS[unit]) * EVEN_MS[unit];
    // In an hour that comes twice, the one of the two that it is.
    return offsetAt(begun - offset) === offset ? begun - offset : momentOf(begun);
  }
  const { year, month, day, weekday } = partsOf(ms);
  if (unit === "year") return msOf({ year, month: 1, day: 1 });
  if (unit === "month") return msOf({ year, month, day: 1 });
  return msOf({ year, month, day: unit === "week" ? day - weekday + 1 : day });
}

/**
 * Later, or earlier: days and longer by the calendar, at the same time of the clock; hours and shorter as they pass.
 * @param {number} ms
 * @param {{years?: number, months?: number, weeks?: number, days?: number, hours?: number, minutes?: number, seconds?: number}} by
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
