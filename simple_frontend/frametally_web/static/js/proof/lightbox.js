// One frame as large as the window, with its boxes and their names: nearer by wheel, pinch, double tap or + and -, on
// to the next by arrows or a stroke.

import { framePicture } from "../frames/boxed_picture.js";
import { allowSteps, closeDialog, openDialog } from "../frames/dialog.js";
import { el, iconButton } from "../shared/dom.js";
import { onSwipe } from "./swipe.js";
import { Zoom } from "./zoom.js";

/** @typedef {import("../frames/boxed_picture.js").Picture & {title: string, caption: string, remarks: string[]}} LargeFrame */

/**
 * @typedef {Object} Frames  what is gone through, one frame of which is looked at
 * @property {() => LargeFrame} current
 * @property {(by: number) => boolean} has  whether there is, or may be, one so many steps on
 * @property {(by: number) => Promise<void>} step
 * @property {() => void} [closed]  puts the keyboard back, where the place that it came from is gone
 */

/**
 * Frames that are all here already.
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

/**
 * Opens the dialog on the frame that is looked at.
 * @param {Frames} frames
 * @param {Page.ColorOf} colorOf
 */
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
  /**
   * @param {Frames} frames
   * @param {Page.ColorOf} colorOf
   */
  constructor(frames, colorOf) {
    this.frames = frames;
    this.colorOf = colorOf;
    this.title = el("h2", { id: "lightbox-title", class: "name", "aria-live": "polite" });
    this.caption = el("p", { class: "lightbox-caption" });
    this.stage = el("div", { class: "lightbox-stage" });
    this.zoom = new Zoom(this.stage);
    this.previous = iconButton("Previous frame", "‹", () => this.step(-1));
    this.following = iconButton("Next frame", "›", () => this.step(1));
    this.close = iconButton("Close", "×", closeDialog, { class: "button icon close" });
    const tools = el(
      "div",
      { class: "lightbox-tools" },
      iconButton("Farther", "−", () => this.zoom.by(1 / 1.5)),
      iconButton("Nearer", "+", () => this.zoom.by(1.5)),
      this.previous,
      this.following,
      this.close,
    );
    this.element = el(
      "div",
      { class: "lightbox-inner" },
      el("header", {}, this.title, tools),
      this.stage,
      this.caption,
    );
    onSwipe(this.stage, (by) => {
      if (this.zoom.times === 1) this.step(by);
    });
  }

  show() {
    const frame = this.frames.current();
    this.title.textContent = frame.title;
    const alt = `Frame: ${frame.title}, ${frame.caption}`;
    this.stage.replaceChildren(framePicture(frame, this.colorOf, { alt, named: true }));
    this.caption.replaceChildren(
      el("span", { text: frame.caption }),
      ...frame.remarks.map((text) => el("span", { class: "remark", text })),
      el("a", { href: frame.image_url, target: "_blank", rel: "noopener", text: "Open the picture alone" }),
    );
    allowSteps(this, (by) => this.frames.has(by));
  }

  /**
   * To the next frame, seen as near as this one.
   * @param {number} by
   */
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
    if (event.shiftKey && (side || down)) this.zoom.pan(side, down);
    else if (side) this.step(side);
    else if (event.key === "+" || event.key === "=") this.zoom.by(1.5);
    else if (event.key === "-") this.zoom.by(1 / 1.5);
    else if (event.key === "0") this.zoom.reset();
    else return;
    event.preventDefault();
  }
}
