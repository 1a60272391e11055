// Turns the API's answer into rows for the chart, the table and the tiles: one per interval with footage.

import { intervalOf } from "./checked.js";
import { labelName, number, percent, roughly } from "./format.js";
import { WHY_NOT, amountOf, knownOf } from "./metrics.js";
import { outsideOf, together } from "./spans.js";
import { t } from "./texts.js";

// Below this share, coverage is partial; a sampler's jitter is above it.
export const PARTIAL = 0.95;

/** @param {Pick<Api.Counts, "coverage"|"buckets"|"bars"|"filmed"|"sources">} counts */
export function rowsOf({ coverage, buckets, bars, filmed: inAll, sources: { length } }) {
  const ofOne = length === 1;
  const sources = ofOne ? 1 : (inAll[0]?.sources ?? 0);
  /** @type {Map<number, Page.Row>} */
  const rows = new Map();
  for (const [position, one] of coverage.entries()) {
    const { start_ms: start, end_ms: end, frames, objects_missing: missing } = one;
    const filmed = { part: one.filmed_part, askedS: one.asked_s, sources };
    rows.set(start, { start, end, frames, ofOne, missing, filmed, all: bars[position], byLabel: new Map() });
  }
  for (const bucket of buckets) {
    const row = rows.get(bucket.start_ms);
    row?.byLabel.set(bucket.label, bucket);
    if (row && !bars.length) row.all = bucket;
  }
  return [...rows.values()].sort((a, b) => a.start - b.start);
}

/** One source's part of an answer by source. @param {Api.Counts} counts @param {string} source */
function ofSource(counts, source) {
  const isHere = (/** @type {{source: string|null}} */ one) => one.source === source;
  const coverage = counts.coverage.filter(isHere);
  return {
    ...counts,
    sources: [source],
    frames: coverage.reduce((sum, one) => sum + one.frames, 0),
    coverage,
    buckets: counts.buckets.filter(isHere),
    bars: counts.bars.filter(isHere),
    filmed: counts.filmed.filter(isHere),
    totals: counts.totals.filter(isHere),
    together: counts.together.filter(isHere),
    not_analysed: (counts.not_analysed ?? []).filter(isHere),
    shows_nothing: counts.shows_nothing.filter(isHere),
    not_within: counts.not_within.filter(isHere),
  };
}

/** Rows and gaps of one source in an answer by source. @param {Api.Counts} counts @param {string} source */
export function partOf(counts, source) {
  const answer = ofSource(counts, source);
  return { answer, rows: rowsOf(answer), notAnalysed: notAnalysedOf(answer), nothing: nothingOf(answer) };
}

/**
 * Gaps in the footage between `from` and `to`.
 * @param {{start: number, end: number}[]} rows
 * @param {Page.Span[]} others  stretches that are not gaps either: not analysed, or not chosen
 * @param {number} from
 * @param {number} to
 */
export function gapsOf(rows, others, from, to) {
  /** @type {Page.Span[]} */
  const gaps = [];
  let covered = from;
  for (const [start, end] of together([...rows.map(spanOf), ...others])) {
    if (start > covered) gaps.push([covered, start]);
    covered = Math.max(covered, end);
  }
  if (to > covered) gaps.push([covered, to]);
  return gaps;
}

/**
 * The columns of the table and the colours of the bars: the most frequent labels, and the rest together.
 * @param {Api.Counts} counts
 * @param {Page.Metric} metric
 * @param {Page.ColorOf} colorOf
 */
export function seriesOf({ labels, rest, totals, sources, frames }, metric, colorOf) {
  const ofLabel = new Map(totals.map((total) => [total.label, total]));
  /** @param {string|null} label @param {string} name @param {string} [title] @returns {Page.Series} */
  const series = (label, name, title) => {
    const total = ofLabel.get(label);
    return {
      name,
      label,
      title,
      color: colorOf(label),
      total: total ? knownOf(metric, total) : UNKNOWN,
      interval: intervalOf(total, metric, sources.length === 1 ? frames : 0),
    };
  };
  const own = labels.map((label) => series(label, labelName(label)));
  if (!rest.length) return own;
  const isOne = rest.length === 1;
  const name = isOne ? labelName(rest[0]) : t("web.other_labels", { count: rest.length });
  return [...own, series(null, name, isOne ? undefined : rest.map(labelName).join(", "))];
}

/**
 * A label's value in a row: 0 if nothing was found.
 * @param {Page.Row} row
 * @param {string|null} label
 * @param {Page.Metric} metric
 */
export const knownIn = (row, label, metric) => knownBy(row, row.byLabel.get(label), metric);

/** The value of all labels in a row. @param {Page.Row} row @param {Page.Metric} metric */
export const allKnownIn = (row, metric) => knownBy(row, row.all, metric);

/** A number of which nothing is known. @type {Page.Known} */
export const UNKNOWN = { value: null, part: null };

/** @param {Page.Row} row @param {Api.CountBucket|undefined} bar @param {Page.Metric} metric @returns {Page.Known} */
function knownBy({ missing, all }, bar, metric) {
  if (bar) return knownOf(metric, bar);
  if (metric.id !== "objects" || !missing) return { value: 0, part: null };
  return { value: null, part: typeof all?.measured_objects === "number" ? 0 : null };
}

/**
 * A label's value, for bars and sorting.
 * @param {Page.Row} row
 * @param {string|null} label
 * @param {Page.Metric} metric
 */
export const valueIn = (row, label, metric) => amountOf(knownIn(row, label, metric));

/** A row's value, for bars and sorting. @param {Page.Row} row @param {Page.Metric} metric */
export const totalIn = (row, metric) => amountOf(allKnownIn(row, metric));

/**
 * Whether a row's total is only partly known: for some labels, sources or time.
 * @param {Page.Row} row
 * @param {Page.Metric} metric
 */
export function isMeasuredInPart(row, metric) {
  const { value, part } = allKnownIn(row, metric);
  return value === null && part !== null;
}

/** Filmed stretches without counts. @param {Pick<Api.Counts, "not_analysed">} counts */
export const notAnalysedOf = ({ not_analysed: bars }) => barsTogether(bars ?? []);

/** @param {{start_ms: number, end_ms: number}[]} bars */
const barsTogether = (bars) => together(bars.map(({ start_ms: start, end_ms: end }) => [start, end]));

/** What is wrong with footage that shows nothing. @type {Record<Api.ShowsNothing["reason"], string>} */
export const NOTHING = { black: t("web.black"), one_colour: t("web.one_colour"), frozen: t("web.frozen") };

/**
 * Stretches in which all footage shows nothing, or is not counted within the zone, each with its reason.
 * @param {Pick<Api.Counts, "shows_nothing"|"not_within"|"coverage">} counts
 * @returns {Page.Nothing[]}
 */
export function nothingOf({ shows_nothing: blank, not_within: outside, coverage }) {
  const shown = new Set(coverage.map((one) => one.start_ms));
  const bars = [
    ...blank.map((one) => ({ ...one, kind: t("web.shows_nothing", { reason: NOTHING[one.reason] }) })),
    ...outside.map((one) => ({ ...one, kind: WHY_NOT[one.missing] })),
  ].filter((one) => !shown.has(one.start_ms));
  const kinds = [...new Set(bars.map((one) => one.kind))];
  return kinds.flatMap((kind) =>
    barsTogether(bars.filter((one) => one.kind === kind)).map((span) => ({ span, kind })),
  );
}

/**
 * Why an answer without coverage does not have a number.
 * @param {Pick<Api.Counts, "not_analysed"|"shows_nothing"|"not_within"|"coverage">} counts
 */
export const absenceOf = (counts) =>
  counts.not_analysed?.length ? t("web.not_analysed") : (nothingOf(counts)[0]?.kind ?? t("web.no_footage"));

/** @param {Page.Nothing[]} nothing */
export const spansOf = (nothing) => nothing.map((one) => one.span);

/** The server's total of all labels. @param {Api.Counts} counts @param {Page.Metric} metric */
export const allIn = ({ together: [all] }, metric) => (all ? knownOf(metric, all) : UNKNOWN);

/** Whether only part of a row was filmed. @param {Page.Row} row */
export const isPartial = ({ filmed: { part } }) => part !== null && part < PARTIAL;

/**
 * "26% of 3 × 30 min": the filmed share of the chosen time, for each source with video.
 * @param {Page.Filmed & {part: number}} filmed
 */
export const shareWords = ({ part, ...base }) =>
  t("web.share_of", { share: percent(part), of: baseWords(base) });

/** "3 × 30 min": the chosen time, for each source with video. @param {Pick<Page.Filmed, "askedS"|"sources">} filmed */
export function baseWords({ askedS, sources }) {
  const asked = roughly(askedS * 1000);
  return sources > 1 ? `${number(sources)} × ${asked}` : asked;
}

/** @param {{start: number, end: number}} bar @returns {Page.Span} */
export const spanOf = ({ start, end }) => [start, end];

/**
 * The view of an answer with footage, for the chart and the table.
 * @param {Page.State} state
 * @param {Api.Counts} counts
 * @param {Page.Metric} metric
 * @param {Page.ColorOf} colorOf
 * @returns {Page.View}
 */
export function viewOf(state, counts, metric, colorOf) {
  const rows = rowsOf(counts);
  const notAnalysed = notAnalysedOf(counts);
  const nothing = nothingOf(counts);
  const from = counts.from_ms ?? rows[0].start;
  const to = counts.to_ms ?? rows[rows.length - 1].end;
  const outside = outsideOf(state, from, to, counts.interval_s ?? 1);
  return {
    rows,
    series: seriesOf(counts, metric, colorOf),
    gaps: gapsOf(rows, [...notAnalysed, ...spansOf(nothing), ...outside], from, to),
    outside,
    notAnalysed,
    nothing,
    leftOut: counts.shows_nothing,
    partial: rows.filter(isPartial).map(spanOf),
    range: [from, to],
    cut: rows
      .filter(({ start, end }) => Math.min(end, to) - Math.max(start, from) < PARTIAL * (end - start))
      .map(spanOf),
    sources: [],
    unmeasured: together(rows.filter((row) => totalIn(row, metric) === null).map(spanOf)),
    measuredInPart: together(rows.filter((row) => isMeasuredInPart(row, metric)).map(spanOf)),
    fileTimes: together((counts.file_times ?? []).map(({ from_ms, to_ms }) => [from_ms, to_ms])),
    overlaps: together((counts.overlaps ?? []).map(({ from_ms, to_ms }) => [from_ms, to_ms])),
    metric,
    interval: counts.interval_s ?? 1,
    from: Math.min(from, rows[0].start),
    to: Math.max(to, rows[rows.length - 1].end),
    at: state.at,
    kind: state.chart,
    other: null,
  };
}
