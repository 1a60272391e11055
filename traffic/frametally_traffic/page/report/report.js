// What is told of a traffic report beside its numbers: names of movements, sums over classes.

import { percent } from "frametally/js/shared/format.js";

/** @typedef {Api.Traffic} Report */

/** @type {Record<NonNullable<Api.TrafficMovement["turn"]>, string>} */
export const TURN_SIGNS = { l2: "↙", l: "←", t: "↑", r: "→", r2: "↘", u: "↶" };
/** @type {Record<NonNullable<Api.TrafficMovement["turn"]>, string>} */
export const TURN_WORDS = {
  l2: "sharp left",
  l: "left",
  t: "through",
  r: "right",
  r2: "sharp right",
  u: "U-turn",
};
/** @type {Record<NonNullable<Api.TrafficQuarter["missing"]>, string>} */
const MISSING = {
  no_footage: "no footage",
  not_analysed: "not analysed yet",
  not_measured: "not measured: objects were not followed",
};

/** Shows the columns of all motor vehicles together. */
export const MOTOR = "";

/**
 * Positions of the columns that are shown: one class by its name, or all motor vehicles.
 * @param {Report} report
 * @param {string} shown
 */
export const columnsOf = ({ columns }, shown) =>
  columns.flatMap((column, at) => ((shown === MOTOR ? column.is_motor : column.name === shown) ? [at] : []));

/**
 * A quarter's counts by movement, of some columns; null where nothing is known.
 * @param {Api.TrafficQuarter} quarter
 * @param {number[]} columns
 */
export const countsOf = ({ counts }, columns) =>
  counts && counts.map((byClass) => columns.reduce((sum, column) => sum + byClass[column], 0));

/**
 * Movements of the whole report, in their order.
 * @param {Report} report
 * @param {number[]} columns
 */
export function totalsOf({ quarters, movements }, columns) {
  const totals = movements.map(() => 0);
  for (const quarter of quarters) countsOf(quarter, columns)?.forEach((count, at) => (totals[at] += count));
  return totals;
}

/**
 * Why a quarter cannot stand beside others; null where all of it was seen.
 * @param {Api.TrafficQuarter} quarter
 */
export function lackOf({ missing, is_whole: isWhole, seen_ms: seen }) {
  if (missing) return MISSING[missing];
  return isWhole ? null : `seen ${percent(seen / 900_000)}`;
}

/**
 * The legs that movements come over, each with the positions of its movements.
 * @param {Report} report
 */
export function approachesOf({ legs, movements }) {
  return legs.map(({ name }) => ({
    name,
    movements: movements.flatMap(({ from_leg: from }, at) => (from === name ? [at] : [])),
  }));
}
