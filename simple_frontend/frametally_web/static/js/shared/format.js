// Numbers, durations and times in the page's language and the chosen time zone.

import { LOCALE, t } from "./texts.js";
import { msOf, partsOf, plus, shownAt, startOf, zoneInUse } from "./time.js";

const whole = new Intl.NumberFormat(LOCALE);
// In en-GB a million is "1m", which looks like metres or minutes.
const compact = new Intl.NumberFormat(LOCALE === "en-GB" ? "en" : LOCALE, {
  notation: "compact",
  maximumFractionDigits: 1,
});
const percents = new Intl.NumberFormat(LOCALE, { style: "percent", maximumFractionDigits: 0 });
const changes = new Intl.NumberFormat(LOCALE, {
  style: "percent",
  maximumFractionDigits: 0,
  signDisplay: "exceptZero",
});
const signed = new Intl.NumberFormat(LOCALE, { signDisplay: "exceptZero", maximumFractionDigits: 2 });
const slight = new Intl.NumberFormat(LOCALE, { signDisplay: "exceptZero", maximumSignificantDigits: 2 });
const tenth = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** @param {Intl.DateTimeFormatOptions} options */
function dates(options) {
  const timeZone = zoneInUse();
  const key = timeZone + JSON.stringify(options);
  let format = formats.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat(LOCALE, { timeZone, ...options });
    formats.set(key, format);
  }
  return format;
}

/** 12,345 @param {number} value */
export const number = (value) => whole.format(value);

/** 12,345 up to a million, then 1.2M @param {number} value */
export const bigNumber = (value) => (value < 1_000_000 ? whole.format(value) : compact.format(value));

/**
 * One or two decimals, depending on the size; more if they would all be zero.
 * @param {number|null} value
 */
export function mean(value) {
  if (value === null) return "–";
  if (value > 0 && value < 0.1) return value.toLocaleString(LOCALE, { maximumSignificantDigits: 2 });
  const digits = value < 10 ? 2 : 1;
  return value.toLocaleString(LOCALE, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** 12.3 @param {number} value */
export const tenths = (value) => tenth.format(value);

/** @type {[size: number, unit: string][]} */
const SIZES = [
  [1e12, "TB"],
  [1e9, "GB"],
  [1e6, "MB"],
  [1e3, "kB"],
];

/** 4.2 GB, 130 MB, 12 bytes @param {number} count */
export function bytes(count) {
  const [size, unit] = SIZES.find(([least]) => count >= least) ?? [1, t("web.bytes")];
  const value = count / size;
  const digits = size > 1 && value < 10 ? 1 : 0;
  return `${value.toLocaleString(LOCALE, { maximumFractionDigits: digits })} ${unit}`;
}

/** 23% @param {number} value  1 is 100% */
export const percent = (value) =>
  value > 0 && value < 0.005 ? `<${percents.format(0.01)}` : percents.format(value);

/** +23%, −3% @param {number} value  0 means no change */
export const change = (value) => withMinus(changes.format(value));

/** +1,234, −0.5, +0.000046; rounding errors of a sum become 0 @param {number} value */
export function difference(value) {
  const size = Math.abs(value);
  return withMinus((size < 0.1 && size > 1e-12 ? slight : signed).format(value));
}

/**
 * The locale uses a hyphen, which is shorter than a plus sign and can break a line.
 * @param {string} text
 */
const withMinus = (text) => text.replace("-", "\u2212");

/** @type {Record<string, string>} */
const PLURALS = {
  person: "people",
  sheep: "sheep",
  skis: "skis",
  scissors: "scissors",
  mouse: "mice",
  knife: "knives",
};

/** The names of a model's labels in this language: "car=Auto|Autos;bus=Bus|Busse". @type {Map<string, string[]>} */
const LABEL_NAMES = new Map(
  t("web.label_names")
    .split(";")
    .map((entry) => entry.split("="))
    .map(([label, names = ""]) => [label, names.split("|")]),
);

/** A label's name on the page; addresses, requests and exports use the model's label. @param {string} label */
export const labelName = (label) => LABEL_NAMES.get(label)?.[0] || label;

/**
 * "1 car", "2 buses", "3 people": a label within a sentence. A label without a translation keeps its spelling.
 * @param {string} label
 * @param {number} count
 */
export function pluralOf(label, count) {
  const names = LABEL_NAMES.get(label);
  if (names?.[1]) return count === 1 ? names[0] : names[1];
  if (count === 1 || LOCALE !== "en-GB" || !/^[a-z][a-z ]*$/.test(label)) return label;
  return PLURALS[label] ?? `${label}${/(s|x|z|ch|sh)$/.test(label) ? "es" : "s"}`;
}

/** @type {[seconds: number, unit: string, display: "short"|"long"][]} */
const UNITS = [
  [604_800, "week", "long"],
  [86_400, "day", "long"],
  [3600, "hour", "short"],
  [60, "minute", "short"],
  [1, "second", "short"],
];

/**
 * 90 -> "90 sec", 300 -> "5 min", 86400 -> "1 day": in the largest unit that divides it.
 * @param {number} seconds
 */
export function duration(seconds) {
  const [length, unit, unitDisplay] = UNITS.find(([size]) => seconds % size === 0) ?? UNITS[4];
  return new Intl.NumberFormat(LOCALE, { style: "unit", unit, unitDisplay }).format(seconds / length);
}

/** An approximate duration: "45 sec", "12 min", "3 hr", "5 days". @param {number} ms */
export function roughly(ms) {
  const seconds = Math.max(Math.round(ms / 1000), 0);
  const [length, unit, unitDisplay] = UNITS.slice(1).find(([size]) => seconds >= size) ?? UNITS[4];
  return new Intl.NumberFormat(LOCALE, { style: "unit", unit, unitDisplay, maximumFractionDigits: 0 }).format(
    seconds / length,
  );
}

/** @type {Intl.DateTimeFormatOptions} */
const DAY = { year: "numeric", month: "short", day: "numeric" };
/** @type {Intl.DateTimeFormatOptions} */
const MINUTES = { hour: "2-digit", minute: "2-digit" };
/** @type {Intl.DateTimeFormatOptions} */
const SECONDS = { ...MINUTES, second: "2-digit" };

/** Whether the clocks change on that day, so that an hour may occur twice. @param {number} ms */
function isDayOfChange(ms) {
  const begun = startOf(ms, "day");
  return startOf(plus(begun, { days: 1 }), "day") - begun !== 86_400_000;
}

/**
 * Adds the offset to times on days when the clocks change.
 * @param {...number} moments
 * @returns {Intl.DateTimeFormatOptions}
 */
const offsetOn = (...moments) => (moments.some(isDayOfChange) ? { timeZoneName: "shortOffset" } : {});

/**
 * The shortest format that is exact for these moments.
 * @param {...number} moments
 * @returns {Intl.DateTimeFormatOptions}
 */
function clock(...moments) {
  if (moments.some((ms) => ms % 1000)) return { ...SECONDS, fractionalSecondDigits: 3 };
  return moments.some((ms) => ms % 60_000) ? SECONDS : MINUTES;
}

/** 1 May 2024, 08:00:05 @param {number} ms */
export const moment = (ms) => dates({ ...DAY, ...SECONDS, ...clock(ms), ...offsetOn(ms) }).format(ms);

/** To the minute: 1 May 2024, 08:00 @param {number} ms */
export const toTheMinute = (ms) => dates({ ...DAY, ...MINUTES, ...offsetOn(ms) }).format(ms);

/** 1 May, 08:00; with the year unless it is the current one. @param {number} ms */
export const minuteOfYear = (ms) =>
  partsOf(ms).year === partsOf(Date.now()).year
    ? dates({ month: "short", day: "numeric", ...MINUTES }).format(ms)
    : toTheMinute(ms);

/** 08:00:05 @param {number} ms */
export const timeOfDay = (ms) => dates(SECONDS).format(ms);

/** The start of a current state: only the time if it is today. @param {number} ms */
export const timeSince = (ms) => (isOneDay(ms, Date.now() + 1) ? timeOfDay(ms) : toTheMinute(ms));

/**
 * The time of a frame in a bar: with the day, unless all frames have the same day.
 * @param {number} ms
 * @param {boolean} withDay
 */
export const timeAmong = (ms, withDay) =>
  withDay ? moment(ms) : dates({ ...SECONDS, ...clock(ms), ...offsetOn(ms) }).format(ms);

/** 1 May 2024 @param {number} ms */
export const day = (ms) => dates(DAY).format(ms);

/** A date such as 2024-05-01, formatted like `day`. @param {string} date */
export const dayOf = (date) =>
  new Intl.DateTimeFormat(LOCALE, { ...DAY, timeZone: "UTC" }).format(Date.parse(date));

/** Formats the times and days of a server-rendered page in the page's language. */
export function writeTimes() {
  for (const time of document.querySelectorAll("time"))
    time.textContent = time.dateTime.length > 10 ? moment(Date.parse(time.dateTime)) : dayOf(time.dateTime);
}

/** @param {number} ms */
export const isMidnight = (ms) => startOf(ms, "day") === startOf(ms, "second");

/**
 * A range with these parts of the day. `formatRange` omits offsets, so it is not used if there are any.
 * @param {Intl.DateTimeFormatOptions} days
 * @param {number} fromMs
 * @param {number} toMs  exclusive
 */
function range(days, fromMs, toMs) {
  const times = { ...clock(fromMs, toMs), ...offsetOn(fromMs, toMs - 1) };
  // For times on two days, `formatRange` would write numeric dates: 05/05/2024.
  const hasDays = "day" in days || day(fromMs) === day(toMs);
  if (hasDays && !times.timeZoneName) return dates({ ...days, ...times }).formatRange(fromMs, toMs);
  const until = isOneDay(fromMs, toMs) ? times : { ...days, ...times };
  return `${dates({ ...days, ...times }).format(fromMs)} – ${dates(until).format(toMs)}`;
}

/**
 * 1 May 2024, 08:00 – 08:12, with the day only once if it is the same; whole days as days.
 * @param {number} fromMs
 * @param {number} toMs  exclusive
 */
export function span(fromMs, toMs) {
  if (isMidnight(fromMs) && isMidnight(toMs)) return dates(DAY).formatRange(fromMs, toMs - 1);
  return range(DAY, fromMs, toMs);
}

/**
 * Wed, 1 May 2024, 08:00 – 08:12: with the weekday, if the range is within one day.
 * @param {number} fromMs
 * @param {number} toMs  exclusive
 */
export const weekdaySpan = (fromMs, toMs) =>
  (isOneDay(fromMs, toMs) ? `${dates({ weekday: "short" }).format(fromMs)}, ` : "") + span(fromMs, toMs);

/**
 * 08:00:05 – 08:00:10: without the day, because the reader knows it.
 * @param {number} fromMs
 * @param {number} toMs  exclusive
 */
export function shortSpan(fromMs, toMs) {
  return isOneDay(fromMs, toMs) && !(isMidnight(fromMs) && isMidnight(toMs))
    ? range({}, fromMs, toMs)
    : span(fromMs, toMs);
}

/**
 * "08:00 – 08:15", or "Tue 18 Nov, 17:15 – 17:30": an interval in a range whose day or year the reader knows.
 * @param {number} fromMs
 * @param {number} toMs  exclusive
 * @param {number} firstMs  start of the range
 * @param {number} lastMs  end of the range, exclusive
 */
export function spanAmong(fromMs, toMs, firstMs, lastMs) {
  if (isOneDay(firstMs, lastMs)) return shortSpan(fromMs, toMs);
  /** @type {Intl.DateTimeFormatOptions} */
  const days = { weekday: "short", month: "short", day: "numeric" };
  if (partsOf(firstMs).year !== partsOf(lastMs - 1).year) days.year = "numeric";
  if (isMidnight(fromMs) && isMidnight(toMs)) return dates(days).formatRange(fromMs, toMs - 1);
  return range(days, fromMs, toMs);
}

/** Whether a range is within one day. @param {number} fromMs @param {number} toMs  exclusive */
export const isOneDay = (fromMs, toMs) => day(fromMs) === day(toMs - 1);

/** Europe/Berlin (UTC+02:00), with the offset at that time. @param {number} ms */
export function zoneName(ms) {
  const zone = zoneInUse();
  if (zone === "UTC") return "UTC";
  const parts = dates({ timeZoneName: "longOffset" }).formatToParts(ms);
  const name = parts.find(({ type }) => type === "timeZoneName")?.value.replace("GMT", "UTC") ?? "";
  return `${zone} (${name})`;
}

/** The parts of a tick: its text, and the text below it when a larger unit changes. @param {number} ms */
export const tickParts = (ms) => ({
  seconds: dates(SECONDS).format(ms),
  time: dates(MINUTES).format(ms),
  day: dates({ month: "short", day: "numeric" }).format(ms),
  date: dates(DAY).format(ms),
  month: dates({ month: "short" }).format(ms),
  year: dates({ year: "numeric" }).format(ms),
});

/** Formats a moment for an `<input type="datetime-local">`. @param {number} ms */
export const toInput = (ms) => shownAt(ms).toISOString().split(".")[0].replace(/^\+0*/, "");

/** Reads such an input; `null` if it is empty. @param {string} text */
export function fromInput(text) {
  const [year, month, date, hour, minute, second] = (text.match(/\d+/g) ?? []).map(Number);
  const ms = msOf({ year, month, day: date, hour, minute, second });
  return Number.isNaN(ms) ? null : ms;
}

/** A suffix with the zone of the picture. @param {string|null} zone */
export const within = (zone) => (zone ? t("web.comma_within", { zone }) : "");
