// The proof of a bar: every frame behind it (or every unique object), with a running sum that ends at its value.

import { byId, el } from "../shared/dom.js";
import { showFailure, showMessage } from "./evidence.js";
import { framesProof, objectsProof } from "./kinds.js";
import { ProofList } from "./list.js";
import { ProofViewer } from "./viewer.js";

// A frame that a link names is looked for in so many pages.
const MOST_PAGES_TO_SEEK = 40;

/**
 * @typedef {Object} Item  a frame, or an object, of a proof
 * @property {string} key
 * @property {string} time
 * @property {string} source
 * @property {number} adds
 * @property {number} runningTotal
 * @property {string} what
 * @property {{label: string, count: number}|null} most  the label of which it has most; null for an object
 * @property {import("./lightbox.js").LargeFrame[]} pictures
 */

/**
 * @typedef {Object} Page  of a proof
 * @property {Item[]} items
 * @property {string|null} next
 * @property {string|null} note
 * @property {number|null} total  what the sum has to come to
 * @property {Api.Metric} metric  of the bar: its value is the sum, or made of what is summed up
 * @property {string} equation  how the sum becomes what the chart shows
 */

/**
 * @typedef {Object} Bar
 * @property {URLSearchParams} query  of the bar alone
 * @property {Page.Metric} metric
 * @property {string} version  changes with the bar's numbers
 * @property {string|null} frame  key of the item to begin with
 * @property {Page.ColorOf} colorOf
 * @property {(source: string) => string} nameOf
 */

export class Proof {
  /**
   * @param {HTMLElement} area
   * @param {(key: string) => void} onChoose  told of each item that the viewer goes to
   */
  constructor(area, onChoose) {
    this.area = area;
    this.onChoose = onChoose;
    this.shown = "";
    /** @type {ProofOfBar|null} */
    this.current = null;
  }

  /** Nothing is proved any more. */
  close() {
    this.current?.abort.abort();
    this.current = null;
    this.shown = "";
  }

  /**
   * Shows what stands behind a bar, unless that is there already.
   * @param {Bar} bar
   */
  async show(bar) {
    const wanted = JSON.stringify([String(bar.query), bar.metric.id, bar.version]);
    if (wanted === this.shown) return;
    // The same bar, grown: the frame that is looked at stays.
    const before = String(this.current?.bar.query) === String(bar.query) ? this.current : null;
    const key = before?.items[before.position]?.key ?? bar.frame;
    const hadFocus = before !== null && this.area.contains(document.activeElement);
    this.close();
    this.shown = wanted;
    this.current = new ProofOfBar(this.area, bar, this.onChoose, () => {
      this.shown = "";
      this.show(bar);
    });
    await this.current.load(key);
    if (hadFocus) this.focus();
  }

  /** Puts the keyboard on the frames. */
  focus() {
    this.current?.viewer.focus();
  }
}

/** The proof of one bar, page by page. */
class ProofOfBar {
  /**
   * @param {HTMLElement} area
   * @param {Bar} bar
   * @param {(key: string) => void} onChoose
   * @param {() => void} again
   */
  constructor(area, bar, onChoose, again) {
    this.area = area;
    this.bar = bar;
    this.onChoose = onChoose;
    this.again = again;
    this.abort = new AbortController();
    this.kind = bar.metric.id === "objects" ? objectsProof : framesProof;
    /** @type {Item[]} */
    this.items = [];
    /** @type {string|null} */
    this.next = null;
    this.ended = false;
    this.loading = false;
    this.position = -1;
    this.viewer = new ProofViewer(bar.colorOf, {
      step: (by) => this.#step(by),
      pictures: () => this.items.flatMap((item) => item.pictures),
      goTo: (position) => this.#goTo(position),
    });
    this.list = new ProofList({ choose: (position) => this.#goTo(position), more: () => this.load() });
    area.classList.remove("bare");
    area.replaceChildren(el("div", { class: "proof" }, this.viewer.element, this.list.element));
  }

  /**
   * The next page; one may be empty and yet not be the last.
   * @param {string|null} [key]  of the item to begin with, if it is there: pages up to its own are loaded
   */
  async load(key = null) {
    if (this.ended || this.loading) return;
    this.loading = true;
    this.area.setAttribute("aria-busy", "true");
    const before = this.items.length;
    try {
      let pages = 0;
      const position = () => this.items.findIndex((item) => item.key === key);
      const seeks = () => key !== null && pages < MOST_PAGES_TO_SEEK && position() < 0;
      do {
        await this.#loadPage();
        pages += 1;
      } while (!this.ended && (this.items.length === before || seeks()));
      const first = position();
      if (this.position < 0) this.#choose(Math.max(first, 0), first > 0);
      if (!this.items.length) showMessage(this.area, this.kind.nothing);
    } catch (error) {
      if (/** @type {any} */ (error).name !== "AbortError")
        showFailure(this.area, /** @type {any} */ (error), this.again);
    }
    this.loading = false;
    this.area.setAttribute("aria-busy", "false");
  }

  async #loadPage() {
    const query = new URLSearchParams(this.bar.query);
    if (this.next) query.set("cursor", this.next);
    const page = await this.kind.page(query, this.abort.signal, this.bar);
    this.items.push(...page.items);
    this.next = page.next;
    this.ended = page.next === null;
    this.list.append(page, this.ended);
  }

  /** @param {number} by */
  async #step(by) {
    const target = this.position + by;
    if (target >= this.items.length) await this.load();
    this.#goTo(target);
  }

  /** @param {number} position  of the item that the viewer wants to see */
  #goTo(position) {
    const item = this.items[position];
    if (!item) return;
    this.#choose(position);
    this.onChoose(item.key);
  }

  /**
   * @param {number} position
   * @param {boolean} scroll
   */
  #choose(position, scroll = true) {
    const item = this.items[position];
    if (!item) return;
    this.position = position;
    this.viewer.show(item, position, this.ended && position === this.items.length - 1);
    this.list.choose(position, scroll);
    byId("spoken").textContent = `${item.time}, ${item.what}, running sum ${item.runningTotal}`;
  }
}
