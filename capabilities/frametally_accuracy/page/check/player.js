// A clip of footage: it plays at its own speed, and you mark events with keys.

import { holdsAt } from "frametally/js/frames/shapes_over.js";
import { byId, el, svg } from "frametally/js/shared/dom.js";
import { tenths } from "frametally/js/shared/format.js";
import { Sheet } from "./sheet.js";
import { labelWords } from "./words.js";
import { t } from "frametally/js/shared/texts.js";

const SPEEDS = [1, 2, 4];
const STEP_MS = 1000;
/** The longest step, so that a hidden tab continues where it stopped. */
const MOST_STEP_MS = 250;

/** @typedef {{label: string, at_ms: number}} Tap */
/**
 * @typedef {Object} PieceWork  a clip and its state here
 * @property {Api.UnitToAnswer} unit
 * @property {Tap[]} taps  in the order you made them
 * @property {boolean} isSeen  whether you played it to the end
 * @property {HTMLImageElement[]|null} images  its frames, once they are loaded
 */

/** @extends {Sheet<PieceWork>} */
export class Player extends Sheet {
  /** @param {ConstructorParameters<typeof Sheet>} on */
  constructor(...on) {
    super(...on);
    this.speed = SPEEDS[0];
    this.isPlaying = false;
    /** The event time in view. */
    this.at = 0;
    this.drawn = -1;
    this.last = 0;
    this.canvas = el("canvas");
    this.added = el("p.added");
    this.clock = el("p.piece-clock");
    this.bar = el("div.piece-bar", { "aria-hidden": "true" });
    this.area.setAttribute("aria-label", t("accuracy.piece_to_check"));
    byId("play-acts").hidden = false;
    byId("act-play").addEventListener("click", () => this.toggle());
    byId("act-speed").addEventListener("click", () => this.faster());
  }

  get nextWords() {
    return t("accuracy.keep_it_next");
  }

  get removeWords() {
    return t("accuracy.undo_the_last_tap");
  }

  get canRemove() {
    return Boolean(this.work?.taps.length);
  }

  get isReady() {
    return Boolean(this.work?.isSeen);
  }

  /** @param {Api.UnitToAnswer} unit @returns {PieceWork} */
  prepare(unit) {
    return { unit, taps: [], isSeen: false, images: null };
  }

  /** Loads the frames of a clip after those of the current one. @param {PieceWork} work */
  preload(work) {
    const here = (this.work?.images ?? []).map((image) => image.decode().catch(() => undefined));
    Promise.all(here).then(() => this.#load(work));
  }

  /** @param {PieceWork} work */
  #load(work) {
    work.images ??= work.unit.frames.map(({ image_url: src }) => this.imageOf(work, src));
  }

  /** @param {PieceWork} work */
  show(work) {
    const { unit } = work;
    const { width_px: width, height_px: height } = unit;
    const drawing = { class: "desk-boxes", "aria-hidden": "true", viewBox: `0 0 ${width} ${height}` };
    const line = svg("svg", drawing, ...this.#line(unit));
    this.put(work, this.canvas, line, this.added, this.clock, this.bar);
    this.#load(work);
    for (const image of work.images ?? []) if (image.complete && !image.naturalWidth) this.loadAgain(image);
    Object.assign(this.canvas, { width, height });
    this.added.hidden = true;
    this.area.toggleAttribute("data-seen", work.isSeen);
    this.at = unit.frames[0].captured_at_ms;
    this.drawn = -1;
    this.isPlaying = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.say(
      t("accuracy.piece_of_it_plays", { source: unit.source, end: seconds(this.#end - unit.captured_at_ms) }),
    );
    this.#start();
    this.#changed();
  }

  /** @param {string} words */
  clear(words) {
    this.isPlaying = false;
    super.clear(words);
  }

  /** @param {string} label */
  countOf(label) {
    return this.work?.taps.filter((one) => one.label === label).length ?? 0;
  }

  toggle() {
    if (!this.work) return;
    this.isPlaying = !this.isPlaying;
    if (this.isPlaying && this.at >= this.#end) this.at = this.work.unit.frames[0].captured_at_ms;
    this.#start();
    this.onChange();
  }

  faster() {
    this.speed = SPEEDS[(SPEEDS.indexOf(this.speed) + 1) % SPEEDS.length];
    this.say(t("accuracy.speed_set", { speed: this.speed }));
    this.onChange();
  }

  /** @param {number} by  seconds forward; it stops at footage you have not seen yet */
  choose(by) {
    if (!this.work) return;
    const { unit, isSeen } = this.work;
    const to = this.at + by * STEP_MS;
    if (by > 0 && !isSeen) return;
    this.at = Math.min(Math.max(to, unit.frames[0].captured_at_ms), this.#end);
    this.#draw();
  }

  /** Marks an event at the current time. @param {string} label */
  give(label) {
    if (!this.work) return;
    const { unit, taps } = this.work;
    if (this.at < unit.captured_at_ms) {
      this.#note(t("accuracy.the_piece_has_not_begun_yet"));
      return;
    }
    taps.push({ label, at_ms: Math.round(this.at) });
    this.#note(`+1 ${labelWords(label, this.place)}`);
    this.#changed();
  }

  /** Removes the last mark. */
  remove() {
    const tap = this.work?.taps.pop();
    if (!tap) return;
    this.#note(`−1 ${labelWords(tap.label, this.place)}`);
    this.#changed();
  }

  sayNotYet() {
    this.#note(t("accuracy.play_the_piece_to_its_end"));
  }

  /** @param {PieceWork} work */
  answerOf({ taps }) {
    return { taps: taps.toSorted((one, other) => one.at_ms - other.at_ms) };
  }

  /** Event time of the last frame. */
  get #end() {
    return (this.work?.unit.to_ms ?? 1) - 1;
  }

  #start() {
    this.last = performance.now();
    this.#draw();
    if (this.isPlaying) requestAnimationFrame((now) => this.#tick(now, this.work));
  }

  /** @param {number} now @param {PieceWork|null} work  the clip that asked for it */
  #tick(now, work) {
    if (!work || work !== this.work || !this.isPlaying) return;
    const step = Math.min(Math.max(now - this.last, 0), MOST_STEP_MS) * this.speed;
    this.last = now;
    const next = Math.min(this.at + step, this.#end);
    // Wait until the next picture is loaded.
    if (work.images?.[frameAt(work, next)]?.complete) this.at = next;
    this.#draw();
    if (this.at >= this.#end) {
      this.isPlaying = false;
      work.isSeen = true;
      this.area.toggleAttribute("data-seen", true);
      this.say(t("accuracy.the_piece_has_ended", { all: this.#all() }));
      this.onChange();
    } else requestAnimationFrame((later) => this.#tick(later, work));
  }

  #draw() {
    const { work } = this;
    if (!work) return;
    const number = frameAt(work, this.at);
    const image = work.images?.[number];
    if (image && number !== this.drawn && image.complete) {
      const { width, height } = this.canvas;
      if (image.naturalWidth) this.canvas.getContext("2d")?.drawImage(image, 0, 0, width, height);
      this.drawn = image.naturalWidth ? number : -1;
    }
    const { captured_at_ms: begin } = work.unit;
    const isBefore = this.at < begin;
    this.area.toggleAttribute("data-before", isBefore);
    const words = isBefore
      ? t("accuracy.before_the_piece_do_not_count", { begin: seconds(begin - this.at) })
      : t("accuracy.place_of_end", { at: seconds(this.at - begin), end: seconds(this.#end - begin) });
    if (this.clock.textContent !== words) this.clock.textContent = words;
    this.bar.style.setProperty("--at", `${this.#share(this.at)}%`);
  }

  /** @param {number} at */
  #share(at) {
    const first = this.work?.unit.frames[0].captured_at_ms ?? 0;
    return ((at - first) / Math.max(this.#end - first, 1)) * 100;
  }

  #changed() {
    const { work } = this;
    if (!work) return;
    this.bar.replaceChildren(
      styled(el("i.before"), { width: `${this.#share(work.unit.captured_at_ms)}%` }),
      ...work.taps.map(({ label, at_ms: at }) =>
        styled(el("i.tap"), { left: `${this.#share(at)}%`, background: this.colorOf(label) }),
      ),
      el("i.now"),
    );
    this.#draw();
    this.onChange();
  }

  #all() {
    return this.all(t("accuracy.nothing_was_tapped"));
  }

  /** @param {Api.UnitToAnswer} unit */
  #line(unit) {
    const shape = this.place?.shapes.find((one) => holdsAt(one, unit.captured_at_ms));
    if (!shape || !this.place) return [];
    const points = shape.points.map(([x, y]) => [
      (x * unit.width_px) / shape.width_px,
      (y * unit.height_px) / shape.height_px,
    ]);
    const path = points.map((point) => point.join(",")).join(" ");
    return [
      svg("polyline", { points: path, class: "piece-line halo" }),
      svg("polyline", { points: path, class: "piece-line" }),
      ...Object.entries(this.place.directions).map(([way, name]) =>
        sideOf(points, way, name, unit.height_px),
      ),
    ];
  }

  /** @param {string} words */
  #note(words) {
    this.added.textContent = words;
    this.added.hidden = false;
    this.say(`${words} ${this.#all()}`);
  }
}

/** @param {HTMLElement} element @param {Partial<CSSStyleDeclaration>} styles */
function styled(element, styles) {
  Object.assign(element.style, styles);
  return element;
}

/** The frame in view at an event time. @param {PieceWork} work @param {number} at */
function frameAt({ unit: { frames } }, at) {
  let number = 0;
  while (number + 1 < frames.length && frames[number + 1].captured_at_ms <= at) number += 1;
  return number;
}

/**
 * The name of a direction, on the side of the line that it leads to.
 * @param {number[][]} points
 * @param {string} way
 * @param {string} name
 * @param {number} height
 */
function sideOf(points, way, name, height) {
  const [ax, ay] = points[0];
  const [bx, by] = points[points.length - 1];
  const length = Math.hypot(bx - ax, by - ay) || 1;
  const away = (way === "to_right" ? 1 : -1) * (height / 9);
  // Towards the right of someone who walks from the first point to the last; y grows downwards.
  const x = (ax + bx) / 2 - ((by - ay) / length) * away;
  const y = (ay + by) / 2 + ((bx - ax) / length) * away;
  return svg("text", { x, y, class: "piece-side", "font-size": height / 26, text: name });
}

/** @param {number} ms */
const seconds = (ms) => `${tenths(Math.max(ms / 1000, 0))} s`;
