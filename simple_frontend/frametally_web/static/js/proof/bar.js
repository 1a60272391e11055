// The proof of a bar: all frames (or unique objects) behind it, with a running sum that ends at its value.

import { el } from "../shared/dom.js";
import { setMoment } from "../shared/moment.js";
import { ProofList, showFailure, showMessage } from "./list.js";
import { framesProof, objectsProof } from "./kinds.js";
import { openLightbox } from "./lightbox.js";
import { pace, Player, ProofViewer } from "./viewer.js";
import { speak } from "../status/notices.js";
import { t } from "../shared/texts.js";

// The most pages to search for the frame in a link.
const MOST_PAGES_TO_SEEK = 40;
// This close to the end of the loaded items, load more.
const NEAR = 4;

/**
 * @typedef {Object} Item  a frame or an object of a proof
 * @property {string} key
 * @property {number} at_ms
 * @property {string} time
 * @property {string} source
 * @property {number} adds
 * @property {number} runningTotal
 * @property {string} what
 * @property {{label: string, count: number}|null} most  the label with the most boxes; `null` for an object
 * @property {import("./lightbox.js").LargeFrame[]} pictures
 */

/**
 * @typedef {Object} Page  one page of a proof
 * @property {Item[]} items
 * @property {string|null} previous
 * @property {string|null} next
 * @property {number|null} position  items on earlier pages; `null` if unknown
 * @property {number|null} count  number of all items; `null` if unknown before the last page
 * @property {number} analysed  number of analysed frames
 * @property {string|null} note
 * @property {number|null} total  the expected sum
 * @property {Api.Metric} metric  of the bar, whose value is the sum or follows from it
 * @property {string} equation  how the chart's value follows from the sum
 */

/**
 * @typedef {Object} Bar
 * @property {URLSearchParams} query  selects only this bar
 * @property {Page.Metric} metric
 * @property {string} version  changes when the bar's numbers do
 * @property {string|null} frame  key of the first item to show
 * @property {boolean} empty  whether to include frames without a counted box
 * @property {Page.Looks} looks
 */

/**
 * @typedef {Object} Listener
 * @property {(key: string) => void} frame  called for each item that the viewer opens
 * @property {(empty: boolean) => void} empty  called when the viewer includes or excludes frames without boxes
 */

export class Proof {
  /** @param {HTMLElement} area @param {Listener} on */
  constructor(area, on) {
    this.area = area;
    this.on = on;
    this.shown = "";
    /** @type {ProofOfBar|null} */
    this.current = null;
  }

  /** Closes the proof. */
  close() {
    this.current?.close();
    this.current = null;
    this.shown = "";
  }

  /** Shows the frames behind a bar, unless they are already there. @param {Bar} bar */
  async show(bar) {
    const wanted = JSON.stringify([String(bar.query), bar.metric.id, bar.empty, bar.version]);
    if (wanted === this.shown) return;
    // If the same bar has grown or has other frames, keep the current one.
    const before = String(this.current?.bar.query) === String(bar.query) ? this.current : null;
    const key = before?.items[before.position]?.key ?? bar.frame;
    const focused = before && this.area.contains(document.activeElement) ? document.activeElement : null;
    await this.#open(bar, key, wanted);
    if (focused instanceof HTMLInputElement) this.current?.list.empty.focus();
    else if (focused) this.focus();
  }

  /**
   * @param {Bar} bar
   * @param {string|null} key  of the first item to show; `null` for the first item, or for the peak of a peak
   * @param {string} wanted
   * @param {boolean} [fullest]  whether to start with the frame that has the most boxes
   */
  async #open(bar, key, wanted, fullest = bar.metric.id === "peak") {
    this.close();
    this.shown = wanted;
    this.current = new ProofOfBar(this.area, bar, {
      ...this.on,
      again: () => {
        this.shown = "";
        this.show(bar);
      },
      fullest: async () => {
        await this.#open(bar, null, wanted, true);
        this.focus();
      },
    });
    await this.current.load(key, fullest);
  }

  /** Moves the focus to the frames. */
  focus() {
    this.current?.viewer.focus();
  }

  /** Plays the objects one after another, unless the viewer prefers reduced motion. */
  play() {
    const current = this.current;
    if (!current?.kind.each_ms || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    if (!current.player.isPlaying) current.player.toggle();
  }
}

/** The proof of one bar, page by page. */
class ProofOfBar {
  /**
   * @param {HTMLElement} area
   * @param {Bar} bar
   * @param {Listener & {again: () => void, fullest: () => void}} on
   */
  constructor(area, bar, on) {
    this.area = area;
    this.bar = bar;
    this.on = on;
    this.abort = new AbortController();
    this.kind = bar.metric.id === "objects" ? objectsProof : framesProof;
    /** @type {Item[]} */
    this.items = [];
    /** @type {Page|null} */
    this.first = null; // range of the loaded pages
    /** @type {Page|null} */
    this.last = null;
    /** @type {Promise<void>|null} */
    this.loading = null;
    this.position = -1;
    this.player = new Player({
      prepare: () => this.#prepareNext(),
      step: () => this.#choose(this.position + 1),
      change: (isPlaying) => this.#showPlaying(isPlaying),
    });
    this.viewer = new ProofViewer(bar.looks.colorOf, {
      step: (by) => this.#step(by),
      choose: (item) => this.#goTo(this.items.indexOf(item)),
      open: (picture) => openLightbox(this.#large(picture), bar.looks.colorOf),
      play: () => this.player.toggle(),
      fullest: this.kind.hasFullest ? on.fullest : null,
    });
    this.list = new ProofList({
      choose: (position) => this.#goTo(position),
      more: (by) => this.#load(by),
      empty: this.kind.hasEmpty ? on.empty : null,
      isEmpty: bar.empty,
    });
    area.classList.remove("bare");
    area.replaceChildren(el("div.proof", this.viewer.element, this.list.element));
  }

  close() {
    this.player.stop();
    this.abort.abort();
    setMoment(null);
  }

  /** Whether the first item of all is loaded. */
  get began() {
    return this.first !== null && this.first.previous === null;
  }

  get ended() {
    return this.last !== null && this.last.next === null;
  }

  /**
   * Loads the first items.
   * @param {string|null} key  of the first item to show, if it exists: pages are loaded up to it
   * @param {boolean} fullest  whether to start with the frame that has the most boxes, without a key
   */
  async load(key, fullest) {
    let pages = 0;
    const position = () => this.items.findIndex((item) => item.key === key);
    do {
      await this.#load(1, key === null && fullest);
      pages += 1;
    } while (
      !this.ended &&
      !this.abort.signal.aborted &&
      key &&
      pages < MOST_PAGES_TO_SEEK &&
      position() < 0
    );
    const first = position();
    if (this.position < 0) this.#choose(Math.max(first, 0), first > 0);
  }

  /**
   * Loads the next or previous page, which can be empty without being the last.
   * @param {-1|1} by
   * @param {boolean} [fullest]
   */
  async #load(by, fullest = false) {
    while (this.loading) await this.loading;
    if (by > 0 ? this.ended : this.began) return;
    this.area.setAttribute("aria-busy", "true");
    this.loading = this.#loadPage(by, fullest);
    await this.loading;
    this.loading = null;
    this.area.setAttribute("aria-busy", "false");
  }

  /** @param {-1|1} by @param {boolean} fullest */
  async #loadPage(by, fullest) {
    const before = this.items.length;
    try {
      do {
        const page = await this.#ask(by, fullest);
        this.#add(page, by);
      } while (this.items.length === before && !(by > 0 ? this.ended : this.began));
      if (!this.items.length) this.#showNothing();
      else if (this.position >= 0) this.#show();
    } catch (error) {
      this.player.stop();
      if (/** @type {any} */ (error).name !== "AbortError")
        showFailure(this.area, /** @type {any} */ (error), this.on.again);
    }
  }

  /** @param {-1|1} by @param {boolean} fullest */
  #ask(by, fullest) {
    const query = new URLSearchParams(this.bar.query);
    const cursor = by > 0 ? this.last?.next : this.first?.previous;
    if (cursor) query.set("cursor", cursor);
    else if (fullest) query.set("start", "peak");
    if (this.bar.empty && this.kind.hasEmpty) query.set("empty", "1");
    return this.kind.page(query, this.abort.signal, this.bar);
  }

  /** @param {Page} page @param {-1|1} by */
  #add(page, by) {
    if (by > 0) {
      this.items.push(...page.items);
      this.first ??= page;
      this.last = page;
    } else {
      this.items.unshift(...page.items);
      this.first = page;
      if (this.position >= 0) this.position += page.items.length;
    }
    this.list.add(page, by, this.began, this.ended);
  }

  #showNothing() {
    const { analysed, total, note } = this.last ?? { analysed: 0, total: 0, note: null };
    const message = note ?? t("web.they_are_not_in_the_store");
    if (total) return showFailure(this.area, { message }, this.on.again);
    const shows = this.kind.hasEmpty && !this.bar.empty && analysed > 0;
    const text =
      analysed === 1
        ? t("web.show_the_frame_that_was_analysed")
        : t("web.show_the_frames_analysed", { analysed });
    const button = el("button.button", { onclick: () => this.on.empty(true) }, text);
    showMessage(this.area, this.kind.nothing, shows ? button : null);
  }

  /** @param {number} by */
  async #step(by) {
    this.player.stop();
    const item = this.items[this.position];
    const isHere = () => this.items[this.items.indexOf(item) + by] !== undefined;
    if (!isHere()) await this.#load(by > 0 ? 1 : -1);
    if (isHere()) this.#goTo(this.items.indexOf(item) + by);
  }

  /** @param {number} position  of the item to show */
  #goTo(position) {
    const item = this.items[position];
    if (!item) return;
    this.player.stop();
    this.#choose(position);
    this.on.frame(item.key);
  }

  /** @param {number} position @param {boolean} [scroll] */
  #choose(position, scroll = true) {
    const item = this.items[position];
    if (!item) return;
    this.position = position;
    this.#show(scroll);
    setMoment(item.at_ms);
    // During playback, screen readers do not read every frame, which would be noise.
    const { time, what, runningTotal } = item;
    if (!this.player.isPlaying) speak(t("web.running_sum", { time, what, runningTotal }));
    if (this.loading) return;
    // Load the neighbours, because the filmstrip shows them and they are next.
    if (position > 0 && position + NEAR >= this.items.length) this.#load(1);
    else if (position < NEAR) this.#load(-1);
  }

  /** @param {boolean} [scroll] */
  #show(scroll = false) {
    const before = this.first?.position ?? (this.began ? 0 : null);
    const all = before !== null && this.ended ? before + this.items.length : null;
    this.viewer.show(this.items, this.position, {
      number: before === null ? null : before + this.position + 1,
      of: this.last?.count ?? all,
      total: this.last?.total ?? null,
      isFirst: this.began && this.position === 0,
      isLast: this.ended && this.position === this.items.length - 1,
    });
    this.list.choose(this.position, scroll);
  }

  async #prepareNext() {
    const item = this.items[this.position];
    if (this.position + 1 >= this.items.length) await this.#load(1);
    const next = this.items[this.items.indexOf(item) + 1];
    if (!item || !next) return null;
    await this.viewer.ready(next);
    return { wait_ms: this.kind.each_ms ?? pace(next.at_ms - item.at_ms) };
  }

  /** @param {boolean} isPlaying */
  #showPlaying(isPlaying) {
    this.viewer.showPlaying(isPlaying);
    const item = this.items[this.position];
    if (isPlaying || !item || this.abort.signal.aborted) return;
    const { time, runningTotal } = item;
    speak(t("web.stopped_at_running_sum", { time, runningTotal }));
    this.on.frame(item.key);
  }

  /**
   * The pictures of all items, for the large view.
   * @param {number} picture  of the current item
   * @returns {import("./lightbox.js").Frames}
   */
  #large(picture) {
    this.player.stop();
    let index = picture;
    /** @param {number} by */
    const target = (by) => {
      const each = this.items[this.position].pictures.length;
      return { items: Math.floor((index + by) / each), picture: (index + by + each * 2) % each };
    };
    return {
      current: () => this.items[this.position].pictures[index],
      has: (by) => {
        const position = this.position + target(by).items;
        return this.items[position] !== undefined || !(position < 0 ? this.began : this.ended);
      },
      step: async (by) => {
        const { items, picture: next } = target(by);
        const before = this.items[this.position];
        if (items) await this.#step(items);
        // If there was no further item at the end, stay.
        if (!items || this.items[this.position] !== before) index = next;
      },
      closed: () => this.viewer.focus(),
    };
  }
}
