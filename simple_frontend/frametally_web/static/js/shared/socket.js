// A WebSocket that stays open while the page is visible: it reconnects after an interruption, with increasing delays.

const SHORTEST_MS = 1000;
const LONGEST_MS = 30_000;

/** How long to wait before the next attempt. @param {number} failures  consecutive failed attempts */
export const backoff = (failures) => Math.min(SHORTEST_MS * 2 ** Math.max(failures - 1, 0), LONGEST_MS);

/**
 * @typedef {Object} SocketListener
 * @property {(data: any, socket: WebSocket) => void} message
 * @property {(againMs: number) => void} [cut]  called with the delay before it reconnects
 * @property {(code: number) => void} [over]  called when the server closes it for good
 */

export class HeldSocket {
  /**
   * @param {string} path
   * @param {{silenceMs: number, final: number[]}} limits  silenceMs: the server counts as gone after this long;
   *   final: close codes after which it does not reconnect
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
    // A hidden page does not keep a socket open.
    const follow = () => (document.hidden ? this.#leave() : this.#now());
    document.addEventListener("visibilitychange", follow, { signal });
    addEventListener("online", () => this.#now(), { signal });
    addEventListener("offline", () => this.#lose(), { signal });
    this.#open();
  }

  /** Closes the socket for good. */
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

  /** Closes a socket whose server is unreachable without a close event. */
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
    // Browsers log an error if a socket is closed before it is open.
    if (old?.readyState === WebSocket.CONNECTING) old.addEventListener("open", () => old.close());
    else old?.close();
  }
}
