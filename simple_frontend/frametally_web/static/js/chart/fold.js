// The axis of time without the hours and weekdays that were not chosen: they take no room.

/**
 * @typedef {Object} Fold
 * @property {number} length  of what was asked for, ms
 * @property {(ms: number) => number} share  of the width; what is folded away is the place of its fold
 * @property {(share: number) => number} ms
 * @property {(ms: number) => boolean} has  whether a moment was asked for
 */

/**
 * @param {Page.Span} range
 * @param {Page.Span[]} outside  in order, and apart from each other
 * @returns {Fold}
 */
export function foldOf([from, to], outside) {
  /** @type {{start: number, end: number, before: number}[]} */
  const parts = [];
  let start = from;
  let length = 0;
  for (const [away, back] of [...outside, [to, to]]) {
    if (away > start) {
      parts.push({ start, end: away, before: length });
      length += away - start;
    }
    start = Math.max(start, back);
  }
  if (!length) return foldOf([from, to], []);
  const [first] = parts;
  const last = parts[parts.length - 1];
  const share = (/** @type {number} */ ms) => {
    if (ms < from || ms > to) return (ms < from ? ms - from : length + ms - to) / length;
    const part = parts.findLast((one) => one.start <= ms) ?? first;
    return (part.before + Math.max(Math.min(ms, part.end) - part.start, 0)) / length;
  };
  return {
    length,
    share,
    ms(at) {
      const passed = at * length;
      const part = parts.findLast((one) => one.before <= passed) ?? first;
      return part === last || passed < part.before + part.end - part.start
        ? part.start + passed - part.before
        : part.end;
    },
    has: (ms) => parts.some((one) => one.start <= ms && ms < one.end) || ms === last.end,
  };
}
