// One frame as large as the window, with its boxes and their names. Zoom with the wheel, a pinch, a double-tap or +
// and -; move with the arrow keys or a swipe.

import { framePicture } from "../frames/boxed_picture.js";
import { allowSteps, closeDialog, openDialog } from "../frames/dialog.js";
import { el, iconButton } from "../shared/dom.js";
import { t } from "../shared/texts.js";

const LEAST_PX = 40;

/**
 * @param {HTMLElement} element  scrolls vertically as usual
 * @param {(by: -1|1) => void} step  called for each swipe: left is forward
 */
export function onSwipe(element, step) {
  /** @type {{id: number, x: number, y: number}|null} */
  let began = null;
  element.addEventListener("pointerdown", (event) => {
    const isFirst = event.isPrimary && event.pointerType !== "mouse";
    began = isFirst ? { id: event.pointerId, x: event.clientX, y: event.clientY } : null;
  });
  element.addEventListener("pointerup", (event) => {
    if (began?.id !== event.pointerId) return;
    const across = event.clientX - began.x;
    const down = event.clientY - began.y;
    began = null;
    if (Math.abs(across) >= LEAST_PX && Math.abs(across) > 2 * Math.abs(down)) step(across < 0 ? 1 : -1);
  });
  for (const end of ["pointercancel", "pointerleave"]) element.addEventListener(end, () => (began = null));
}

const MOST = 8;
const DOUBLE_TAP = { within_ms: 350, within_px: 30, zoom: 2.5 };
const PAN_PX = 80;

export class Zoom {
  /** @param {HTMLElement} stage  scales its picture by the custom property --zoom */
  constructor(stage) {
    this.stage = stage;
    this.times = 1;
    /** @type {Map<number, PointerEvent>} */
    this.pointers = new Map();
    this.tapped = { at_ms: -Infinity, x: 0, y: 0 };
    this.began = { x: 0, y: 0 };
    stage.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        // A pinch on a touchpad is a wheel event with Ctrl, in smaller steps.
        this.by(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), event);
      },
      { passive: false },
    );
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    stage.addEventListener("pointerup", (event) => this.#up(event));
    stage.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
  }

  /** Shows the whole picture. */
  reset() {
    this.#set(1);
  }

  /**
   * @param {number} factor
   * @param {{clientX: number, clientY: number}} [at]  the point that stays in place; the middle by default
   */
  by(factor, at = this.#middle()) {
    this.#set(this.times * factor, at);
  }

  #middle() {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    return { clientX: left + width / 2, clientY: top + height / 2 };
  }

  /** @param {number} times @param {{clientX: number, clientY: number}} [at] */
  #set(times, at = this.#middle()) {
    const picture = this.stage.firstElementChild;
    const before = picture?.getBoundingClientRect();
    this.times = Math.min(Math.max(times, 1), MOST);
    this.stage.style.setProperty("--zoom", String(this.times));
    this.stage.classList.toggle("closer", this.times > 1);
    if (!picture || !before?.width) return;
    const after = picture.getBoundingClientRect();
    const right = ((at.clientX - before.left) * after.width) / before.width;
    const down = ((at.clientY - before.top) * after.height) / before.height;
    this.stage.scrollBy(after.left + right - at.clientX, after.top + down - at.clientY);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    this.pointers.set(event.pointerId, event);
    if (this.pointers.size === 1) this.began = { x: event.clientX, y: event.clientY };
    if (event.pointerType === "mouse") this.stage.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const [other] = [...this.pointers.values()].filter((one) => one.pointerId !== event.pointerId);
    this.pointers.set(event.pointerId, event);
    if (other) {
      const between = (/** @type {PointerEvent} */ one) =>
        Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
      this.by(between(event) / between(before), {
        clientX: (event.clientX + other.clientX) / 2,
        clientY: (event.clientY + other.clientY) / 2,
      });
    } else if (this.times > 1) {
      this.stage.scrollBy(before.clientX - event.clientX, before.clientY - event.clientY);
    }
  }

  /** @param {PointerEvent} event */
  #up(event) {
    const isTap =
      this.pointers.size === 1 &&
      Math.hypot(event.clientX - this.began.x, event.clientY - this.began.y) < DOUBLE_TAP.within_px / 3;
    this.pointers.delete(event.pointerId);
    if (!isTap) return;
    const { at_ms: last, x, y } = this.tapped;
    this.tapped = { at_ms: event.timeStamp, x: event.clientX, y: event.clientY };
    const isNear = Math.hypot(event.clientX - x, event.clientY - y) < DOUBLE_TAP.within_px;
    if (!isNear || event.timeStamp - last > DOUBLE_TAP.within_ms) return;
    this.tapped.at_ms = -Infinity;
    if (this.times > 1) this.reset();
    else this.#set(DOUBLE_TAP.zoom, event);
  }
}

/** @typedef {import("../frames/boxed_picture.js").Picture & {title: string, caption: string, remarks: string[], isCrop?: boolean}} LargeFrame */

/**
 * @typedef {Object} Frames  a list of frames with a current one
 * @property {() => LargeFrame} current
 * @property {(by: number) => boolean} has  whether there is, or may be, a frame this many steps away
 * @property {(by: number) => Promise<void>} step
 * @property {() => void} [closed]  restores the focus if the opener is gone
 */

/**
 * Frames that are all loaded.
 * @param {LargeFrame[]} frames
 * @param {number} position
 * @returns {Frames}
 */
export function framesFrom(frames, position) {
  let at = position;
  return {
    current: () => frames[at],
    has: (by) => frames[at + by] !== undefined,
    step: async (by) => {
      at += by;
    },
  };
}

/** Opens the dialog with the current frame. @param {Frames} frames @param {Page.ColorOf} colorOf */
export function openLightbox(frames, colorOf) {
  const view = new LargeView(frames, colorOf);
  openDialog({
    element: view.element,
    close: view.close,
    key: (event) => view.key(event),
    shown: () => view.show(),
    closed: frames.closed,
  });
}

class LargeView {
  /** @param {Frames} frames @param {Page.ColorOf} colorOf */
  constructor(frames, colorOf) {
    this.frames = frames;
    this.colorOf = colorOf;
    this.title = el("h2.name", { id: "lightbox-title", "aria-live": "polite" });
    this.caption = el("p.lightbox-caption");
    this.stage = el("div.lightbox-stage");
    this.zoom = new Zoom(this.stage);
    this.previous = iconButton(t("web.previous_frame"), "‹", () => this.step(-1));
    this.following = iconButton(t("web.next_frame"), "›", () => this.step(1));
    this.close = iconButton(t("web.close"), "×", closeDialog, { class: "button icon close" });
    const tools = el(
      "div.lightbox-tools.row",
      iconButton(t("web.farther"), "−", () => this.zoom.by(1 / 1.5)),
      iconButton(t("web.nearer"), "+", () => this.zoom.by(1.5)),
      this.previous,
      this.following,
      this.close,
    );
    this.element = el("div.lightbox-inner", el("header", this.title, tools), this.stage, this.caption);
    onSwipe(this.stage, (by) => {
      if (this.zoom.times === 1) this.step(by);
    });
  }

  show() {
    const frame = this.frames.current();
    this.title.textContent = frame.title;
    const alt = t("web.frame", { title: frame.title, caption: frame.caption });
    this.stage.replaceChildren(framePicture(frame, this.colorOf, { alt, named: true }));
    this.caption.replaceChildren(
      el("span", frame.caption),
      ...frame.remarks.map((text) => el("span.remark", text)),
      el("a", { href: frame.image_url, target: "_blank", rel: "noopener" }, t("web.open_the_picture_alone")),
    );
    allowSteps(this, (by) => this.frames.has(by));
  }

  /** Shows the next frame at the same zoom. @param {number} by */
  async step(by) {
    if (!this.frames.has(by)) return;
    await this.frames.step(by);
    this.show();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const side = { ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0;
    const down = { ArrowUp: -1, ArrowDown: 1 }[event.key] ?? 0;
    if (event.shiftKey && (side || down)) this.stage.scrollBy(side * PAN_PX, down * PAN_PX);
    else if (side) this.step(side);
    else if (event.key === "+" || event.key === "=") this.zoom.by(1.5);
    else if (event.key === "-") this.zoom.by(1 / 1.5);
    else if (event.key === "0") this.zoom.reset();
    else return;
    event.preventDefault();
  }
}
