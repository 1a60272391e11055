// The frames beside the one that is looked at, small; each is gone to by a click.

import { el } from "../shared/dom.js";
import { framePicture } from "../frames/boxed_picture.js";

const EACH_SIDE = 3;

export class Filmstrip {
  /**
   * @param {Page.ColorOf} colorOf
   * @param {(item: import("./bar.js").Item) => void} choose
   */
  constructor(colorOf, choose) {
    this.colorOf = colorOf;
    this.choose = choose;
    /** @type {Map<string, HTMLElement>} */
    this.shown = new Map();
    // The list of frames says the same to those who hear it, and has the keyboard's way.
    this.element = el("div", { class: "filmstrip", "aria-hidden": "true" });
  }

  /**
   * @param {import("./bar.js").Item[]} items
   * @param {number} position
   */
  show(items, position) {
    const first = Math.max(0, Math.min(position - EACH_SIDE, items.length - 2 * EACH_SIDE - 1));
    const near = items.slice(first, first + 2 * EACH_SIDE + 1);
    this.element.hidden = near.length < 2;
    const before = this.shown;
    this.shown = new Map(near.map((item) => [item.key, before.get(item.key) ?? this.#button(item)]));
    const wanted = [...this.shown.values()];
    for (const one of before.values()) if (!wanted.includes(one)) one.remove();
    wanted.forEach((one, index) => {
      if (this.element.children[index] !== one)
        this.element.insertBefore(one, this.element.children[index] ?? null);
      one.classList.toggle("current", near[index] === items[position]);
    });
  }

  /** @param {import("./bar.js").Item} item */
  #button(item) {
    const picture = framePicture(item.pictures[0], this.colorOf, { alt: "", sizes: "96px" });
    return el(
      "button",
      { type: "button", tabindex: -1, title: `${item.time}: ${item.what}`, onclick: () => this.choose(item) },
      picture,
    );
  }
}
