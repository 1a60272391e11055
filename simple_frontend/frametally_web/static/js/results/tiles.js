// The answers above the chart: how much, when most, against the week before, the most at once; each with its day.

import { ApiError } from "../shared/api.js";
import { el } from "../shared/dom.js";
import {
  change,
  difference,
  duration,
  moment,
  number,
  percent,
  plural,
  roughly,
  span,
  weekdaySpan,
} from "../shared/format.js";
import { brief, METRICS, WHY_NOT } from "../shared/metrics.js";

const WEEK_MS = 7 * 86_400_000;
// Less is worth telling: a sampler's jitter is not.
const PARTIAL = 0.95;
// A shift by summer time is no other week.
const SLACK_MS = 7_200_000;

/**
 * @typedef {Object} Leads  where the answers lead
 * @property {(start: number) => void} bar
 * @property {(start: number, image: string) => void} peak
 * @property {(change: Partial<Page.State>) => void} change
 */

/**
 * @param {HTMLElement} area
 * @param {Pick<Page.Answers, "counts"|"summary">} answers
 * @param {Api.SourceRange[]} sources  those that are asked for
 * @param {Page.State} state
 * @param {Leads} on
 */
export function showTiles(area, { counts, summary }, sources, state, on) {
  if (!isAdded(summary)) {
    area.replaceChildren(el("p", { class: "tile absent", role: "status", text: whyAbsent(summary) }));
    return;
  }
  area.replaceChildren(
    totalTile(summary, counts),
    busiestTile(summary, counts, on),
    weekTile(summary, state, on),
    peakTile(summary, counts, sources, on),
  );
}

/**
 * Whether the summary is there.
 * @param {Page.Answers["summary"]} summary
 * @returns {summary is Api.Summary}
 */
export const isAdded = (summary) => summary !== null && !(summary instanceof ApiError);

/**
 * What stands where a summary would, in the server's words where it failed.
 * @param {ApiError|null} fault
 */
export function whyAbsent(fault) {
  if (fault === null) return "Still adding up the totals…";
  const said = `The totals cannot be shown. ${fault.message} ${fault.remedy}`.trim();
  return fault.passes ? `${said} This page keeps trying.` : said;
}

/**
 * Why there is no number where no frame is counted.
 * @param {Api.Counts} counts
 */
export const absentOf = (counts) => (counts.not_analysed?.length ? "not analysed" : "no footage");

/**
 * @param {Api.Summary} summary
 * @param {Api.Counts} counts
 */
function totalTile(summary, counts) {
  const metric = METRICS[summary.metric];
  if (!summary.frames) return tile(metric.name, "–", "words", [absentOf(counts)]);
  const { total } = summary;
  const { value, where } =
    metric.id === "objects" ? objectsOf(summary) : { value: metric.of(total), where: null };
  const missing = value === null && total.objects_missing ? WHY_NOT[total.objects_missing] : null;
  return tile(metric.name, brief(metric, value), value === null ? "words" : "", [
    where,
    missing,
    filmed(summary),
    `${plural(summary.frames, "frame")} analysed`,
  ]);
}

/**
 * How many unique objects there are, and in what that was measured, where it was not in all.
 * @param {Api.Summary} summary
 */
export function objectsOf({ total, objects_measured_in: measured }) {
  const value = total.objects ?? total.measured_objects ?? null;
  if (!measured || value === null) return { value, where: null };
  const part =
    measured.sources < measured.of_sources
      ? `${number(measured.sources)} of ${plural(measured.of_sources, "source")}`
      : "part of the footage";
  return { value, where: `measured in ${part}` };
}

/**
 * "8 min of 1 hr filmed", or "18 min filmed by 3 sources within 5 days": of all sources of which there is film,
 * which alone covers time.
 * @param {Api.Summary} summary
 */
function filmed({ asked_s: asked, filmed_s: seconds, filmed_in: where }) {
  if (seconds === null) return null;
  const pictures = where.of_sources - where.sources;
  const [length, range] = [roughly(seconds * 1000), roughly(asked * 1000)];
  const isPart = seconds < PARTIAL * asked * where.sources;
  // Nobody's range is as long as its sources' ranges are together.
  const film =
    where.sources > 1
      ? `${length} filmed by ${plural(where.sources, "source")}${isPart ? ` within ${range}` : ""}`
      : `${length}${isPart ? ` of ${range}` : ""} filmed`;
  const parts = [
    where.sources ? film : null,
    pictures ? `single pictures of ${plural(pictures, "source")}` : null,
  ];
  return parts.filter((part) => part !== null).join(", ") || null;
}

/**
 * Why there is no busiest interval.
 * @param {Api.Summary} summary
 * @param {Api.Counts} counts
 */
export function noneOf({ frames, total, metric }, counts) {
  if (!frames) return absentOf(counts);
  return METRICS[metric].of(total) === null ? "not measured" : "nothing was found";
}

/**
 * @param {Api.Summary} summary
 * @param {Api.Counts} counts
 * @param {Leads} on
 */
function busiestTile(summary, counts, on) {
  const { busiest, metric: id, interval_s: interval } = summary;
  const [most] = busiest;
  const name = interval ? `Busiest ${duration(interval)}` : "Busiest interval";
  if (!most) return tile(name, "–", "words", [noneOf(summary, counts)]);
  const metric = METRICS[id];
  return tile(name, weekdaySpan(most.start_ms, most.end_ms), "words", [
    `${metric.format(most.value)} ${metric.axis}`,
    lead("show the frames", `of ${span(most.start_ms, most.end_ms)}`, () => on.bar(most.start_ms)),
  ]);
}

/**
 * @param {Api.Summary} summary
 * @param {Page.State} state
 * @param {Leads} on
 */
function weekTile({ week_before: then, from_ms: from, to_ms: to, metric: id }, state, on) {
  if (!then || from === null || to === null)
    return tile("Against the week before", "–", "words", ["no footage then"]);
  const weeks = Math.round((from - then.from_ms) / WEEK_MS);
  const name = weeks > 1 ? `Against ${weeks} weeks before` : "Against the week before";
  const { now_same_hours: now, value_same_hours: before } = then;
  const isSameWeek = to - from <= WEEK_MS + SLACK_MS && state.compare !== "week";
  return tile(name, changeOf(now, before), now === null || before === null ? "words" : "", [
    now === null || before === null ? null : `${METRICS[id].format(now)}, then ${METRICS[id].format(before)}`,
    `same hours filmed: ${percent(then.same_hours)}`,
    el("span", { class: "beyond", text: span(then.from_ms, then.to_ms) }),
    isSameWeek ? lead("compare", "with a week earlier", () => on.change({ compare: "week" })) : null,
  ]);
}

/**
 * @param {number|null} now
 * @param {number|null} before
 */
function changeOf(now, before) {
  if (now === null || before === null) return "not measured";
  return before ? change(now / before - 1) : difference(now);
}

/**
 * @param {Api.Summary} summary
 * @param {Api.Counts} counts
 * @param {Api.SourceRange[]} sources
 * @param {Leads} on
 */
function peakTile({ peak, frames }, counts, sources, on) {
  if (!peak) return tile("Peak at once", "–", "words", [frames ? "nothing was found" : absentOf(counts)]);
  const { start_ms: start, image_path: image, captured_at_ms: at } = peak;
  const source = sources.find((one) => one.source === peak.source)?.name ?? peak.source;
  return tile("Peak at once", number(peak.count), "", [
    peak.label,
    moment(at),
    sources.length > 1 ? el("span", { class: "beyond name", text: source, title: source }) : null,
    image === null ? null : lead("frame", `of ${moment(at)}`, () => on.peak(start, image)),
  ]);
}

/**
 * @param {string} text
 * @param {string} more  for those who hear it alone
 * @param {() => void} onclick
 */
const lead = (text, more, onclick) =>
  el("button", { type: "button", class: "link", text, "aria-label": `${text} ${more}`, onclick });

/**
 * @param {string} name
 * @param {string} value
 * @param {string} kind
 * @param {(Node|string|null)[]} details
 */
function tile(name, value, kind, details) {
  const parts = details.filter((one) => one !== null);
  return el(
    "div",
    { class: "tile" },
    el("span", { class: "tile-name", text: name }),
    el("span", { class: `value ${kind}`, text: value, title: value }),
    el(
      "span",
      { class: "detail muted" },
      ...parts.map((part) => (typeof part === "string" ? el("span", { text: part }) : part)),
    ),
  );
}
