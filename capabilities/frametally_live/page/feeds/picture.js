// The live picture and its socket: it draws each frame with its boxes as it arrives, and shows the frame rate and the
// delay.

import { framesBoxes } from "frametally/js/frames/boxed_picture.js";
import { el } from "frametally/js/shared/dom.js";
import { colorsOf } from "frametally/js/shared/palette.js";
import { HeldSocket } from "frametally/js/shared/socket.js";
import { cutWords, paceWords } from "./words.js";
import { joined, t } from "frametally/js/shared/texts.js";

/** The server reports its state every 5 s. */
const SILENCE_MS = 15_000;
/** The stream ended, does not exist, or you may not watch it. */
const OVER = [1000, 1008, 4404, 4409];

/**
 * @typedef {Object} Told
 * @property {(header: Page.LiveFrame, jpeg: Blob) => Promise<void>} frame  resolves when the frame is drawn
 * @property {(told: Page.LiveState) => void} state
 * @property {(againMs: number) => void} cut  the connection was lost; it reconnects after this time
 * @property {(code: number) => void} over  the server closed the connection for good
 */

class LiveSocket extends HeldSocket {
  /**
   * @param {Record<string, string>} query  `video_id` or `source`
   * @param {Told} on
   */
  constructor(query, { frame, state, cut, over }) {
    const message = (/** @type {any} */ data, /** @type {WebSocket} */ socket) =>
      typeof data === "string" ? state(JSON.parse(data)) : draw(socket, data, frame);
    const path = `/ws/stream?${new URLSearchParams(query)}`;
    super(path, { silenceMs: SILENCE_MS, final: OVER }, { message, cut, over });
  }
}

/** @param {WebSocket} socket @param {ArrayBuffer} data @param {Told["frame"]} show */
async function draw(socket, data, show) {
  const length = new DataView(data).getUint32(0);
  /** @type {Page.LiveFrame} */
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  await show(header, new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }));
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: "ack", n: header.n }));
}

/** @param {HTMLCanvasElement} canvas  takes the size of the image @param {ImageBitmap} image */
export function drawImage(canvas, image) {
  const { width, height } = image;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  canvas.getContext("2d")?.drawImage(image, 0, 0);
  image.close();
}

/** The period over which rate and delay are measured. */
const LOOK_BACK_MS = 5000;

class LivePicture {
  /** @param {string} name  of the camera or video */
  constructor(name) {
    this.canvas = el("canvas.video-picture.live-canvas.fills", { role: "img", "aria-label": name });
    this.overlay = el("div.video-overlay");
    this.stamp = el("p.video-stamp", { hidden: true });
    this.element = el("div.picture.loaded.video-stage", this.canvas, this.overlay, this.stamp);
    this.withBoxes = el("input", { type: "checkbox", checked: true, onchange: () => this.#drawBoxes() });
    this.choice = el("label.check", this.withBoxes, t("web.boxes"));
    /** The frame on the canvas. @type {Page.LiveFrame|null} */
    this.frame = null;
    /** Labels in order of appearance, so that each keeps its colour. @type {Set<string>} */
    this.labels = new Set();
    /** When the last frames were drawn, and their delays. @type {{at: number, lateMs: number|null}[]} */
    this.drawn = [];
    this.order = 0;
  }

  /**
   * Draws a frame, unless a later one is already drawn.
   * @param {Page.LiveFrame} header
   * @param {Blob} jpeg
   */
  async show(header, jpeg) {
    const image = await createImageBitmap(jpeg).catch(() => null);
    if (!image || (this.frame && this.frame.stream_id === header.stream_id && header.n < this.frame.n))
      return;
    const { canvas } = this;
    this.element.style.setProperty("--ratio", String(image.width / image.height));
    drawImage(canvas, image);
    this.frame = header;
    canvas.dataset.n = String(header.n);
    canvas.dataset.position = String(header.position_s ?? "");
    canvas.dataset.capturedAt = String(header.captured_at_ms);
    this.#drawBoxes();
    this.#note(header);
  }

  #drawBoxes() {
    const { frame } = this;
    if (!frame || !this.withBoxes.checked) return this.overlay.replaceChildren();
    for (const [label] of frame.boxes) this.labels.add(label);
    const boxes = frame.boxes.map(([label, confidence, left, top, width, height]) => ({
      label,
      confidence,
      box: /** @type {[number, number, number, number]} */ ([left, top, width, height]),
    }));
    const size = { width: frame.width_px, height: frame.height_px };
    const colors = colorsOf([...this.labels], [...this.labels]);
    this.overlay.replaceChildren(framesBoxes(boxes, size, colors, true));
  }

  /** @param {Page.LiveFrame} header */
  #note({ due_at_ms: due }) {
    const at = performance.now();
    this.drawn.push({ at, lateMs: due === null ? null : Date.now() - due });
    while (this.drawn[0].at < at - LOOK_BACK_MS) this.drawn.shift();
  }

  /** Recent frames drawn per second; `null` until it can be measured. */
  get rate() {
    const spanMs = performance.now() - (this.drawn[0]?.at ?? 0);
    return this.drawn.length < 2 || spanMs < 500 ? null : (1000 * this.drawn.length) / spanMs;
  }

  /** The median of recent delays, in ms; `null` if unknown. */
  get delayMs() {
    const known = this.drawn.flatMap(({ lateMs }) => (lateMs === null ? [] : [lateMs])).sort((a, b) => a - b);
    return known.length ? known[known.length >> 1] : null;
  }

  /** Discards the measurements, because they do not apply to the next stream. */
  forget() {
    this.drawn = [];
  }
}

const TELL_EVERY_MS = 500;

/** A live stream: its picture, and the words about its state. */
export class Watched {
  /**
   * @param {"div.live-stream.stack"|"section.card.live-stream.stack"} kind  its element
   * @param {string} name  of the camera or video
   */
  constructor(kind, name) {
    this.element = el(kind);
    /** @type {LiveSocket|null} */
    this.socket = null;
    /** The stream's state; `null` if unknown. @type {Page.LiveState|null} */
    this.told = null;
    this.picture = new LivePicture(name);
    this.words = el("p.live-words", { role: "status" });
    this.pace = el("p.muted.small.live-pace", { "aria-live": "off" });
    this.timer = setInterval(() => this.showPace(), TELL_EVERY_MS);
  }

  /** Stops watching; the stream itself continues. */
  end() {
    clearInterval(this.timer);
    this.socket?.end();
  }

  /** @param {Record<string, string>} query  `video_id` or `source` @param {Omit<Told, "cut">} on */
  watch(query, on) {
    this.words.textContent = t("live.connecting");
    const cut = (/** @type {number} */ againMs) => {
      this.told = null;
      this.words.textContent = cutWords(againMs);
      this.element.dataset.state = "cut";
    };
    this.socket = new LiveSocket(query, { ...on, cut });
  }

  /** @param {string} [more]  added after the rate and the delay */
  showPace(more = "") {
    const { frame, rate, delayMs } = this.picture;
    const pace = this.socket && frame ? paceWords(rate, delayMs, frame.left_out) : "";
    this.pace.textContent = joined([pace, pace && more]);
  }
}
