// Numbers, durations and times as people read them. Times are shown in the viewer's zone.

const { DateTime, Settings } = window.luxon ?? {};
if (Settings) Settings.defaultLocale = "en";

const whole = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** 12,345 */
export const number = (value) => whole.format(value);

/** 12,345 up to a million, then 1.2M */
export const bigNumber = (value) => (value < 1_000_000 ? whole.format(value) : compact.format(value));

/** One or two digits after the point, as the size asks for. */
export const mean = (value) => (value === null ? "–" : value.toFixed(value < 10 ? 2 : 1));

/** "1 frame", "2 frames" */
export const plural = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;

const UNITS = [
  [604_800, "week"],
  [86_400, "day"],
  [3600, "h"],
  [60, "min"],
  [1, "s"],
];

/** 90 -> "90 s", 300 -> "5 min", 86400 -> "1 day": in the largest unit that divides it. */
export function duration(seconds) {
  const [length, unit] = UNITS.find(([size]) => seconds % size === 0);
  const count = seconds / length;
  const isWord = unit === "day" || unit === "week";
  return `${number(count)} ${unit}${isWord && count > 1 ? "s" : ""}`;
}

const local = (ms) => DateTime.fromMillis(ms);
const clock = (moment) => (moment.millisecond ? "HH:mm:ss.SSS" : moment.second ? "HH:mm:ss" : "HH:mm");

/** 1 May 2024, 08:00:05 */
export function moment(ms) {
  const at = local(ms);
  return at.toFormat("d LLL yyyy, ") + at.toFormat(at.millisecond ? "HH:mm:ss.SSS" : "HH:mm:ss");
}

/** 08:00:05 */
export const timeOfDay = (ms) => local(ms).toFormat("HH:mm:ss");

/** 1 May 2024 */
export const day = (ms) => local(ms).toFormat("d LLL yyyy");

/** 1 May 2024, 08:00 – 08:12, with the day only once where it is the same. */
export function span(fromMs, toMs) {
  const from = local(fromMs);
  const to = local(toMs);
  const format = clock(from).length > clock(to).length ? clock(from) : clock(to);
  const midnights = format === "HH:mm" && from.hour + from.minute + to.hour + to.minute === 0;
  if (midnights) {
    const last = to.minus({ days: 1 });
    return from.hasSame(last, "day") ? day(fromMs) : `${day(fromMs)} – ${last.toFormat("d LLL yyyy")}`;
  }
  const end = from.hasSame(to, "day") ? to.toFormat(format) : to.toFormat(`d LLL yyyy, ${format}`);
  return `${from.toFormat(`d LLL yyyy, ${format}`)} – ${end}`;
}

/** 08:00:05 – 08:00:10: without the day, where the reader knows it. */
export function shortSpan(fromMs, toMs) {
  const from = local(fromMs);
  const to = local(toMs);
  const format = clock(from).length > clock(to).length ? clock(from) : clock(to);
  return `${from.toFormat(format)} – ${to.toFormat(format)}`;
}

/** Whether a range lies in one day of the viewer's. */
export const isOneDay = (fromMs, toMs) => local(fromMs).hasSame(local(toMs - 1), "day");

/** Europe/Berlin (UTC+02:00) at that time. */
export function zone(ms) {
  const at = local(ms);
  const offset = at.offset === 0 ? "UTC" : `UTC${at.toFormat("ZZ")}`;
  return at.zoneName === "UTC" ? "UTC" : `${at.zoneName} (${offset})`;
}

/** For an `<input type="datetime-local">`. */
export const toInput = (ms) => local(ms).toFormat("yyyy-MM-dd'T'HH:mm:ss");

/** From such an input; null if it is empty. */
export function fromInput(text) {
  const ms = DateTime.fromISO(text).toMillis();
  return Number.isNaN(ms) ? null : ms;
}
