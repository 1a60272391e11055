// A WebSocket that is kept open while the page is visible: it reconnects after an interruption, later each
// time.

const SHORTEST_MS = 1000;
const LONGEST_MS = 30_000;

/** How long to wait before the next try. @param {number} failures  tries in a row that came to nothing */
export const backoff = (failures) => Math.min(SHORTEST_MS * 2 ** Math.max(failures - 1, 0), LONGEST_MS);

/**
 * @typedef {Object} SocketListener
 * @property {(data: any, socket: WebSocket) => void} message
 * @property {(againMs: number) => void} [cut]  it is cut off, and connects again after so long
 * @property {(code: number) => void} [over]  it was sent away for good
 */

export class HeldSocket {
  /**
   * @param {string} path
   * @param {{silenceMs: number, final: number[]}} limits  after so long a silence the server is gone; codes after
   *   which trying again would change nothing
   * @param {SocketListener} on
   */
  constructor(path, { silenceMs, final }, on) {
    this.address = new URL(path, location.href);
    this.address.protocol = this.address.protocol === "https:" ? "wss:" : "ws:";
    this.silenceMs = silenceMs;
    this.final = final;
    this.on = on;
    /** @type {WebSocket|null} */
    this.socket = null;
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.timer = undefined;
    this.failures = 0;
    this.ended = new AbortController();
    const { signal } = this.ended;
    // Nobody sees a hidden page: it holds no socket.
    const follow = () => (document.hidden ? this.#leave() : this.#now());
    document.addEventListener("visibilitychange", follow, { signal });
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
    if (this.socket || document.hidden || this.ended.signal.aborted) return;
    clearTimeout(this.timer);
    const mine = new WebSocket(this.address);
    mine.binaryType = "arraybuffer";
    this.socket = mine;
    this.#listenForSilence(mine);
    mine.addEventListener("message", ({ data }) => {
      this.#listenForSilence(mine);
      this.failures = 0;
      this.on.message(data, mine);
    });
    mine.addEventListener("close", ({ code }) => {
      if (this.socket === mine) this.#closed(code);
    });
  }

  /** @param {number} code */
  #closed(code) {
    this.socket = null;
    clearTimeout(this.timer);
    if (this.final.includes(code)) {
      this.ended.abort();
      return this.on.over?.(code);
    }
    this.failures += 1;
    const againMs = backoff(this.failures);
    this.on.cut?.(againMs);
    this.timer = setTimeout(() => this.#open(), againMs);
  }

  /** @param {WebSocket} mine */
  #listenForSilence(mine) {
    if (mine !== this.socket) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#lose(), this.silenceMs);
  }

  /** The server cannot be reached, though the connection does not say so. */
  #lose() {
    if (!this.socket) return;
    this.#leave();
    this.#closed(0);
  }

  #now() {
    this.failures = 0;
    this.#open();
  }

  #leave() {
    clearTimeout(this.timer);
    const old = this.socket;
    this.socket = null;
    // A browser complains of a socket that is closed before it is open.
    if (old?.readyState === WebSocket.CONNECTING) old.addEventListener("open", () => old.close());
    else old?.close();
  }
}
