// The live picture and the socket by which it comes: it draws each frame as it comes, with its boxes, and shows the rate and the delay.

import { framesBoxes } from "frametally/js/frames/boxed_picture.js";
import { el } from "frametally/js/shared/dom.js";
import { colorsOf } from "frametally/js/shared/palette.js";
import { HeldSocket } from "frametally/js/shared/socket.js";
import { t } from "frametally/js/shared/texts.js";

/** The server says every 5 s how it stands. */
const SILENCE_MS = 15_000;
/** What is watched has ended, may not be watched, or is not there. */
const OVER = [1000, 1008, 4404, 4409];

/**
 * @typedef {Object} Told
 * @property {(header: Page.LiveFrame, jpeg: Blob) => Promise<void>} frame  resolves once it is drawn
 * @property {(told: Page.LiveState) => void} state
 * @property {(againMs: number) => void} cut  it is cut off, and connects again after so long
 * @property {(code: number) => void} over  it was sent away for good
 */

export class LiveSocket extends HeldSocket {
  /**
   * @param {Record<string, string>} query  `video_id` or `source`
   * @param {Told} on
   */
  constructor(query, { frame, state, cut, over }) {
    super(
      `/ws/stream?${new URLSearchParams(query)}`,
      { silenceMs: SILENCE_MS, final: OVER },
      {
        message: (data, socket) =>
          typeof data === "string" ? state(JSON.parse(data)) : draw(socket, data, frame),
        cut,
        over,
      },
    );
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

/** How far back the rate and the delay look. */
const LOOK_BACK_MS = 5000;

export class LivePicture {
  /** @param {string} name  what is seen */
  constructor(name) {
    this.canvas = el("canvas.video-picture.live-canvas.fills", { role: "img", "aria-label": name });
    this.overlay = el("div.video-overlay");
    this.stamp = el("p.video-stamp", { hidden: true });
    this.element = el("div.picture.loaded.video-stage", this.canvas, this.overlay, this.stamp);
    this.withBoxes = el("input", { type: "checkbox", checked: true, onchange: () => this.#drawBoxes() });
    this.choice = el("label.check", this.withBoxes, t("web.boxes"));
    /** The frame that is drawn. @type {Page.LiveFrame|null} */
    this.frame = null;
    /** Labels as they came: each keeps its colour. @type {Set<string>} */
    this.labels = new Set();
    /** When the last frames were drawn, and how late. @type {{at: number, lateMs: number|null}[]} */
    this.drawn = [];
    this.order = 0;
  }

  /**
   * Draws a frame, unless one that came later was drawn first.
   * @param {Page.LiveFrame} header
   * @param {Blob} jpeg
   */
  async show(header, jpeg) {
    const image = await createImageBitmap(jpeg).catch(() => null);
    if (!image || (this.frame && this.frame.stream_id === header.stream_id && header.n < this.frame.n))
      return;
    const { canvas } = this;
    if (canvas.width !== image.width || canvas.height !== image.height) {
      canvas.width = image.width;
      canvas.height = image.height;
      this.element.style.setProperty("--ratio", String(image.width / image.height));
    }
    canvas.getContext("2d")?.drawImage(image, 0, 0);
    image.close();
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
    this.overlay.replaceChildren(
      framesBoxes(boxes, size, colorsOf([...this.labels], [...this.labels]), true),
    );
  }

  /** @param {Page.LiveFrame} header */
  #note({ due_at_ms: due }) {
    const at = performance.now();
    this.drawn.push({ at, lateMs: due === null ? null : Date.now() - due });
    while (this.drawn[0].at < at - LOOK_BACK_MS) this.drawn.shift();
  }

  /** Frames drawn a second, of late; null before it can be told. */
  get rate() {
    const spanMs = performance.now() - (this.drawn[0]?.at ?? 0);
    return this.drawn.length < 2 || spanMs < 500 ? null : (1000 * this.drawn.length) / spanMs;
  }

  /** By how much what is seen is late, in ms: the median of late; null where nothing tells. */
  get delayMs() {
    const known = this.drawn.flatMap(({ lateMs }) => (lateMs === null ? [] : [lateMs])).sort((a, b) => a - b);
    return known.length ? known[known.length >> 1] : null;
  }

  /** What was drawn before says nothing of what comes. */
  forget() {
    this.drawn = [];
  }
}
