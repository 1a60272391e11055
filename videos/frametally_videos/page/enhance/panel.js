// Making a video better to look at: how, seen on the frame at hand, and what was made so far.

import { el, refill } from "frametally/js/shared/dom.js";
import { keepRows } from "../jobs/row.js";
import { isOpen } from "../jobs/words.js";
import { tellNews } from "../library/news.js";
import { playTime } from "../library/words.js";
import { speak, wordsOf } from "frametally/js/shell/saying.js";
import { sendEnhance } from "./asking.js";
import { Comparing } from "./comparing.js";
import { madeRow } from "./made.js";
import { Settings } from "./settings.js";

/** The player goes on meanwhile: its frames are not all asked for. */
const STANDING_MS = 300;
const COMING = "It is being made.";

export class EnhancePanel {
  /** @param {{play: (recipe: string) => void, removed: () => void}} on  what is done with a video that was made */
  constructor(on) {
    this.on = on;
    /** @type {Page.Video|null} */
    this.video = null;
    this.leave = true;
    this.isShown = false;
    this.positionS = 0;
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.standing = undefined;
    this.settings = new Settings(() => this.#changed());
    this.comparing = new Comparing();
    this.place = el("p", { class: "muted small" });
    this.make = el("button", { type: "submit", class: "button primary", text: "Make it" });
    this.said = el("p", { class: "form-said", role: "alert", hidden: true });
    this.told = el("p", { class: "muted small" });
    this.form = el(
      "form",
      {
        class: "enhance-form",
        novalidate: true,
        onsubmit: (/** @type {Event} */ event) => this.#send(event),
      },
      this.settings.element,
      this.said,
      el(
        "div",
        { class: "notice-buttons" },
        this.make,
        el("button", {
          type: "button",
          class: "button",
          text: "Reset all",
          onclick: () => this.settings.fill({}),
        }),
      ),
      this.told,
    );
    this.coming = el("ul", { class: "coming" });
    this.showComing = keepRows(this.coming, false);
    this.list = el("ul", { class: "made-list" });
    this.none = el("p", { class: "muted small", text: "Nothing was made of this video yet." });
    this.element = el(
      "div",
      { class: "card" },
      el(
        "p",
        { class: "muted small" },
        "A copy that is easier to look at. The original stays as it is, and is what is counted.",
      ),
      el("div", { class: "enhance" }, el("div", {}, this.comparing.element, this.place), this.form),
      el("h3", { class: "made-title", text: "Made of this video" }),
      this.coming,
      this.list,
      this.none,
    );
    this.text = "";
    this.#changed();
  }

  /**
   * @param {Page.Video} video
   * @param {Page.Derivative[]} made
   * @param {boolean} leave  whether anything may be made here
   */
  show(video, made, leave) {
    if (this.video && this.video.id !== video.id) this.settings.fill({});
    this.video = video;
    this.leave = leave;
    this.form.hidden = !leave;
    const jobs = video.jobs.filter(
      ({ kind, state }) => (kind === "enhance" || kind === "playable") && state !== "done",
    );
    const newest = [...jobs].sort((one, other) => other.created_at_ms - one.created_at_ms);
    this.showComing(
      newest.filter((job) => isOpen(job) || job.state === "failed"),
      leave,
    );
    this.none.hidden = made.length > 0 || this.coming.childElementCount > 0;
    const text = JSON.stringify([made, leave]);
    if (text !== this.text) {
      this.text = text;
      if (this.told.textContent === COMING) this.told.textContent = "";
      refill(this.list, ...made.map((one) => madeRow(one, leave, this.on)));
    }
    this.#showFrame();
  }

  /** Whether it is looked at: pictures are asked for only then. @param {boolean} isShown */
  turn(isShown) {
    this.isShown = isShown;
    this.#showFrame();
  }

  /** Where the player stands. @param {number} positionS */
  move(positionS) {
    this.positionS = positionS;
    if (!this.isShown) return;
    clearTimeout(this.standing);
    this.standing = setTimeout(() => this.#showFrame(), STANDING_MS);
  }

  end() {
    clearTimeout(this.standing);
    this.comparing.end();
  }

  #showFrame() {
    const { video, isShown, positionS } = this;
    const options = this.settings?.read();
    if (!video || !isShown || !options) return;
    const lengthS = video.duration_s ?? Infinity;
    const at = Math.min(positionS, Math.max(lengthS - 0.5 / (video.fps || 25), 0));
    this.comparing.show(video, at, options);
    this.place.textContent = `The frame at ${playTime(Math.floor(at))}, where the player stands.`;
  }

  #changed() {
    const options = this.settings?.read();
    if (options === undefined) return; // it is being built
    this.said.hidden = true;
    const isSame = options !== null && !Object.keys(options).length;
    this.make.disabled = isSame;
    this.told.textContent = isSame
      ? "Move a slider to change something."
      : options?.fps
        ? "How many frames a second there are does not show in one picture."
        : "";
    this.#showFrame();
  }

  /** @param {Event} event */
  async #send(event) {
    event.preventDefault();
    const options = this.settings.read();
    if (options === null) return this.settings.report();
    if (!this.video || !Object.keys(options).length) return;
    this.make.disabled = true;
    try {
      const { state } = await sendEnhance(this.video.id, options);
      const words = state === "done" ? "This was made before: it stands below." : COMING;
      speak(words);
      this.told.textContent = words;
      tellNews();
    } catch (error) {
      this.said.textContent = wordsOf(error);
      this.said.hidden = false;
    }
    this.make.disabled = false;
  }
}
