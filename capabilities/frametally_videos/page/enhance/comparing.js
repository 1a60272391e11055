// One frame before and after: the second picture covers the first up to a slider.

import { problemOf } from "frametally/js/shared/api.js";
import { el } from "frametally/js/shared/dom.js";
import { wordsOf } from "frametally/js/status/notices.js";
import { frameUrl } from "../library/requests.js";
import { t } from "frametally/js/shared/texts.js";

/** While you drag a slider, the page does not request every position. */
const PULLING_MS = 120;

export class Comparing {
  constructor() {
    this.before = el("img.split-picture.fills", { alt: t("videos.the_frame_as_it_is") });
    this.after = el("img.split-picture.split-after.fills", { alt: t("videos.the_frame_as_it_would_be") });
    this.split = el("input.split-slider.fills", {
      type: "range",
      min: "0",
      max: "100",
      value: "50",
      "aria-label": t("videos.where_the_picture_as_it_is"),
      oninput: () => this.#showSplit(),
    });
    this.line = el("span.split-line", { "aria-hidden": "true" });
    this.stage = el(
      "div.split",
      { "data-state": "none" },
      this.before,
      this.after,
      this.line,
      el("span.split-tag", t("videos.before")),
      el("span.split-tag.right", t("videos.after")),
      this.split,
    );
    this.said = el("p.muted.small", { role: "status" });
    this.element = el("div.comparing", this.stage, this.said);
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.timer = undefined;
    /** Number of the current request; late pictures of earlier ones are ignored. */
    this.turn = 0;
    this.shown = "";
    this.#showSplit();
  }

  /** @param {Api.LibraryVideo} video @param {number} positionS @param {Partial<Api.Enhancement>} options */
  show({ id, width_px: width, height_px: height }, positionS, options) {
    this.stage.style.setProperty("--ratio", String(width / height));
    const still = { ...options, fps: undefined }; // the frame rate does not change a picture
    const [before, after] = [frameUrl(id, positionS, {}), frameUrl(id, positionS, still)];
    if (this.shown === before + after) return;
    this.shown = before + after;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#load(before, after), PULLING_MS);
  }

  end() {
    clearTimeout(this.timer);
    this.turn += 1;
    this.shown = "";
  }

  /** @param {string} before @param {string} after */
  async #load(before, after) {
    this.turn += 1;
    const mine = this.turn;
    this.stage.dataset.state = "loading";
    try {
      await Promise.all([before, after].map(load));
      if (mine !== this.turn) return;
      this.before.src = before;
      this.after.src = after;
      await Promise.all([this.before.decode(), this.after.decode()]);
      if (mine !== this.turn) return;
      this.stage.dataset.state = "ready";
      this.said.textContent = "";
    } catch {
      const words = await faultOf(after);
      if (mine !== this.turn) return;
      this.stage.dataset.state = "failed";
      this.said.textContent = words;
      this.shown = "";
    }
  }

  #showSplit() {
    this.stage.style.setProperty("--split", `${this.split.value}%`);
    this.split.setAttribute("aria-valuetext", t("videos.split_as_it_is", { value: this.split.value }));
  }
}

/** Loads a picture before the page shows it. @param {string} url */
const load = (url) => Object.assign(new Image(), { src: url }).decode();

/** Why a picture failed to load. @param {string} url */
async function faultOf(url) {
  try {
    const answer = await fetch(url, { headers: { Accept: "application/json" } });
    return answer.ok ? t("videos.the_picture_cannot_be_shown") : wordsOf(await problemOf(answer));
  } catch {
    return t("videos.the_server_does_not_answer_a");
  }
}
