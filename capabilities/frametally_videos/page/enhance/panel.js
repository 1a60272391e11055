// Enhancing a video: the settings with a preview of the current frame, and the versions so far.

import { el, refill } from "frametally/js/shared/dom.js";
import { keepRows } from "../jobs/row.js";
import { isOpen, makesVersion, newestFirst } from "../jobs/words.js";
import { tellNews } from "../library/news.js";
import { playTime } from "../library/words.js";
import { press, speak } from "frametally/js/status/notices.js";
import { madeRow } from "./versions.js";
import { Comparing } from "./comparing.js";
import { Settings } from "./settings.js";
import { sendEnhance } from "../library/requests.js";
import { t } from "frametally/js/shared/texts.js";

/** While the video plays, the page does not request every frame. */
const STANDING_MS = 300;
const COMING = t("videos.it_is_being_made");

export class EnhancePanel {
  /** @param {{play: (recipe: string) => void, removed: () => void}} on  actions for finished videos */
  constructor(on) {
    this.on = on;
    /** @type {Api.LibraryVideo|null} */
    this.video = null;
    this.leave = true;
    this.isShown = false;
    this.positionS = 0;
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.standing = undefined;
    this.settings = new Settings(() => this.#changed());
    this.comparing = new Comparing();
    this.place = el("p.muted.small");
    this.make = el("button.button.primary", { type: "submit" }, t("videos.make_it"));
    this.said = el("p.form-said", { role: "alert", hidden: true });
    this.told = el("p.muted.small");
    this.form = el(
      "form.enhance-form.stack",
      { onsubmit: (/** @type {Event} */ event) => this.#send(event) },
      this.settings.element,
      this.said,
      el(
        "div.row",
        this.make,
        el("button.button", { onclick: () => this.settings.clear() }, t("videos.reset_all")),
      ),
      this.told,
    );
    this.coming = el("ul.coming.stack");
    this.showComing = keepRows(this.coming, false);
    this.list = el("ul.made-list.stack");
    this.none = el("p.muted.small", t("videos.nothing_was_made_of_this_video"));
    this.element = el(
      "div.card",
      el("p.muted.small", t("videos.a_copy_that_is_easier_to")),
      el("div.enhance.stack", el("div", this.comparing.element, this.place), this.form),
      el("h3.made-title", t("videos.made_of_this_video")),
      this.coming,
      this.list,
      this.none,
    );
    this.text = "";
    this.#changed();
  }

  /**
   * @param {Api.LibraryVideo} video
   * @param {Api.VideoDerivative[]} made
   * @param {boolean} leave  whether you may start jobs here
   */
  show(video, made, leave) {
    if (this.video && this.video.id !== video.id) this.settings.clear();
    this.video = video;
    this.leave = leave;
    this.form.hidden = !leave;
    const isComing = (/** @type {Api.VideoJob} */ job) => isOpen(job) || job.state === "failed";
    this.showComing(
      newestFirst(video.jobs).filter((job) => makesVersion(job) && isComing(job)),
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

  /** Requests pictures only while the tab is open. @param {boolean} isShown */
  turn(isShown) {
    this.isShown = isShown;
    this.#showFrame();
  }

  /** Follows the player's position. @param {number} positionS */
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
    const options = this.settings.read();
    if (!video || !isShown || !options) return;
    const lengthS = video.duration_s ?? Infinity;
    const at = Math.min(positionS, Math.max(lengthS - 0.5 / (video.fps || 25), 0));
    this.comparing.show(video, at, options);
    this.place.textContent = t("videos.the_frame_at_where_the_player", { at: playTime(Math.floor(at)) });
  }

  #changed() {
    const options = this.settings.read();
    this.said.hidden = true;
    const isSame = options !== null && !Object.keys(options).length;
    this.make.disabled = isSame;
    this.told.textContent = isSame
      ? t("videos.move_a_slider_to_change_something")
      : options?.fps
        ? t("videos.how_many_frames_a_second_there")
        : "";
    this.#showFrame();
  }

  /** @param {Event} event */
  #send(event) {
    event.preventDefault();
    const options = this.settings.read();
    if (!this.video || !options || !Object.keys(options).length) return;
    const { id } = this.video;
    press(this.make, this.said, async () => {
      const { state } = await sendEnhance(id, options);
      const words = state === "done" ? t("videos.this_was_made_before_it_stands") : COMING;
      speak(words);
      this.told.textContent = words;
      tellNews();
    });
  }
}
