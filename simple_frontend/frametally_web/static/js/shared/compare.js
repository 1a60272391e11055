// Comparing with another period, source or model: the request, and the answer's pairs.

import { METRICS } from "./metrics.js";
import { allKnownIn, gapsOf, nothingOf, notAnalysedOf, rowsOf, spansOf, viewOf } from "./series.js";
import { t } from "./texts.js";

const PERIODS = {
  previous: t("web.the_period_before"),
  day: t("web.a_day_earlier"),
  week: t("web.a_week_earlier"),
};

/**
 * Everything that the view can be compared with.
 * @param {Page.State} state
 * @param {Pick<Page.Answers, "models"|"sources"|"counts">} answers
 * @returns {Page.Comparison[]}
 */
export function comparisonsFor(state, { models, sources, counts }) {
  const { from_ms: from, to_ms: to, interval_s: interval } = counts;
  if (from === null || to === null || interval === null) return [];
  const range = { from, to };
  const here = { ...state, metric: counts.metric, interval, compare: null, at: null, model: counts.model };
  const same = (/** @type {number} */ ms) => ms;
  const others = sources
    .filter((one) => state.sources.length !== 1 || state.sources[0] !== one.source)
    .filter((one) => !state.zone || one.zones.includes(state.zone));
  return [
    ...counts.comparisons.map((one) => ({
      id: one.compare,
      name: PERIODS[one.compare],
      back: backFrom(one),
      state: { ...here, from: one.from_ms, to: one.to_ms },
    })),
    ...(sources.length > 1 ? others : []).map((one) => ({
      id: `source:${one.source}`,
      name: one.name,
      back: same,
      state: { ...here, ...range, sources: [one.source] },
    })),
    ...models
      .filter((one) => one.model !== counts.model)
      .map((one) => ({
        id: `model:${one.model}`,
        name: one.model,
        back: same,
        state: { ...here, ...range, model: one.model },
      })),
  ];
}

/**
 * The state's comparison, if it (still) exists.
 * @param {Page.State} state
 * @param {Pick<Page.Answers, "models"|"sources"|"counts">} answers
 */
export function comparisonOf(state, answers) {
  return comparisonsFor(state, answers).find((one) => one.id === state.compare) ?? null;
}

/**
 * The compared side on the chart's time axis: its bars and gaps, and its value for each row; undefined without
 * footage.
 * @param {Page.View} view
 * @param {Api.Counts} counts  of the compared side
 * @param {Page.Comparison} comparison
 * @returns {NonNullable<Page.View["other"]>}
 */
export function otherSide({ rows, metric, range, outside }, counts, { name, back }) {
  const others = rowsOf(counts)
    .map((row) => ({ start: back(row.start), end: back(row.end - 1) + 1, known: allKnownIn(row, metric) }))
    .filter(({ start, end }) => start < end)
    .sort((a, b) => a.start - b.start);
  const waiting = [...notAnalysedOf(counts), ...spansOf(nothingOf(counts))]
    .map(([start, end]) => /** @type {Page.Span} */ ([back(start), back(end - 1) + 1]))
    .filter(([start, end]) => start < end);
  let position = 0;
  const values = rows.map(({ start }) => {
    while (position < others.length && others[position].end <= start) position += 1;
    const other = others[position];
    return other && other.start <= start ? other.known : undefined;
  });
  return { name, rows: others, values, gaps: gapsOf(others, [...waiting, ...outside], ...range) };
}

/**
 * The chart's view of an answer, with the compared side; `null` without footage.
 * @param {Page.State} state
 * @param {Pick<Page.Answers, "counts"|"other">} answers
 * @param {Page.ColorOf} colorOf
 */
export function chartView(state, { counts, other }, colorOf) {
  if (!counts.coverage.length) return null;
  const view = viewOf(state, counts, METRICS[counts.metric], colorOf);
  if (other) view.other = otherSide(view, other.counts, other.comparison);
  return view;
}

/**
 * Converts a moment of the other period to this one; NaN if it does not exist on this period's clocks.
 * @param {Api.OtherPeriod} period
 * @returns {(ms: number) => number}
 */
function backFrom({ shifts }) {
  return (ms) => {
    for (const [position, { from_ms: from, earlier_ms: earlier }] of shifts.entries()) {
      if (earlier === null) continue;
      const here = ms + earlier;
      if ((position === 0 || here >= from) && here < (shifts[position + 1]?.from_ms ?? Infinity)) return here;
    }
    return Number.NaN;
  };
}
