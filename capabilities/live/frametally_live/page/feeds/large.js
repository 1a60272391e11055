// One camera, large: its frames as they come, with their boxes, lines and zones, and the last minutes' counts.

import { get } from "frametally/js/shared/api.js";
import { isHere } from "frametally/js/shell/navigation.js";
import { shapesOver } from "frametally/js/frames/shapes_over.js";
import { el, iconButton } from "frametally/js/shared/dom.js";
import { labelName, number } from "frametally/js/shared/format.js";
import { visible } from "frametally_videos/library/words.js";
import { LastHour } from "./card.js";
import { LivePicture, LiveSocket } from "./picture.js";
import { cutWords, lateWhy, overWords, paceWords, standing, stateWords } from "./words.js";
import { t } from "frametally/js/shared/texts.js";

const TELL_EVERY_MS = 500;

/** "In this picture: car 5 · truck 1", the most of a label first. @param {Page.LiveFrame["boxes"]} boxes */
function seenWords(boxes) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const [label] of boxes) counts.set(label, (counts.get(label) ?? 0) + 1);
  const words = [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([label, n]) => `${labelName(label)} ${number(n)}`);
  return t("live.in_this_picture", { words: words.join(" · ") || t("web.none_2") });
}

export class LargeCamera {
  /** @param {Api.LiveCamera} camera @param {() => void} onClose */
  constructor(camera, onClose) {
    this.source = camera.source;
    this.camera = camera;
    /** @type {Page.LiveState|null} */
    this.told = null;
    this.picture = new LivePicture(t("live.camera_2", { name: visible(camera.name) }));
    this.shapes = el("div.video-overlay");
    this.picture.element.append(this.shapes);
    this.words = el("p.live-words", { role: "status" });
    this.seen = el("p.live-seen");
    this.pace = el("p.muted.small.live-pace");
    this.hour = new LastHour(camera);
    this.element = el(
      "div.live-stream.stack",
      el(
        "div.card-head",
        el("h2", el("bdi", visible(camera.name))),
        iconButton(t("live.close_the_camera"), "✕", onClose),
      ),
      this.words,
      this.picture.element,
      this.seen,
      el("div.player-tools.row", this.picture.choice),
      ...(camera.simulated ? [el("p.small", t("live.simulated_nothing_is_counted"))] : []),
      this.pace,
      this.hour.element,
    );
    this.timer = setInterval(() => this.#showPace(), TELL_EVERY_MS);
    /** @type {LiveSocket|null} */
    this.socket = this.#connect();
    this.#drawShapes();
  }

  /** Nothing of it is asked for any more. */
  end() {
    clearInterval(this.timer);
    this.socket?.end();
  }

  /** It may be started again since. @param {Api.LiveCamera} camera */
  show(camera) {
    this.camera = camera;
    this.#showState();
    if (!this.socket && camera.wanted === "run" && camera.state !== "failed") this.socket = this.#connect();
  }

  #connect() {
    this.words.textContent = t("live.connecting");
    return new LiveSocket(
      { source: this.source },
      {
        frame: (header, jpeg) => this.picture.show(header, jpeg),
        state: (told) => {
          this.told = told;
          this.#showState();
        },
        cut: (againMs) => {
          this.told = null;
          this.words.textContent = cutWords(againMs);
          this.element.dataset.state = "cut";
        },
        over: (code) => {
          this.socket = this.told = null;
          this.words.textContent = overWords(code) || t("live.it_is_stopped");
          this.element.dataset.state = "ended";
        },
      },
    );
  }

  /** What comes may be late though all runs. */
  #showState() {
    if (!this.told) return;
    const isLate = this.told.state === "running" && standing(this.camera) === "late";
    const words = isLate ? t("live.late_3") : stateWords(this.told);
    if (this.words.textContent !== words) this.words.textContent = words; // who hears it hears changes
    this.element.dataset.state = isLate ? "late" : this.told.state;
  }

  async #drawShapes() {
    if (!isHere("traffic")) return;
    try {
      const route = /** @type {any} */ (`sources/${encodeURIComponent(this.source)}/drawing`);
      const { lines, zones } = /** @type {Api.SourceDrawing} */ (await get(route));
      const over = shapesOver({ lines, zones });
      const [first] = [...lines, ...zones];
      if (first) this.shapes.append(over({ width: first.width_px, height: first.height_px }));
    } catch {
      // Nothing is drawn over it.
    }
  }

  #showPace() {
    const { frame } = this.picture;
    if (this.socket && frame) {
      this.seen.textContent = seenWords(frame.boxes);
      const pace = paceWords(this.picture.rate, this.picture.delayMs, frame.left_out);
      this.pace.textContent = [pace, lateWhy(this.camera)].filter(Boolean).join(" · ");
    }
  }
}
