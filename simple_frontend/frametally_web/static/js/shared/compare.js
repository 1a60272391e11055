// Comparing with another period, source or model: what to ask for, and which bar lies beside which.

import { rowsOf, totalIn } from "./series.js";
import { plus } from "./time.js";

const DAY_S = 86_400;
const DAY_MS = 86_400_000;

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
  const here = { ...state, interval, compare: null, at: null, model: counts.model };
  /**
   * @param {string} id
   * @param {string} name
   * @param {(ms: number) => number} shift
   */
  const period = (id, name, shift) => ({
    id,
    name,
    shift,
    state: { ...here, from: shift(range.from), to: shift(range.to) },
  });
  const same = (/** @type {number} */ ms) => ms;
  const others = sources.filter((one) => state.sources.length !== 1 || state.sources[0] !== one.source);
  return [
    period("previous", "the period before", earlier(range, interval)),
    ...(to - from <= DAY_MS * 1.05 ? [period("day", "a day earlier", daysEarlier(1))] : []),
    ...(to - from <= 7.1 * DAY_MS ? [period("week", "a week earlier", daysEarlier(7))] : []),
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
 * Days, on the same clock: summer time may lie between.
 * @param {number} days
 * @returns {(ms: number) => number}
 */
function daysEarlier(days) {
  return (ms) => plus(ms, { days: -days });
}

/**
 * As long a period, right before; in whole bars, so that bars lie beside bars.
 * @param {{from: number, to: number}} range
 * @param {number} interval  seconds
 */
function earlier({ from, to }, interval) {
  if (interval % DAY_S === 0) {
    const days = Math.ceil((to - from) / (interval * 1000) - 0.05) * (interval / DAY_S);
    return daysEarlier(days);
  }
  const bars = Math.ceil((to - from) / (interval * 1000));
  return (/** @type {number} */ ms) => ms - bars * interval * 1000;
}
