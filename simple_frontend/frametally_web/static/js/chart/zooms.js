// Zooming: into a range that was drawn, and back out, one step at a time.

const WIDER = 1; // as much again, on each side

/** @typedef {Pick<Page.State, "from"|"to"|"interval">} Range */

export class Zooms {
  /** @param {(range: Range) => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    /** The ranges that were zoomed into, each with the one that it was drawn in. @type {{into: Range, before: Range}[]} */
    this.steps = [];
    /** @type {Range} */
    this.here = { from: null, to: null, interval: null };
    /** @type {Page.Span} */
    this.shown = [0, 0];
    /** @type {Page.Span} */
    this.all = [0, 0];
  }

  /**
   * @param {Page.State} state
   * @param {Api.Counts} counts
   * @param {Api.SourceRange[]} sources  that are chosen
   */
  show({ from, to, interval }, counts, sources) {
    this.here = { from, to, interval };
    this.all = [
      Math.min(...sources.map((one) => one.first_interval_ms)),
      Math.max(...sources.map((one) => one.next_interval_ms)),
    ];
    this.shown = [counts.from_ms ?? this.all[0], counts.to_ms ?? this.all[1]];
  }

  /**
   * @param {number} from  ms
   * @param {number} to
   */
  into(from, to) {
    const into = { from, to, interval: null };
    this.steps.push({ into, before: this.here });
    this.onChange(into);
  }

  /** Back to where the last zoom was drawn; where the range came otherwise, as much again on each side. */
  out() {
    const { from, to } = this.here;
    if (from === null && to === null) return;
    const last = this.steps.pop();
    if (last && last.into.from === from && last.into.to === to) {
      this.onChange(last.before);
      return;
    }
    this.steps = [];
    this.onChange(widened(this.shown, this.all));
  }
}

/**
 * @param {Page.Span} shown
 * @param {Page.Span} all
 * @returns {Range}
 */
function widened([from, to], [first, last]) {
  const more = WIDER * (to - from);
  const isAll = from - more <= first && to + more >= last;
  if (isAll) return { from: null, to: null, interval: null };
  return { from: Math.max(from - more, first), to: Math.min(to + more, last), interval: null };
}
