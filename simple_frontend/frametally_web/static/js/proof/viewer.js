// The frame of a proof that is looked at; arrow keys go to the next.

import { el, iconButton } from "../shared/dom.js";
import { number } from "../shared/format.js";
import { openLightbox } from "./lightbox.js";
import { framePicture } from "../shared/frame_picture.js";

export class ProofViewer {
  /**
   * @param {Page.ColorOf} colorOf
   * @param {Object} on
   * @param {(by: number) => void} on.step
   * @param {(position: number) => void} on.goTo
   * @param {() => import("./lightbox.js").LargeFrame[]} on.pictures  of all frames so far
   */
  constructor(colorOf, on) {
    this.colorOf = colorOf;
    this.on = on;
    this.stage = el("div", { class: "proof-stage" }, el("div", { class: "picture skeleton" }));
    this.caption = el("p", { class: "proof-caption" });
    this.previous = iconButton("Previous frame", "‹", () => on.step(-1));
    this.following = iconButton("Next frame", "›", () => on.step(1));
    this.element = el(
      "div",
      {
        class: "proof-viewer",
        tabindex: 0,
        role: "group",
        "aria-label": "Frame. Arrow keys go to the previous and the next one.",
      },
      this.stage,
      el("div", { class: "proof-tools" }, this.previous, this.caption, this.following),
    );
    this.element.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      on.step(by);
    });
  }

  focus() {
    this.element.focus({ preventScroll: true });
  }

  /**
   * @param {import("./bar.js").Item} item
   * @param {number} position
   * @param {boolean} isLast
   */
  show(item, position, isLast) {
    const each = item.pictures.length;
    this.stage.replaceChildren(
      ...item.pictures.map((picture, index) => this.#picture(picture, position * each + index, each)),
    );
    this.stage.classList.toggle("pair", each > 1);
    this.previous.disabled = position === 0;
    this.following.disabled = isLast;
    this.caption.replaceChildren(
      el("span", { class: "strong", text: item.what }),
      el("span", { class: "muted", text: `${item.source} · ${item.time}` }),
      el("span", {
        class: "muted",
        text: `No. ${number(position + 1)}, +${number(item.adds)}, running sum ${number(item.runningTotal)}`,
      }),
      ...item.pictures[0].remarks.map((text) => el("span", { class: "remark", text })),
    );
  }

  /**
   * @param {import("./lightbox.js").LargeFrame} picture
   * @param {number} index  among all pictures
   * @param {number} each  pictures an item
   */
  #picture(picture, index, each) {
    const open = () =>
      openLightbox(this.on.pictures(), index, this.colorOf, (at) => this.on.goTo(Math.floor(at / each)));
    return el(
      "button",
      { type: "button", class: "proof-picture", title: "Open full size", onclick: open },
      framePicture(picture, this.colorOf, { alt: `Frame: ${picture.title}`, named: true }),
      each > 1 ? el("span", { class: "muted small", text: `${picture.title}, ${picture.caption}` }) : null,
    );
  }
}
