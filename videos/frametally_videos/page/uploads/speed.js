// How fast an upload is, over its last seconds, and how long the rest will take.

const WINDOW_MS = 6000;
const LEAST_MS = 800;

export class Speed {
  constructor() {
    /** @type {[ms: number, bytes: number][]} */
    this.seen = [];
  }

  /** It stood still, or went back: what was before tells nothing. */
  forget() {
    this.seen = [];
  }

  /** @param {number} now  ms @param {number} bytes  sent so far */
  note(now, bytes) {
    if (bytes < (this.seen.at(-1)?.[1] ?? 0)) this.forget();
    this.seen.push([now, bytes]);
    while (this.seen.length > 2 && now - this.seen[0][0] > WINDOW_MS) this.seen.shift();
  }

  /** Bytes a second; null while it is too early to tell. */
  get rate() {
    const [first, last] = [this.seen[0], this.seen.at(-1)];
    if (!first || !last || last[0] - first[0] < LEAST_MS) return null;
    return ((last[1] - first[1]) * 1000) / (last[0] - first[0]);
  }

  /** Milliseconds until `total` bytes are sent; null while it is too early to tell. @param {number} total */
  left(total) {
    const { rate } = this;
    return rate ? ((total - (this.seen.at(-1)?.[1] ?? 0)) / rate) * 1000 : null;
  }
}
