// The viewer's choices, and their form in the page's address: a link reproduces the view.

import { METRICS } from "./metrics.js";
import { isZone, usualZoneOf, useZone, zoneOf } from "./time.js";
import { joined, t } from "./texts.js";

/** The part of a state without any filter and with default bars. */
export const EVERYTHING = Object.freeze({
  labels: [],
  sources: [],
  zone: null,
  from: null,
  to: null,
  hours: null,
  weekdays: [],
  interval: null,
  compare: null,
});

/** @type {Readonly<Page.State>} */
export const DEFAULT = Object.freeze({
  ...EVERYTHING,
  metric: null,
  timezone: null,
  model: null,
  at: null,
  frame: null,
  chart: "bars",
  view: "chart",
  boxes: true,
  empty: false,
});

const isMoment = (/** @type {string} */ text) => parseMoment(text) !== null;

/** Whether a value is readable, by its name in an address. @type {Record<string, (text: string) => boolean>} */
const READABLE = {
  metric: (text) => text === "auto" || Object.hasOwn(METRICS, text),
  from: isMoment,
  to: isMoment,
  at: isMoment,
  hours: (text) => text === ALL_DAY || parseHours(text) !== null,
  weekdays: (text) => /^[1-7](,[1-7])*$/.test(text),
  interval: (text) => /^[1-9]\d{0,11}$/.test(text),
  timezone: isZone,
  compare: (text) => /^(previous|day|week|source:.+|model:.+)$/.test(text),
};

/**
 * The parameters of a query string that are not readable, for example `from=abc`.
 * @param {string} search
 * @returns {[name: string, text: string][]}
 */
export function unreadable(search) {
  const query = new URLSearchParams(search);
  return Object.entries(READABLE)
    .filter(([name, isReadable]) => query.get(name) && !isReadable(query.get(name) ?? ""))
    .map(([name]) => [name, query.get(name) ?? ""]);
}

/** The `unreadable` parameters as a sentence; empty if there are none. @param {string} search */
export function unreadWords(search) {
  const parts = unreadable(search).map(([name, text]) => `${name}=${text.slice(0, 80)}`);
  return parts.length ? t("web.this_page_cannot_read", { parts: parts.join(", ") }) : "";
}

/**
 * The state in a query string; `unreadable` parameters keep their defaults.
 * @param {string} search
 * @returns {Page.State}
 */
export function parseState(search) {
  const query = new URLSearchParams(search);
  for (const [name] of unreadable(search)) query.delete(name);
  const metric = query.get("metric") ?? "";
  const sources = unique(query.getAll("source"));
  const timezone = query.get("timezone");
  return {
    labels: unique(query.getAll("label")),
    sources,
    metric: Object.hasOwn(METRICS, metric) ? /** @type {Api.Metric} */ (metric) : null,
    from: parseMoment(query.get("from")),
    to: parseMoment(query.get("to")),
    hours: parseHours(query.get("hours")),
    weekdays: parseWeekdays(query.get("weekdays")),
    interval: Number(query.get("interval")) || null,
    // The default zone stays open, because another source may have another default.
    timezone: timezone && timezone !== usualZoneOf(sources) ? timezone : null,
    model: query.get("model") || null,
    zone: query.get("zone") || null,
    compare: query.get("compare") || null,
    at: parseMoment(query.get("at")),
    frame: query.get("frame") || null,
    chart: query.get("chart") === "lines" ? "lines" : "bars",
    view: query.get("view") === "table" ? "table" : "chart",
    boxes: query.get("boxes") !== "off",
    empty: query.get("empty") === "1",
  };
}

/** Uses the time zone from the page's address. */
export const useAskedZone = () => useZone(zoneOf(parseState(location.search)));

/** A state's query string, without defaults. @param {Page.State} state */
export function formatState(state) {
  const query = new URLSearchParams();
  if (state.model) query.set("model", state.model);
  state.labels.forEach((label) => query.append("label", label));
  state.sources.forEach((source) => query.append("source", source));
  const { zone, metric } = state;
  for (const [name, text] of Object.entries({ zone, metric })) if (text) query.set(name, text);
  for (const [name, ms] of Object.entries({ from: state.from, to: state.to, at: state.at })) {
    if (ms !== null) query.set(name, formatMoment(ms));
  }
  if (state.at !== null && state.frame) query.set("frame", state.frame);
  const { hours, interval, timezone, compare } = state;
  const weekdays = state.weekdays.join(",");
  for (const [name, chosen] of Object.entries({ hours, weekdays, interval, timezone, compare })) {
    if (chosen) query.set(name, String(chosen));
  }
  if (state.chart === "lines") query.set("chart", "lines");
  if (state.view === "table") query.set("view", "table");
  if (!state.boxes) query.set("boxes", "off");
  if (state.empty) query.set("empty", "1");
  // Colons, slashes and commas are readable and need no escaping in a query.
  return String(query).replaceAll("%3A", ":").replaceAll("%2F", "/").replaceAll("%2C", ",");
}

/** The choices that a state can leave to the viewer's browser and to the data. */
const LEFT_OPEN = /** @type {const} */ (["timezone", "metric", "interval", "model"]);

/** @typedef {Partial<Pick<Page.State, "timezone"|"metric"|"interval"|"model">>} Answered  the resolved values */

/**
 * A state's query string with its open choices resolved, so that everyone sees the same numbers. Without any filter,
 * only the time zone depends on the viewer. All chart addresses come from here.
 * @param {Page.State} state
 * @param {Answered} [answered]
 */
export function formatWhole(state, answered = {}) {
  const { timezone, chart, view, boxes, empty } = DEFAULT;
  const isAsked = formatState({ ...state, timezone, chart, view, boxes, empty }) !== "";
  const open = LEFT_OPEN.filter(
    (name) => state[name] === null && answered[name] && (isAsked || name === "timezone"),
  );
  return joined(
    [
      formatState(state),
      ...open.map((name) => `${name}=${encodeURIComponent(answered[name] ?? "").replaceAll("%2F", "/")}`),
    ],
    "&",
  );
}

/**
 * The resolved values of a state's open choices; without counts, only the time zone.
 * @param {Page.State} state
 * @param {Api.Counts} [counts]
 * @returns {Answered}
 */
export const answeredOf = (state, counts) => ({
  timezone: zoneOf(state),
  ...(counts && { metric: counts.metric, interval: counts.interval_s, model: counts.model }),
});

/**
 * The state in an address, with the choices open that were open in the history entry: a reload keeps them open.
 * @param {string} search
 * @param {{open?: string[]}|null} entry
 * @returns {Page.State}
 */
export function parseWhole(search, entry) {
  const open = LEFT_OPEN.filter((name) => entry?.open?.includes(name));
  return { ...parseState(search), ...Object.fromEntries(open.map((name) => [name, null])) };
}

/** What a state's history entry stores for `parseWhole`. @param {Page.State} state */
export const entryOf = (state) => ({ open: LEFT_OPEN.filter((name) => state[name] === null) });

/** Whether the state has no filter. @param {Page.State} state */
export const isUnfiltered = (state) => formatState(state) === formatState({ ...state, ...EVERYTHING });

/**
 * Removes the bar if it is not (or no longer) in the range.
 * @param {Page.State} state
 * @param {Api.Counts} counts
 */
export function withoutStaleBar(state, { from_ms: from, to_ms: to, interval_s: interval }) {
  if (state.at === null || from === null || to === null) return state;
  const isIn = state.at < to && state.at + (interval ?? 0) * 1000 > from;
  return isIn ? state : { ...state, at: null, frame: null };
}

/** @param {string[]} values */
function unique(values) {
  return [...new Set(values.filter((value) => value))];
}

const ALL_DAY = "00:00-24:00";

/** "08:00-09:00"; the whole day is not a choice. @param {string|null} text */
function parseHours(text) {
  const [from, to] = text?.match(/^(([01]\d|2[0-3]):[0-5]\d)-(([01]\d|2[0-3]):[0-5]\d|24:00)$/)
    ? text.split("-")
    : [];
  return from === to || text === ALL_DAY ? null : text;
}

/** @param {string|null} text */
function parseWeekdays(text) {
  const days = [...new Set((text || "1,2,3,4,5,6,7").split(",").map(Number))].sort();
  return days.length === 7 ? [] : days;
}

/** @param {string|null} text */
function parseMoment(text) {
  if (!text) return null;
  const ms = /^-?\d+$/.test(text) ? Number(text) : Date.parse(text);
  return Number.isSafeInteger(ms) && Math.abs(ms) <= 8.64e15 ? ms : null;
}

/** @param {number} ms */
function formatMoment(ms) {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}
