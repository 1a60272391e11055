// One large camera: its frames as they arrive, with boxes, lines and zones, and the counts of the last minutes.

import { get } from "frametally/js/shared/api.js";
import { isHere } from "frametally/js/shell/navigation.js";
import { shapesOver } from "frametally/js/frames/shapes_over.js";
import { el, iconButton } from "frametally/js/shared/dom.js";
import { labelName, number } from "frametally/js/shared/format.js";
import { rankedLabels, visible } from "frametally_videos/library/words.js";
import { LastHour } from "./card.js";
import { Watched } from "./picture.js";
import { lateWhy, overWords, standing, stateWords } from "./words.js";
import { t } from "frametally/js/shared/texts.js";

/** "In this picture: car 5 · truck 1", most frequent label first. @param {Page.LiveFrame["boxes"]} boxes */
function seenWords(boxes) {
  /** @type {Record<string, number>} */
  const counts = {};
  for (const [label] of boxes) counts[label] = (counts[label] ?? 0) + 1;
  const words = rankedLabels(counts).map(([label, n]) => `${labelName(label)} ${number(n)}`);
  return t("live.in_this_picture", { words: words.join(" · ") || t("web.none_word") });
}

export class LargeCamera extends Watched {
  /** @param {Api.LiveCamera} camera @param {() => void} onClose */
  constructor(camera, onClose) {
    super("div.live-stream.stack", t("live.camera_name", { name: visible(camera.name) }));
    this.source = camera.source;
    this.camera = camera;
    this.shapes = el("div.video-overlay");
    this.picture.element.append(this.shapes);
    this.seen = el("p.live-seen");
    this.hour = new LastHour(camera);
    const close = iconButton(t("live.close_the_camera"), "✕", onClose);
    this.element.append(
      el("div.card-head", el("h2", el("bdi", visible(camera.name))), close),
      this.words,
      this.picture.element,
      this.seen,
      el("div.player-tools.row", this.picture.choice),
      camera.simulated ? el("p.small", t("live.simulated_nothing_is_counted")) : "",
      this.pace,
      this.hour.element,
    );
    this.#connect();
    this.#drawShapes();
  }

  /** Shows the camera's state and connects again if the camera was restarted. @param {Api.LiveCamera} camera */
  show(camera) {
    this.camera = camera;
    this.#showState();
    if (!this.socket && camera.wanted === "run" && camera.state !== "failed") this.#connect();
  }

  #connect() {
    const on = {
      frame: (/** @type {Page.LiveFrame} */ header, /** @type {Blob} */ jpeg) =>
        this.picture.show(header, jpeg),
      state: (/** @type {Page.LiveState} */ told) => {
        this.told = told;
        this.#showState();
      },
      over: (/** @type {number} */ code) => {
        this.socket = this.told = null;
        this.words.textContent = overWords(code) || t("live.it_is_stopped");
        this.element.dataset.state = "ended";
      },
    };
    this.watch({ source: this.source }, on);
  }

  /** Shows the state; frames may be late even if every part is running. */
  #showState() {
    if (!this.told) return;
    const isLate = this.told.state === "running" && standing(this.camera) === "late";
    const words = isLate ? t("live.late_word") : stateWords(this.told);
    if (this.words.textContent !== words) this.words.textContent = words; // screen readers announce each change
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
      // Show the picture without lines and zones.
    }
  }

  showPace() {
    super.showPace(lateWhy(this.camera));
    const { frame } = this.picture;
    if (this.socket && frame) this.seen.textContent = seenWords(frame.boxes);
  }
}
