// Comparing with another period, source or model: what to ask for, and which bar lies beside which, as the server says.

import { rowsOf, totalIn } from "./series.js";

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
  const others = sources.filter((one) => state.sources.length !== 1 || state.sources[0] !== one.source);
  return [
    ...counts.comparisons.map((one) => ({
      id: one.compare,
      name: one.name,
      shift: shiftTo(one),
      state: { ...here, from: one.from_ms, to: one.to_ms },
    })),
    ...(sources.length > 1 ? others : []).map((one) => ({
      id: `source:${one.source}`,
      name: one.name,
      shift: same,
      state: { ...here, ...range, sources: [one.source] },
    })),
    ...models
      .filter((one) => one.model !== counts.model)
      .map((one) => ({
        id: `model:${one.model}`,
        name: one.model,
        shift: same,
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
 * The other side's values beside the rows; undefined where it has no footage, null where it was not measured.
 * @param {Page.View} view
 * @param {Api.Counts} counts  the other side's
 * @param {Page.Comparison} comparison
 */
export function besides({ rows, metric }, counts, comparison) {
  const others = rowsOf(counts);
  let position = 0;
  return rows.map((row) => {
    const start = comparison.shift(row.start);
    while (position < others.length && others[position].end <= start) position += 1;
    const other = others[position];
    return other && other.start <= start ? totalIn(other, metric) : undefined;
  });
}

/**
 * Where a moment here lies in the other period; NaN where clocks there never showed it.
 * @param {Api.OtherPeriod} period
 * @returns {(ms: number) => number}
 */
function shiftTo({ shifts }) {
  return (ms) => {
    const { earlier_ms: earlier } = shifts.findLast((one) => one.from_ms <= ms) ?? shifts[0];
    return earlier === null ? Number.NaN : ms - earlier;
  };
}
