// What was drawn step by step: undone, and done again.

const MOST = 200;

/** @template T */
export class History {
  /** @param {T} first */
  constructor(first) {
    this.now = first;
    /** @type {T[]} */
    this.past = [];
    /** @type {T[]} */
    this.future = [];
    this.key = "";
  }

  /**
   * A next step. Steps of one key that follow each other, such as a point that is moved by arrow keys, are undone as one.
   * @param {T} next
   * @param {string} [key]
   */
  put(next, key = "") {
    if (next === this.now) return;
    if (!key || key !== this.key) this.past = [...this.past, this.now].slice(-MOST);
    this.future = [];
    this.key = key;
    this.now = next;
  }

  undo() {
    const before = this.past.at(-1);
    if (before === undefined) return;
    this.future.push(this.now);
    this.past = this.past.slice(0, -1);
    this.key = "";
    this.now = before;
  }

  redo() {
    const after = this.future.pop();
    if (after === undefined) return;
    this.past = [...this.past, this.now];
    this.key = "";
    this.now = after;
  }
}
