// The picture to draw on, with mouse, touch or keyboard.

import { byId, el, svg } from "frametally/js/shared/dom.js";
import { draftOf, handlesOf, markOf } from "./marks.js";
import { LIMITS, movedBy, within, withNewPoint, withPoint } from "./shapes.js";
import { t } from "frametally/js/shared/texts.js";

/** @typedef {import("./shapes.js").Point} Point */
/**
 * @typedef {Object} Shown  everything that the stage shows
 * @property {Page.Shape[]} shapes
 * @property {Page.Shape|null} chosen
 * @property {{url: string|null, alt: string, width_px: number, height_px: number}} picture
 * @property {number[]|null} errorsPx  errors of the chosen calibration's points
 */
/**
 * @typedef {Object} Hands  callbacks for what people do on the stage
 * @property {(id: number|null) => void} choose
 * @property {(shape: Page.Shape, key: string) => void} change
 * @property {(at: number) => void} removePoint
 * @property {(kind: Page.ShapeKind, points: Point[]) => void} finish
 * @property {() => void} drafted  the unfinished shape has changed
 * @property {(words: string) => void} say
 */

const CLICK_PX = 5;
/** @type {Record<string, Point>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const FAST = 20;

export class Stage {
  /** @param {Hands} hands */
  constructor(hands) {
    this.hands = hands;
    this.area = byId("stage");
    this.image = el("img.fills", { alt: "", draggable: "false", decoding: "async" });
    this.empty = el("p.stage-empty", { hidden: true }, t("traffic.no_picture_of_this_source_is"));
    this.drawing = svg("svg", {
      class: "drawing fills",
      role: "application",
      tabindex: 0,
      "aria-label": t("traffic.picture_with_what_is_drawn_over"),
      "aria-describedby": "stage-help",
      onpointerdown: (/** @type {PointerEvent} */ event) => this.#down(event),
      onpointermove: (/** @type {PointerEvent} */ event) => this.#move(event),
      onpointerup: (/** @type {PointerEvent} */ event) => this.#up(event),
      onpointercancel: () => (this.drag = null),
      ondblclick: () => this.finish(),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
      onfocusin: (/** @type {FocusEvent} */ event) => this.#focused(event),
    });
    this.paths = svg("g");
    this.marks = svg("g");
    this.drawing.append(this.paths, this.marks);
    this.area.replaceChildren(this.image, this.empty, this.drawing);
    /** @type {Shown|null} */
    this.shown = null;
    /** The unfinished shape. @type {{kind: Page.ShapeKind, points: Point[]}|null} */
    this.draft = null;
    /** @type {Point} */
    this.cross = [0, 0];
    this.focused = 0;
    /** @type {((unit: number) => Node)|null} */
    this.makePaths = null;
    /** @type {{pointer: number, from: Point, begun: Point, shape: Page.Shape|null, point: number|null, moved: boolean, key: string}|null} */
    this.drag = null;
    this.drags = 0;
    new ResizeObserver(() => this.render()).observe(this.area);
  }

  /** @param {Shown} shown */
  show(shown) {
    const { picture, chosen } = shown;
    if (this.shown?.chosen?.id !== chosen?.id) this.focused = 0;
    if (chosen && this.focused >= chosen.points.length) this.focused = chosen.points.length - 1;
    if (this.shown?.picture !== picture) {
      this.area.style.setProperty("--ratio", String(picture.width_px / picture.height_px));
      this.drawing.setAttribute("viewBox", `0 0 ${picture.width_px} ${picture.height_px}`);
      this.image.alt = picture.alt;
      this.image.hidden = picture.url === null;
      this.empty.hidden = picture.url !== null;
      if (picture.url !== null) this.image.src = picture.url;
    }
    this.shown = shown;
    this.render();
  }

  /** @param {((unit: number) => Node)|null} make  returns the layer of paths, if there is one */
  showPaths(make) {
    this.makePaths = make;
    this.render();
  }

  /** @param {Page.ShapeKind} kind */
  begin(kind) {
    if (!this.shown) return;
    const { width_px, height_px } = this.shown.picture;
    this.draft = { kind, points: [] };
    this.cross = [Math.round(width_px / 2), Math.round(height_px / 2)];
    this.hands.choose(null);
    this.#drafted();
  }

  cancel() {
    if (!this.draft) return;
    this.draft = null;
    this.#drafted();
  }

  get mayFinish() {
    return this.draft !== null && this.draft.points.length >= LIMITS[this.draft.kind].fewest;
  }

  finish() {
    if (!this.draft || !this.mayFinish) return;
    const { kind, points } = this.draft;
    this.draft = null;
    this.hands.finish(kind, points);
    this.#drafted();
  }

  takeBack() {
    if (!this.draft?.points.length) return this.cancel();
    this.draft.points.pop();
    this.#drafted();
  }

  /** Moves the focus to the picture, or to a point of the chosen shape. */
  focus() {
    const handle = this.drawing.querySelector(`[data-point="${this.focused}"]`);
    if (handle instanceof SVGElement) handle.focus();
    else this.drawing.focus();
  }

  render() {
    if (!this.shown || !this.area.clientWidth) return;
    const { shapes, chosen, picture, errorsPx } = this.shown;
    const unit = picture.width_px / this.area.clientWidth;
    const hadHandle =
      document.activeElement?.closest("[data-point]") && this.area.contains(document.activeElement);
    this.paths.replaceChildren(...(this.makePaths ? [this.makePaths(unit)] : []));
    const others = shapes.filter((one) => one !== chosen);
    const marks = others.map((one) => markOf(one, picture, unit, false, null));
    if (chosen) marks.push(markOf(chosen, picture, unit, true, errorsPx));
    if (chosen) marks.push(handlesOf(chosen, picture, unit, this.focused));
    if (this.draft) {
      const swept = this.drag?.moved ? sweptOf(this.draft, this.drag.begun, this.cross) : null;
      marks.push(draftOf(this.draft.kind, swept?.slice(0, -1) ?? this.draft.points, this.cross, unit));
    }
    this.marks.replaceChildren(...marks);
    this.area.dataset.drawing = this.draft?.kind ?? "";
    if (hadHandle) this.focus();
  }

  #drafted() {
    this.hands.drafted();
    this.render();
  }

  /** @param {Point} point */
  #put(point) {
    if (!this.draft) return;
    const { kind, points } = this.draft;
    points.push(point);
    this.cross = point;
    if (points.length === LIMITS[kind].most) return this.finish();
    this.hands.say(t("traffic.point_at", { length: points.length, point: point.join(", ") }));
    this.#drafted();
  }

  /** @param {FocusEvent} event */
  #focused({ target }) {
    const at = target instanceof Element ? attributeAt(target, "data-point") : null;
    if (at !== null) this.focused = at;
  }

  /** The pointer's position in the picture, in its pixels. @param {MouseEvent} event @returns {Point} */
  #at({ clientX, clientY }) {
    const { left, top, width, height } = this.drawing.getBoundingClientRect();
    const size = this.shown?.picture ?? { width_px: 1, height_px: 1 };
    const [x, y] = [(clientX - left) / width, (clientY - top) / height];
    return within([x * size.width_px, y * size.height_px], size);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (!this.shown || event.button > 0 || this.drag) return;
    const from = /** @type {Point} */ ([event.clientX, event.clientY]);
    const key = `drag ${++this.drags}`;
    const begun = this.#at(event);
    this.drag = { pointer: event.pointerId, from, begun, shape: null, point: null, moved: false, key };
    this.drawing.setPointerCapture(event.pointerId);
    if (this.draft || !(event.target instanceof Element)) return;
    const at = attributeAt(event.target, "data-point");
    const between = attributeAt(event.target, "data-between");
    const { chosen } = this.shown;
    if (chosen && at !== null) {
      Object.assign(this.drag, { shape: chosen, point: at });
      this.focused = at;
      this.focus();
      event.preventDefault();
    } else if (chosen && between !== null) {
      const grown = withNewPoint(chosen, between, this.#of(chosen, begun));
      this.focused = between + 1;
      Object.assign(this.drag, { shape: grown, point: this.focused });
      this.hands.change(grown, key);
    } else {
      this.drag.shape = this.#choose(attributeAt(event.target, "data-shape"));
    }
  }

  /** @param {number|null} id */
  #choose(id) {
    const found = this.shown?.shapes.find((one) => one.id === id) ?? null;
    if (found?.id !== this.shown?.chosen?.id) this.hands.choose(found?.id ?? null);
    return found;
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (this.draft && event.pointerType !== "touch") {
      this.cross = this.#at(event);
      this.render();
    }
    const { drag } = this;
    if (!drag || drag.pointer !== event.pointerId) return;
    drag.moved ||= Math.hypot(event.clientX - drag.from[0], event.clientY - drag.from[1]) > CLICK_PX;
    if (!drag.moved || !drag.shape) return;
    const here = this.#of(drag.shape, this.#at(event));
    const begun = this.#of(drag.shape, drag.begun);
    const changed =
      drag.point === null
        ? movedBy(drag.shape, [here[0] - begun[0], here[1] - begun[1]])
        : withPoint(drag.shape, drag.point, here);
    this.hands.change(changed, drag.key);
  }

  /** @param {PointerEvent} event */
  #up(event) {
    const { drag } = this;
    if (!drag || drag.pointer !== event.pointerId) return;
    this.drag = null;
    if (!this.draft) return;
    const point = this.#at(event);
    if (drag.moved) return this.#sweep(drag.begun, point);
    const { kind, points } = this.draft;
    const unit = (this.shown?.picture.width_px ?? 1) / this.area.clientWidth;
    /** @param {Point|undefined} other */
    const isAt = (other) => other && Math.hypot(point[0] - other[0], point[1] - other[1]) <= 8 * unit;
    if (isAt(points.at(-1))) return; // the second click of a double-click
    if (LIMITS[kind].closed && this.mayFinish && isAt(points[0])) return this.finish();
    this.#put(point);
  }

  /** Draws a whole shape with one drag, if it has no points yet. @param {Point} begun @param {Point} ended */
  #sweep(begun, ended) {
    const points = this.draft && sweptOf(this.draft, begun, ended);
    if (!this.draft || !points) return this.render();
    this.draft.points = points;
    this.finish();
  }

  /**
   * Converts a point to pixels of the picture that a shape was drawn over.
   * @param {Page.Shape} shape
   * @param {Point} point
   * @returns {Point}
   */
  #of({ width_px, height_px }, [x, y]) {
    const size = this.shown?.picture ?? { width_px, height_px };
    return [(x * width_px) / size.width_px, (y * height_px) / size.height_px];
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const done = this.draft ? this.#keyOfDraft(event) : this.#keyOfShape(event);
    if (done) event.preventDefault();
  }

  /** @param {KeyboardEvent} event @returns {boolean}  whether the key did something */
  #keyOfDraft({ key, shiftKey }) {
    if (!this.draft || !this.shown) return false;
    if (key in ARROWS) {
      this.cross = within(stepped(this.cross, key, shiftKey), this.shown.picture);
      this.render();
    } else if (key === " ") this.#put(this.cross);
    else if (key === "Enter") this.finish();
    else if (key === "Backspace") this.takeBack();
    else if (key === "Escape") this.cancel();
    else return false;
    return true;
  }

  /** @param {KeyboardEvent} event @returns {boolean}  whether the key did something */
  #keyOfShape({ key, shiftKey }) {
    const chosen = this.shown?.chosen;
    if (!chosen) return false;
    const at = this.focused;
    if (key in ARROWS) {
      const moved = withPoint(chosen, at, stepped(chosen.points[at], key, shiftKey));
      this.hands.change(moved, `arrow ${chosen.id} ${at}`);
    } else if (key === "Delete" || key === "Backspace") this.hands.removePoint(at);
    else if (key === "Escape") {
      this.hands.choose(null);
      this.drawing.focus();
    } else if (key === "PageDown" || key === "PageUp") {
      const { length } = chosen.points;
      this.focused = (at + (key === "PageDown" ? 1 : length - 1)) % length;
      this.render();
      this.focus();
    } else return false;
    return true;
  }
}

/**
 * A line along a drag, or a zone with the drag as its diagonal; `null` if a drag does not draw this shape.
 * @param {{kind: Page.ShapeKind, points: Point[]}} draft
 * @param {Point} begun
 * @param {Point} ended
 * @returns {Point[]|null}  the last point is where the drag ended
 */
function sweptOf({ kind, points }, begun, ended) {
  if (points.length || kind === "calibration") return null;
  const [[x, y], [toX, toY]] = [begun, ended];
  return kind === "line" ? [begun, ended] : [[x, toY], begun, [toX, y], ended];
}

/**
 * Moves a point with an arrow key, farther with Shift.
 * @param {Point} point
 * @param {string} key
 * @param {boolean} isFast
 * @returns {Point}
 */
function stepped([x, y], key, isFast) {
  const [dx, dy] = ARROWS[key].map((by) => by * (isFast ? FAST : 1));
  return [x + dx, y + dy];
}

/**
 * The number in an attribute of an element or of its nearest ancestor that has it.
 * @param {Element} element
 * @param {string} name
 */
function attributeAt(element, name) {
  const value = element.closest(`[${name}]`)?.getAttribute(name) ?? null;
  return value === null ? null : Number(value);
}
