// A socket to what is live: frames with their boxes, each acknowledged once it is drawn, and how it stands. After a cut
// it connects again, for as long as it is wanted.

const SHORTEST_MS = 1000;
const LONGEST_MS = 30_000;
/** Whoever is silent for so long is gone: the server says every 5 s how it stands. */
const SILENCE_MS = 15_000;
/** What is watched has ended, may not be watched, or is not there: trying again would change nothing. */
const OVER = [1000, 1008, 4404, 4409];

/**
 * @typedef {Object} Told
 * @property {(header: Page.LiveFrame, jpeg: Blob) => Promise<void>} frame  resolves once it is drawn
 * @property {(told: Page.LiveState) => void} state
 * @property {(againMs: number) => void} cut  it is cut off, and connects again after so long
 * @property {(code: number) => void} over  it was sent away for good
 */

export class LiveSocket {
  /**
   * @param {Record<string, string>} query  `video_id` or `source`
   * @param {Told} on
   */
  constructor(query, on) {
    this.on = on;
    this.address = new URL(`/ws/stream?${new URLSearchParams(query)}`, location.href);
    this.address.protocol = this.address.protocol === "https:" ? "wss:" : "ws:";
    /** @type {WebSocket|null} */
    this.socket = null;
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.timer = undefined;
    this.failures = 0;
    this.ended = new AbortController();
    const { signal } = this.ended;
    document.addEventListener("visibilitychange", () => this.#follow(), { signal });
    addEventListener("online", () => this.#now(), { signal });
    addEventListener("offline", () => this.#lose(), { signal });
    this.#open();
  }

  /** It is wanted no longer. */
  end() {
    this.ended.abort();
    this.#leave();
  }

  #open() {
    clearTimeout(this.timer);
    if (this.socket || document.hidden || this.ended.signal.aborted) return;
    const mine = new WebSocket(this.address);
    mine.binaryType = "arraybuffer";
    this.socket = mine;
    this.#listenForSilence(mine);
    mine.addEventListener("message", ({ data }) => {
      this.#listenForSilence(mine);
      this.failures = 0;
      if (typeof data === "string") this.on.state(JSON.parse(data));
      else this.#draw(mine, data);
    });
    mine.addEventListener("close", ({ code }) => {
      if (this.socket === mine) this.#closed(code);
    });
  }

  /** @param {WebSocket} mine @param {ArrayBuffer} data */
  async #draw(mine, data) {
    const length = new DataView(data).getUint32(0);
    /** @type {Page.LiveFrame} */
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    await this.on.frame(header, new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }));
    if (mine.readyState === WebSocket.OPEN) mine.send(JSON.stringify({ type: "ack", n: header.n }));
  }

  /** @param {number} code */
  #closed(code) {
    this.socket = null;
    clearTimeout(this.timer);
    if (OVER.includes(code)) {
      this.ended.abort();
      return this.on.over(code);
    }
    this.failures += 1;
    const againMs = Math.min(SHORTEST_MS * 2 ** (this.failures - 1), LONGEST_MS);
    this.on.cut(againMs);
    this.timer = setTimeout(() => this.#open(), againMs);
  }

  /** @param {WebSocket} mine */
  #listenForSilence(mine) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#lose(), SILENCE_MS);
    if (mine !== this.socket) clearTimeout(this.timer);
  }

  /** The server cannot be reached, though the connection does not say so. */
  #lose() {
    if (!this.socket) return;
    this.#leave();
    this.#closed(0);
  }

  /** Nobody sees a hidden page: it holds no socket. */
  #follow() {
    if (document.hidden) this.#leave();
    else this.#now();
  }

  #now() {
    this.failures = 0;
    this.#open();
  }

  #leave() {
    clearTimeout(this.timer);
    const old = this.socket;
    this.socket = null;
    old?.close();
  }
}
