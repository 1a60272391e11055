// Comparing with another period, source or model: the request, and the pairs that the server answers.

import { METRICS } from "./metrics.js";
import { allKnownIn, gapsOf, nothingOf, notAnalysedOf, rowsOf, spansOf, viewOf } from "./series.js";
import { t } from "./texts.js";

const PERIODS = {
  previous: t("web.the_period_before"),
  day: t("web.a_day_earlier"),
  week: t("web.a_week_earlier"),
};

/**
 * All that the view can be compared with.
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
 * The comparison that the state asks for, if there is (still) such a one.
 * @param {Page.State} state
 * @param {Pick<Page.Answers, "models"|"sources"|"counts">} answers
 */
export function comparisonOf(state, answers) {
  return comparisonsFor(state, answers).find((one) => one.id === state.compare) ?? null;
}

/**
 * The other side along the chart's time: its bars and its holes where they lie beside the chart's own, and its value
 * beside each row; undefined where it has no footage.
 * @param {Page.View} view
 * @param {Api.Counts} counts  the other side's
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
 * What the chart shows of an answer, the other side beside it; null without footage.
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
 * Beside which moment here one of the other period lies; NaN where clocks here never showed it.
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
