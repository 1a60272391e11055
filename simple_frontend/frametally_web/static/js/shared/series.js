// Turns the API's answer into rows for the chart, the table and the tiles: one per interval with footage.

import { labelName } from "./format.js";
import { intervalOf } from "./checked.js";
import { amountOf, joined } from "./metrics.js";
import { groupLabels } from "./palette.js";
import { outsideOf, together } from "./spans.js";
import { t } from "./texts.js";

// Less is worth telling: a sampler's jitter is not.
const PARTIAL = 0.95;

/** @param {Pick<Api.Counts, "coverage"|"buckets"|"sources">} counts */
export function rowsOf({ coverage, buckets, sources }) {
  const ofOne = sources.length === 1;
  /** @type {Map<number, Page.Row>} */
  const rows = new Map();
  for (const one of coverage) {
    const { start_ms: start, end_ms: end, frames, objects_missing: missing, covered_s: coveredS } = one;
    rows.set(start, { start, end, frames, ofOne, missing, coveredS, byLabel: new Map() });
  }
  for (const bucket of buckets) rows.get(bucket.start_ms)?.byLabel.set(bucket.label, bucket);
  return [...rows.values()].sort((a, b) => a.start - b.start);
}

/** The part of an answer by source that is of one of them. @param {Api.Counts} counts @param {string} source */
export function ofSource(counts, source) {
  const isHere = (/** @type {{source: string|null}} */ one) => one.source === source;
  const coverage = counts.coverage.filter(isHere);
  return {
    ...counts,
    sources: [source],
    frames: coverage.reduce((sum, one) => sum + one.frames, 0),
    coverage,
    buckets: counts.buckets.filter(isHere),
    totals: counts.totals.filter(isHere),
    together: counts.together.filter(isHere),
    not_analysed: (counts.not_analysed ?? []).filter(isHere),
    shows_nothing: counts.shows_nothing.filter(isHere),
  };
}

/**
 * Stretches without footage between `from` and `to`.
 * @param {{start: number, end: number}[]} rows
 * @param {Page.Span[]} others  that are no holes either: not analysed, not asked for
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
 * The labels of an answer, those with most first; those asked for come in the order of the question.
 * @param {Api.Counts} counts
 * @param {Page.Metric} metric
 */
export function rankedLabels({ labels, totals }, metric) {
  const values = new Map(totals.map((total) => [total.label, amountOf(joined(metric, [total])) ?? 0]));
  return [...labels].sort((a, b) => (values.get(b) ?? 0) - (values.get(a) ?? 0));
}

/**
 * The columns of the table and the colours of the bars: the labels with most, the rest together, of which the answer
 * has some (`label: null`) together already.
 * @param {Api.Counts} counts
 * @param {Page.Metric} metric
 * @param {Page.ColorOf} colorOf
 */
export function seriesOf(counts, metric, colorOf) {
  const totals = new Map(counts.totals.map((total) => [total.label, total]));
  const framesOfOne = counts.sources.length === 1 ? counts.frames : 0;
  /** @param {(string|null)[]} labels */
  const sumsOf = (labels) => {
    const of = labels.flatMap((label) => totals.get(label) ?? []);
    return {
      total: joined(metric, of),
      interval: of.length === 1 ? intervalOf(of[0], metric, framesOfOne) : null,
    };
  };
  const { own, shared } = groupLabels(rankedLabels(counts, metric));
  /** @type {Page.Series[]} */
  const series = own.map((label) => ({
    name: labelName(label),
    labels: [label],
    color: colorOf(label),
    ...sumsOf([label]),
  }));
  const others = [...shared, ...counts.rest];
  if (!others.length) return series;
  /** @type {(string|null)[]} */
  const labels = counts.rest.length ? [...shared, null] : shared;
  const name = t("web.other_labels", { count: others.length });
  return [
    ...series,
    { name, labels, title: others.map(labelName).join(", "), color: colorOf(null), ...sumsOf(labels) },
  ];
}

/**
 * The metric of some labels in one row: 0 where nothing was found.
 * @param {Page.Row} row
 * @param {(string|null)[]} labels
 * @param {Page.Metric} metric
 */
export function knownIn(row, labels, metric) {
  return knownOf(
    row,
    labels.flatMap((label) => row.byLabel.get(label) ?? []),
    metric,
  );
}

/** The metric of all labels in one row. @param {Page.Row} row @param {Page.Metric} metric */
export const allKnownIn = (row, metric) => knownOf(row, [...row.byLabel.values()], metric);

/** @param {Page.Row} row @param {Api.CountBucket[]} buckets @param {Page.Metric} metric @returns {Page.Known} */
function knownOf(row, buckets, metric) {
  const known = joined(metric, buckets);
  if (metric.id !== "objects" || !row.missing) return known;
  const isInPart = [...row.byLabel.values()].some((one) => typeof one.measured_objects === "number");
  return { value: null, part: isInPart ? amountOf(known) : null };
}

/** For bars and sorting. @param {Page.Row} row @param {(string|null)[]} labels @param {Page.Metric} metric */
export const valueIn = (row, labels, metric) => amountOf(knownIn(row, labels, metric));

/** For bars and sorting. @param {Page.Row} row @param {Page.Metric} metric */
export const totalIn = (row, metric) => amountOf(allKnownIn(row, metric));

/**
 * Whether a row's total is known in part only: of some of its labels, its sources or its time.
 * @param {Page.Row} row
 * @param {Page.Metric} metric
 */
export function isMeasuredInPart(row, metric) {
  const { value, part } = allKnownIn(row, metric);
  return value === null && part !== null;
}

/** Stretches that were filmed and are not in the counts. @param {Pick<Api.Counts, "not_analysed">} counts */
export const notAnalysedOf = ({ not_analysed: bars }) =>
  together((bars ?? []).map(({ start_ms: start, end_ms: end }) => [start, end]));

/** What is wrong with a picture that shows nothing. @type {Record<Api.ShowsNothing["reason"], string>} */
export const NOTHING = {
  black: t("web.black"),
  one_colour: t("web.one_colour"),
  frozen: t("web.frozen"),
};

/**
 * Stretches of which all footage shows nothing, each with its reason.
 * @param {Pick<Api.Counts, "shows_nothing"|"coverage">} counts
 * @returns {Page.Nothing[]}
 */
export function nothingOf({ shows_nothing: bars, coverage }) {
  const shown = new Set(coverage.map((one) => one.start_ms));
  const whole = bars.filter((one) => !shown.has(one.start_ms));
  return [...new Set(whole.map((one) => one.reason))].flatMap((reason) =>
    together(
      whole
        .filter((one) => one.reason === reason)
        .map(({ start_ms: start, end_ms: end }) => /** @type {Page.Span} */ ([start, end])),
    ).map((span) => ({ span, kind: t("web.shows_nothing", { reason: NOTHING[reason] }) })),
  );
}

/** @param {Page.Nothing[]} nothing */
export const spansOf = (nothing) => nothing.map((one) => one.span);

/**
 * All labels of an answer together, as the server has added them up.
 * @param {Pick<Api.Counts, "together">} counts
 * @param {Page.Metric} metric
 * @returns {Page.Known}
 */
export const allIn = ({ together: [all] }, metric) =>
  all ? joined(metric, [all]) : { value: null, part: null };

/**
 * How long a row was filmed, in milliseconds, and how much of it could have been; null where that is all of it, or
 * is not known. Single pictures cover no time.
 * @param {Page.Row} row
 * @param {Page.Span} range  that was asked for: bars at its ends reach beyond it
 */
export function partOf({ start, end, coveredS }, [from, to]) {
  const of = Math.min(end, to) - Math.max(start, from);
  const filmed = (coveredS ?? 0) * 1000;
  return filmed > 0 && isPart(filmed, of) ? { filmed, of } : null;
}

/** @param {number} part @param {number} whole */
const isPart = (part, whole) => part < PARTIAL * whole;

/** @param {{start: number, end: number}} bar @returns {Page.Span} */
const spanOf = ({ start, end }) => [start, end];

/**
 * What the chart and the table show of an answer that has footage.
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
    partial: rows.filter((row) => partOf(row, [from, to])).map(spanOf),
    range: [from, to],
    cut: rows
      .filter(({ start, end }) => isPart(Math.min(end, to) - Math.max(start, from), end - start))
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
