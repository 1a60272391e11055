// The frame of a proof that is looked at: its picture, where it stands in the sum, and the way to the next ones.

import { el, iconButton } from "../shared/dom.js";
import { framePicture } from "../frames/boxed_picture.js";
import { number } from "../shared/format.js";
import { Filmstrip } from "./filmstrip.js";
import { onSwipe } from "./swipe.js";

// Pictures fetched ahead of the one that is looked at.
const AHEAD = 3;
// Beside the chart, below it, and on a phone.
const SIZES = "(min-width: 1100px) 500px, (min-width: 900px) 60vw, 100vw";

/**
 * @typedef {Object} Place  of the frame in its proof
 * @property {number|null} number  from 1; null: not known
 * @property {number|null} of  how many there are
 * @property {number|null} total  what the sum ends at
 * @property {boolean} isFirst
 * @property {boolean} isLast
 */

export class ProofViewer {
  /**
   * @param {Page.ColorOf} colorOf
   * @param {Object} on
   * @param {(by: number) => void} on.step
   * @param {(item: import("./bar.js").Item) => void} on.choose
   * @param {(picture: number) => void} on.open  this one of the item's pictures, large
   * @param {() => void} on.play
   * @param {(() => void)|null} on.fullest
   */
  constructor(colorOf, on) {
    this.colorOf = colorOf;
    this.on = on;
    /** @type {Map<import("./bar.js").Item, HTMLElement[]>} */
    this.pictures = new Map();
    this.stage = el("div", { class: "proof-stage" }, el("div", { class: "picture skeleton" }));
    this.caption = el("p", { class: "proof-caption" });
    this.counter = el("p", { class: "proof-counter" });
    this.progress = el("span", { class: "proof-progress", "aria-hidden": "true" }, el("span"));
    this.filmstrip = new Filmstrip(colorOf, on.choose);
    this.previous = iconButton("Previous frame", "‹", () => on.step(-1));
    this.following = iconButton("Next frame", "›", () => on.step(1));
    this.play = el("button", { type: "button", class: "button proof-play", onclick: on.play });
    this.element = el(
      "div",
      {
        class: "proof-viewer",
        tabindex: 0,
        role: "group",
        "aria-label": "Frame. Arrow keys go to the previous and the next one, space plays.",
      },
      this.stage,
      this.progress,
      el("div", { class: "proof-tools" }, this.previous, this.caption, this.following),
      this.filmstrip.element,
      el(
        "div",
        { class: "proof-tools" },
        this.play,
        on.fullest &&
          el("button", { type: "button", class: "button", text: "Go to the fullest", onclick: on.fullest }),
        this.counter,
      ),
    );
    this.showPlaying(false);
    this.element.addEventListener("keydown", (event) => this.#key(event));
    onSwipe(this.stage, on.step);
  }

  focus() {
    this.element.focus({ preventScroll: true });
  }

  /** @param {boolean} isPlaying */
  showPlaying(isPlaying) {
    const sign = el("span", { "aria-hidden": "true", text: isPlaying ? "❚❚ " : "▶ " });
    this.play.replaceChildren(sign, isPlaying ? "Pause" : "Play");
    this.element.classList.toggle("playing", isPlaying);
  }

  /**
   * @param {import("./bar.js").Item[]} items
   * @param {number} position
   * @param {Place} place
   */
  show(items, position, place) {
    const item = items[position];
    const shown = this.#picturesOf(item);
    // Fetched ahead; what is farther off is let go.
    const ahead = items.slice(position + 1, position + 1 + AHEAD);
    this.pictures = new Map([item, ...ahead].map((one) => [one, this.#picturesOf(one)]));
    if (this.stage.firstElementChild !== shown[0]) {
      const hadFocus = this.stage.contains(document.activeElement);
      this.stage.replaceChildren(...shown);
      this.stage.classList.toggle("pair", shown.length > 1);
      if (hadFocus) shown[0].focus({ preventScroll: true });
    }
    this.previous.disabled = place.isFirst;
    this.following.disabled = place.isLast;
    this.filmstrip.show(items, position);
    this.#showPlace(item, place);
  }

  /**
   * The frame's place among all, and in the sum.
   * @param {import("./bar.js").Item} item
   * @param {Place} place
   */
  #showPlace(item, { number: no, of, total }) {
    const ofAll = (/** @type {number|null} */ most) => (most === null ? "" : ` of ${number(most)}`);
    const position = no === null ? "" : `No. ${number(no)}${ofAll(of)}, `;
    this.caption.replaceChildren(
      el("span", { class: "strong", text: item.what }),
      el("span", { class: "muted", text: `${item.source} · ${item.time}` }),
      el("span", {
        class: "muted",
        text: `${position}+${number(item.adds)} = ${number(item.runningTotal)}${ofAll(total)}`,
      }),
      ...item.pictures[0].remarks.map((text) => el("span", { class: "remark", text })),
    );
    this.counter.replaceChildren(
      el("span", { class: "strong", text: number(item.runningTotal) }),
      el("span", { class: "muted small", text: ofAll(total) }),
    );
    const share = total ? Math.min(item.runningTotal / total, 1) : 0;
    this.progress.style.setProperty("--share", String(share));
  }

  /**
   * Waits until an item's pictures can be seen; one that cannot be had is not waited for.
   * @param {import("./bar.js").Item} item
   */
  async ready(item) {
    const images = this.#picturesOf(item).flatMap((picture) => [...picture.querySelectorAll("img")]);
    await Promise.all(images.map((image) => image.decode().catch(() => {})));
  }

  /** @param {import("./bar.js").Item} item */
  #picturesOf(item) {
    const made =
      this.pictures.get(item) ??
      item.pictures.map((picture, index) => this.#picture(picture, index, item.pictures.length));
    this.pictures.set(item, made);
    return made;
  }

  /**
   * @param {import("./lightbox.js").LargeFrame} picture
   * @param {number} index
   * @param {number} each  pictures an item
   */
  #picture(picture, index, each) {
    const alt = `Frame: ${picture.title}`;
    return el(
      "button",
      { type: "button", class: "proof-picture", title: "Open full size", onclick: () => this.on.open(index) },
      framePicture(picture, this.colorOf, { alt, named: true, sizes: SIZES }),
      each > 1 ? el("span", { class: "muted small", text: `${picture.title}, ${picture.caption}` }) : null,
    );
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    // On a button, space presses that.
    const plays = event.key === "k" || (event.key === " " && event.target === this.element);
    if (by === undefined && !plays) return;
    event.preventDefault();
    if (by) this.on.step(by);
    else this.on.play();
  }
}
