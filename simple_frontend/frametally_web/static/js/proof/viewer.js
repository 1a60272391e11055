// The current frame of a proof: its picture, its place in the sum, and the buttons to the next frames.

import { framePicture } from "../frames/boxed_picture.js";
import { arrange, el, iconButton } from "../shared/dom.js";
import { number } from "../shared/format.js";
import { onSwipe } from "./lightbox.js";
import { t } from "../shared/texts.js";

const EACH_SIDE = 3;

class Filmstrip {
  /** @param {Page.ColorOf} colorOf @param {(item: import("./bar.js").Item) => void} choose */
  constructor(colorOf, choose) {
    this.colorOf = colorOf;
    this.choose = choose;
    /** @type {Map<string, HTMLElement>} */
    this.shown = new Map();
    // The list of frames offers the same to screen readers and the keyboard.
    this.element = el("div.filmstrip", { "aria-hidden": "true" });
  }

  /** @param {import("./bar.js").Item[]} items @param {number} position */
  show(items, position) {
    const first = Math.max(0, Math.min(position - EACH_SIDE, items.length - 2 * EACH_SIDE - 1));
    const near = items.slice(first, first + 2 * EACH_SIDE + 1);
    this.element.hidden = near.length < 2;
    const before = this.shown;
    this.shown = new Map(near.map((item) => [item.key, before.get(item.key) ?? this.#button(item)]));
    arrange(this.element, [...this.shown.values()]);
    for (const item of near) this.shown.get(item.key)?.classList.toggle("current", item === items[position]);
  }

  /** @param {import("./bar.js").Item} item */
  #button(item) {
    const [first] = item.pictures;
    const picture = framePicture(first, this.colorOf, { alt: "", lazy: true, sizes: "96px", isCrop: first.isCrop }); // prettier-ignore
    const title = `${item.time}: ${item.what}`;
    return el("button", { tabindex: -1, title, onclick: () => this.choose(item) }, picture);
  }
}

const LEAST_MS = 60;
const MOST_MS = 800;

/** How long to show a frame, from its distance to the next. @param {number} apart_ms */
export const pace = (apart_ms) => Math.min(Math.max(apart_ms, LEAST_MS), MOST_MS);

export class Player {
  /**
   * @param {Object} on
   * @param {() => Promise<{wait_ms: number}|null>} on.prepare  loads the next frame; `null` if there is none
   * @param {() => void} on.step
   * @param {(isPlaying: boolean) => void} on.change
   */
  constructor(on) {
    this.on = on;
    this.isPlaying = false;
    this.round = 0;
  }

  toggle() {
    if (this.isPlaying) this.stop();
    else this.#play();
  }

  stop() {
    if (!this.isPlaying) return;
    this.isPlaying = false;
    this.round += 1;
    this.on.change(false);
  }

  async #play() {
    this.isPlaying = true;
    const mine = (this.round += 1);
    this.on.change(true);
    while (this.round === mine) {
      const shownAt = performance.now();
      const next = await this.on.prepare();
      if (this.round !== mine) return;
      if (!next) break;
      const wait = next.wait_ms - (performance.now() - shownAt);
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (this.round !== mine) return;
      this.on.step();
    }
    this.stop();
  }
}

// The number of pictures to load in advance.
const AHEAD = 3;
// Next to the chart, below it, and on a phone.
const SIZES = "(min-width: 1100px) 500px, (min-width: 900px) 60vw, 100vw";

/**
 * @typedef {Object} Place  a frame's place in its proof
 * @property {number|null} number  from 1; `null` if unknown
 * @property {number|null} of  the number of frames
 * @property {number|null} total  the final sum
 * @property {boolean} isFirst
 * @property {boolean} isLast
 */

export class ProofViewer {
  /**
   * @param {Page.ColorOf} colorOf
   * @param {Object} on
   * @param {(by: number) => void} on.step
   * @param {(item: import("./bar.js").Item) => void} on.choose
   * @param {(picture: number) => void} on.open  enlarges this picture of the item
   * @param {() => void} on.play
   * @param {(() => void)|null} on.fullest
   */
  constructor(colorOf, on) {
    this.colorOf = colorOf;
    this.on = on;
    /** @type {Map<import("./bar.js").Item, HTMLElement[]>} */
    this.pictures = new Map();
    /** @type {import("./bar.js").Item|null} */
    this.shown = null;
    this.isGoneThrough = false;
    this.stage = el("div.proof-stage", el("div.picture.skeleton"));
    this.caption = el("p.proof-caption");
    this.counter = el("p.proof-counter");
    this.progress = el("span.proof-progress", { "aria-hidden": "true" }, el("span"));
    this.filmstrip = new Filmstrip(colorOf, on.choose);
    this.previous = iconButton(t("web.previous_frame"), "‹", () => on.step(-1));
    this.following = iconButton(t("web.next_frame"), "›", () => on.step(1));
    this.play = el("button.button.proof-play", { onclick: on.play });
    this.element = el(
      "div.proof-viewer",
      { tabindex: 0, role: "group", "aria-label": t("web.frame_arrow_keys_go_to_the") },
      this.stage,
      this.progress,
      el("div.proof-tools", this.previous, this.caption, this.following),
      this.filmstrip.element,
      el(
        "div.proof-tools",
        this.play,
        on.fullest && el("button.button", { onclick: on.fullest }, t("web.go_to_the_fullest")),
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
    const sign = el("span", { "aria-hidden": "true" }, isPlaying ? "❚❚ " : "▶ ");
    this.play.replaceChildren(sign, isPlaying ? t("web.pause") : t("web.play"));
    this.element.classList.toggle("playing", isPlaying);
  }

  /** @param {import("./bar.js").Item[]} items @param {number} position @param {Place} place */
  show(items, position, place) {
    const item = items[position];
    const shown = this.#picturesOf(item);
    // Load in advance once the viewer steps through the frames; release distant ones.
    this.isGoneThrough ||= this.shown !== null && this.shown !== item;
    this.shown = item;
    const ahead = this.isGoneThrough ? items.slice(position + 1, position + 1 + AHEAD) : [];
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

  /** Shows the frame's place among all. @param {import("./bar.js").Item} item @param {Place} place */
  #showPlace(item, { number: no, of, total }) {
    const ofAll = (/** @type {number|null} */ most) =>
      most === null ? "" : t("web.of_most", { most: number(most) });
    const position = no === null ? "" : t("web.no", { no: number(no), of: ofAll(of) });
    this.caption.replaceChildren(
      el("span.strong", item.what),
      el("span.muted", `${item.source} · ${item.time}`),
      el("span.muted", `${position}+${number(item.adds)} = ${number(item.runningTotal)}${ofAll(total)}`),
      ...item.pictures[0].remarks.map((text) => el("span.remark", text)),
    );
    const sum = el("span.strong", number(item.runningTotal));
    this.counter.replaceChildren(sum, el("span.muted.small", ofAll(total)));
    const share = total ? Math.min(item.runningTotal / total, 1) : 0;
    this.progress.style.setProperty("--share", String(share));
  }

  /**
   * Waits until an item's pictures have loaded; does not wait for missing ones.
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
   * @param {number} each  pictures per item
   */
  #picture(picture, index, each) {
    const alt = t("web.frame_title", { title: picture.title });
    return el(
      "button.proof-picture",
      { title: t("web.open_full_size"), onclick: () => this.on.open(index) },
      framePicture(picture, this.colorOf, { alt, named: true, sizes: SIZES, isCrop: picture.isCrop }),
      each > 1 ? el("span.muted.small", `${picture.title}, ${picture.caption}`) : null,
    );
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    // On a button, Space presses the button.
    const plays = event.key === "k" || (event.key === " " && event.target === this.element);
    if (by === undefined && !plays) return;
    event.preventDefault();
    if (by) this.on.step(by);
    else this.on.play();
  }
}
