// The time axis: it leaves out hours and weekdays that were not chosen, and shortens long gaps between short footage.

import { together } from "../shared/spans.js";

/**
 * @typedef {Object} Fold
 * @property {number} length  of the chosen time, in ms
 * @property {(ms: number) => number} share  position on the axis, 0 to 1; folded time is at the position of its fold
 * @property {(share: number) => number} ms
 * @property {Page.Span[]} stretches  the visible stretches
 * @property {(ms: number) => boolean} has  whether a moment is on the axis at its normal scale
 */

const LEAST_BREAK_MS = 3_600_000;
// Each break takes this share of the visible time.
const BREAK = 0.04;

/**
 * Gaps that are longer than all the footage, which is short compared with them; at least an hour.
 * @param {Pick<Page.View, "rows"|"gaps">} view
 */
export function breaksOf({ rows, gaps }) {
  const filmed = rows.reduce((total, { start, end }) => total + end - start, 0);
  return gaps.filter(([start, end]) => end - start > Math.max(filmed, LEAST_BREAK_MS));
}

/**
 * @param {Page.Span} range
 * @param {Page.Span[]} outside  in order and without overlaps
 * @param {Page.Span[]} [breaks]  gaps within the chosen time
 * @returns {Fold}
 */
export function foldOf([from, to], outside, breaks = []) {
  const isBreak = (/** @type {number} */ ms) => breaks.some(([start, end]) => start <= ms && ms < end);
  const edges = breaks.flat().filter((ms) => from < ms && ms < to);
  /** @type {{start: number, end: number, before: number, width: number}[]} */
  const parts = [];
  let start = from;
  for (const [away, back] of [...together(outside), [to, to]]) {
    for (const end of [...edges.filter((ms) => start < ms && ms < away), away]) {
      if (end > start) parts.push({ start, end, before: 0, width: end - start });
      start = Math.max(start, end);
    }
    start = Math.max(start, back);
  }
  const full = parts.filter((one) => !isBreak(one.start));
  const own = full.reduce((total, one) => total + one.width, 0);
  if (!own) return parts.length ? foldOf([from, to], outside) : foldOf([from, to], []);
  let length = 0;
  for (const part of parts) {
    if (!full.includes(part)) part.width = BREAK * own;
    part.before = length;
    length += part.width;
  }
  const [first] = parts;
  const last = parts[parts.length - 1];
  const share = (/** @type {number} */ ms) => {
    if (ms < from || ms > to) return (ms < from ? ms - from : length + ms - to) / length;
    const part = parts.findLast((one) => one.start <= ms) ?? first;
    const within = Math.max(Math.min(ms, part.end) - part.start, 0) / (part.end - part.start);
    return (part.before + within * part.width) / length;
  };
  return {
    length,
    share,
    ms(at) {
      const passed = at * length;
      const part = parts.findLast((one) => one.before <= passed) ?? first;
      const within = (passed - part.before) / part.width;
      return part === last || within < 1 ? part.start + within * (part.end - part.start) : part.end;
    },
    stretches: full.map((one) => /** @type {Page.Span} */ ([one.start, one.end])),
    has: (ms) => full.some((one) => one.start <= ms && ms < one.end) || ms === last.end,
  };
}
