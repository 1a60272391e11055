// A frame with its boxes: you choose, draw, label and remove them.

import { labelName } from "frametally/js/shared/format.js";
import { el, svg } from "frametally/js/shared/dom.js";
import { Sheet } from "./sheet.js";
import { t } from "frametally/js/shared/texts.js";

const LEAST_PX = 4;

/** @typedef {{label: string, box: [number, number, number, number], confidence: number|null}} Box */
/**
 * @typedef {Object} Work  a frame and its state here
 * @property {Api.UnitToAnswer} unit
 * @property {Box[]} boxes
 * @property {Map<string, number>} added  number of objects without a box, by label
 * @property {HTMLImageElement} image
 */

/** @extends {Sheet<Work>} */
export class Stage extends Sheet {
  /** @param {ConstructorParameters<typeof Sheet>} on */
  constructor(...on) {
    super(...on);
    this.chosen = -1;
    /** The label of the next box that you draw. */
    this.label = "";
    /** @type {{at: [number, number], to: [number, number]}|null} */
    this.drawing = null;
    this.boxes = svg("svg", { class: "desk-boxes", "aria-hidden": "true" });
    this.added = el("p.added");
    this.area.addEventListener("pointerdown", (event) => this.#down(event));
    this.area.addEventListener("pointermove", (event) => this.#move(event));
    this.area.addEventListener("pointerup", () => this.#up());
  }

  get nextWords() {
    const isChanged =
      this.work && (this.work.added.size > 0 || !areSame(this.work.boxes, this.work.unit.boxes));
    return isChanged ? t("accuracy.keep_it_next") : t("accuracy.all_is_right_next");
  }

  get removeWords() {
    return t("accuracy.remove_the_box");
  }

  get canRemove() {
    return this.chosen >= 0;
  }

  get isReady() {
    return this.work !== null;
  }

  /**
   * Loads the picture in advance.
   * @param {Api.UnitToAnswer} unit
   * @returns {Work}
   */
  prepare(unit) {
    const boxes = /** @type {Box[]} */ ([...unit.boxes]);
    /** @type {Work} */
    const work = { unit, boxes, added: new Map(), image: new Image() };
    work.image = this.imageOf(work, unit.is_missing ? null : unit.image_url);
    return work;
  }

  /** Does nothing: `prepare` already loads the picture. */
  preload() {}

  sayNotYet() {}

  /** @param {Work} work */
  show(work) {
    this.chosen = -1;
    this.drawing = null;
    this.put(work, work.image, this.boxes, this.added);
    if (work.image.complete && !work.image.naturalWidth) this.loadAgain(work.image);
    this.#draw();
    this.say(t("accuracy.frame_of", { source: work.unit.source, all: this.#all() }));
  }

  /** @param {string} words */
  clear(words) {
    this.chosen = -1;
    super.clear(words);
  }

  /** @param {string} label */
  countOf(label) {
    const { boxes, added } = this.work ?? { boxes: [], added: new Map() };
    return boxes.filter((one) => one.label === label).length + (added.get(label) ?? 0);
  }

  /** @param {number} by  1 for the next box, -1 for the previous one, 0 for none */
  choose(by) {
    const most = this.work?.boxes.length ?? 0;
    if (by === 0 || !most) this.chosen = -1;
    else if (this.chosen < 0) this.chosen = by > 0 ? 0 : most - 1;
    else this.chosen = (this.chosen + by + most) % most;
    const box = this.work?.boxes[this.chosen];
    this.say(
      box
        ? t("accuracy.box_of", { chosen: this.chosen + 1, most, label: labelName(box.label) })
        : t("accuracy.no_box_is_chosen"),
    );
    this.#changed();
  }

  /**
   * Sets the label of the chosen box; if none is chosen, adds an object without a box.
   * @param {string} label
   */
  give(label) {
    if (!this.work) return;
    this.label = label;
    const box = this.work.boxes[this.chosen];
    if (box) this.work.boxes[this.chosen] = { ...box, label };
    else this.work.added.set(label, (this.work.added.get(label) ?? 0) + 1);
    const values = { label: labelName(label), all: this.#all() };
    this.say(box ? t("accuracy.the_box_is", values) : t("accuracy.added", values));
    this.#changed();
  }

  /** Removes the chosen box; if none is chosen, the last added object. */
  remove() {
    if (!this.work) return;
    const [gone] = this.chosen < 0 ? [] : this.work.boxes.splice(this.chosen, 1);
    const last = [...this.work.added.keys()].at(-1);
    if (!gone && last !== undefined) {
      const left = (this.work.added.get(last) ?? 0) - 1;
      if (left > 0) this.work.added.set(last, left);
      else this.work.added.delete(last);
    }
    this.chosen = -1;
    const label = gone?.label ?? last;
    if (label !== undefined) this.say(t("accuracy.removed", { label: labelName(label), all: this.#all() }));
    this.#changed();
  }

  /** The answer to send: boxes, or only counts if an object was added with a key and has no box. @param {Work} work */
  answerOf({ boxes, added }) {
    const kept = boxes.map(({ label, box, confidence }) => ({ label, box, confidence }));
    if (!added.size) return { boxes: kept };
    const counts = Object.fromEntries(added);
    for (const { label } of kept) counts[label] = (counts[label] ?? 0) + 1;
    return { counts };
  }

  #all() {
    return this.all(t("accuracy.it_has_no_objects"));
  }

  #changed() {
    this.#draw();
    this.onChange();
  }

  #draw() {
    if (!this.work) return;
    const { boxes, added, unit } = this.work;
    this.boxes.setAttribute("viewBox", `0 0 ${unit.width_px} ${unit.height_px}`);
    const size = unit.height_px / 32;
    /** @param {Box["box"]} box @param {string} kind @param {string} [label] */
    const rect = ([x, y, width, height], kind, label) =>
      svg("rect", { x, y, width, height, class: kind, stroke: label && this.colorOf(label) });
    this.boxes.replaceChildren(
      ...boxes.flatMap(({ label, box }, at) => [
        rect(box, "halo"),
        rect(box, at === this.chosen ? "box chosen" : "box", label),
        svg("text", {
          x: box[0],
          y: box[1] + (box[1] < size ? size : -size / 4),
          "font-size": size,
          text: label,
        }),
      ]),
    );
    if (this.drawing) this.boxes.append(rect(rectOf(this.drawing), "box chosen", this.label));
    const part = [...added].map(([label, count]) => `${count} × ${labelName(label)}`).join(", ");
    this.added.hidden = !part;
    this.added.textContent = t("accuracy.added_part", { part });
  }

  /** @param {PointerEvent} event @returns {[number, number]} */
  #pointOf(event) {
    const { left, top, width, height } = this.area.getBoundingClientRect();
    const { width_px: wide, height_px: high } = this.work?.unit ?? { width_px: 1, height_px: 1 };
    const within = (/** @type {number} */ share, /** @type {number} */ px) =>
      Math.min(Math.max(share, 0), 1) * px;
    return [within((event.clientX - left) / width, wide), within((event.clientY - top) / height, high)];
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (!this.work || event.button !== 0) return;
    const at = this.#pointOf(event);
    this.drawing = { at, to: at };
    this.label ||= this.labels[0];
    this.area.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (!this.drawing) return;
    this.drawing.to = this.#pointOf(event);
    this.#draw();
  }

  #up() {
    if (!this.drawing || !this.work) return;
    const box = rectOf(this.drawing);
    const [x, y] = this.drawing.at;
    this.drawing = null;
    if (box[2] >= LEAST_PX && box[3] >= LEAST_PX) {
      this.chosen = this.work.boxes.push({ label: this.label, box, confidence: null }) - 1;
      this.say(t("accuracy.drawn", { label: labelName(this.label), all: this.#all() }));
    } else this.chosen = smallestAt(this.work.boxes, x, y);
    this.#changed();
  }
}

/** @param {{at: [number, number], to: [number, number]}} drawing @returns {[number, number, number, number]} */
const rectOf = ({ at, to }) => [
  Math.min(at[0], to[0]),
  Math.min(at[1], to[1]),
  Math.abs(at[0] - to[0]),
  Math.abs(at[1] - to[1]),
];

/** @param {Box[]} boxes @param {number} x @param {number} y */
function smallestAt(boxes, x, y) {
  const areas = boxes.map(({ box: [left, top, width, height] }) =>
    left <= x && x <= left + width && top <= y && y <= top + height ? width * height : Infinity,
  );
  const least = Math.min(...areas);
  return least === Infinity ? -1 : areas.indexOf(least);
}

/** @param {readonly object[]} one @param {readonly object[]} other */
const areSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);
