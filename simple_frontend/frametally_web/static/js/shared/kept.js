// Answers that are kept: who asks the same again, or while it is under way, gets what the first one got.

/** @typedef {{body: any, version: string}} Answered */
/** @typedef {{answer: Promise<Answered>, asking: AbortController, waiting: number, version: string|null}} Kept */

// As many as a viewer goes back and forth between; an answer may be large.
const MOST = 60;

export class KeptAnswers {
  /** @param {(url: string, signal: AbortSignal) => Promise<Answered>} ask */
  constructor(ask) {
    this.ask = ask;
    /** @type {Map<string, Kept>} */
    this.kept = new Map();
  }

  /**
   * The answer at `url`. A request ends only when nobody waits for it any more.
   * @param {string} url
   * @param {AbortSignal} [signal]
   */
  async get(url, signal) {
    signal?.throwIfAborted();
    const one = this.kept.get(url) ?? this.#begin(url);
    one.waiting += 1;
    try {
      const { body } = await (signal ? Promise.race([one.answer, aborted(signal)]) : one.answer);
      return body;
    } finally {
      one.waiting -= 1;
      // Who gave up may ask for it again at once, with something else.
      if (!one.waiting && one.version === null) setTimeout(() => this.#giveUp(url, one));
    }
  }

  /** @param {string} url @returns {Kept} */
  #begin(url) {
    const asking = new AbortController();
    /** @type {Kept} */
    const one = { answer: this.ask(url, asking.signal), asking, waiting: 0, version: null };
    this.kept.set(url, one);
    one.answer.then(
      ({ version }) => (one.version = version),
      () => this.#drop(url, one),
    );
    const [oldest] = this.kept.keys();
    if (this.kept.size > MOST) this.kept.delete(oldest);
    return one;
  }

  /** @param {string} url @param {Kept} one */
  #giveUp(url, one) {
    if (one.waiting || one.version !== null) return;
    this.#drop(url, one);
    one.asking.abort();
  }

  /** @param {string} url @param {Kept} one */
  #drop(url, one) {
    if (this.kept.get(url) === one) this.kept.delete(url);
  }

  /**
   * Whether all that is kept, or under way, is known to be of this version of the counts.
   * @param {string} version
   */
  isOf(version) {
    return [...this.kept.values()].every((one) => one.version === version);
  }

  /** The counts may have changed: nothing is kept any more. */
  forget() {
    this.kept.clear();
  }
}

/**
 * @param {AbortSignal} signal
 * @returns {Promise<never>}
 */
const aborted = (signal) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
