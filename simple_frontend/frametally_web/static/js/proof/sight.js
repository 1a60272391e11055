// The picture next to the chart: the busiest frame of the chart, or of the bar under the pointer.

import { framePicture } from "../frames/boxed_picture.js";
import { fullestQuery } from "../shared/api.js";
import { byId, el } from "../shared/dom.js";
import { METRICS } from "../shared/metrics.js";
import { t } from "../shared/texts.js";
import { framesProof } from "./kinds.js";
import { framesFrom, openLightbox } from "./lightbox.js";

// A pointer that only passes over bars does not cause requests.
const PATIENCE_MS = 150;

/** @typedef {import("./lightbox.js").LargeFrame} LargeFrame */

export class Sight {
  constructor() {
    this.area = byId("sight");
    /** @type {import("./card.js").Asked|null} */
    this.asked = null;
    /** The busiest frame in the chart. @type {LargeFrame|null} */
    this.busiest = null;
    /** Start of the bar under the pointer. @type {number|null} */
    this.at = null;
    this.timer = 0;
    this.turn = 0;
  }

  /**
   * Shows the busiest of these frames until you point at a bar.
   * @param {(LargeFrame & {count: number})[]} frames
   * @param {import("./card.js").Asked} asked
   */
  rest(frames, asked) {
    this.asked = asked;
    this.busiest = frames.reduce((most, one) => (one.count > most.count ? one : most), frames[0]) ?? null;
    this.at = null;
    this.#show(this.busiest, t("web.busiest_frame"));
  }

  /** @param {Page.Row|null} row  the bar under the pointer */
  look(row) {
    const at = row?.start ?? null;
    if (at === this.at || !this.busiest || byId("answer").hasAttribute("data-open")) return;
    this.at = at;
    clearTimeout(this.timer);
    if (row) this.timer = window.setTimeout(() => this.#ask(row), PATIENCE_MS);
    else this.#show(this.busiest, t("web.busiest_frame"));
  }

  /** @param {Page.Row} row */
  async #ask({ start, end }) {
    if (!this.asked) return;
    const { state, counts, looks } = this.asked;
    const { model, base_interval_s: base, from_ms: from, to_ms: to } = counts;
    const query = fullestQuery({ ...state, model, from, to }, base, start, end);
    const bar = { query, metric: METRICS[counts.metric], version: "", frame: null, empty: true, looks };
    // Without a picture, the previous one stays; a click on the bar shows the error.
    const page = await framesProof.page(query, new AbortController().signal, bar).catch(() => null);
    const picture = page?.items[0]?.pictures[0];
    if (picture && this.at === start) this.#show(picture, t("web.busiest_frame_of_this_bar"));
  }

  /** @param {LargeFrame|null} frame @param {string} words */
  async #show(frame, words) {
    const mine = ++this.turn;
    const none = el("div.picture.missing", el("span", t("web.no_frame_here_has_anything_that")));
    if (!frame || !this.asked) return this.area.replaceChildren(none);
    const { colorOf } = this.asked.looks;
    const small = { ...frame, image_url: `${frame.image_url}&w=640` };
    const picture = framePicture(small, colorOf, { alt: frame.title });
    const image = picture.querySelector("img");
    await image?.decode().catch(() => {});
    if (mine !== this.turn) return;
    const hadFocus = this.area.contains(document.activeElement);
    const enlarge = () => openLightbox(framesFrom([frame], 0), colorOf);
    // Keyboard users open it from the bars and from the frames below.
    const about = { tabindex: -1, title: t("web.open_large"), onclick: enlarge };
    const open = el("button.sight-open", about, picture);
    const said = [el("span.muted", words), el("span.strong", frame.title), el("span.muted", frame.caption)];
    this.area.replaceChildren(open, el("figcaption.small", ...said));
    if (hadFocus) open.focus({ preventScroll: true });
  }
}
