// The tabs below a video's picture: counts, file, processing, versions, checks.

import { EnhancePanel } from "../enhance/panel.js";
import { keepRows } from "../jobs/row.js";
import { isOpen, makesVersion, newestFirst } from "../jobs/words.js";
import { el } from "frametally/js/shared/dom.js";
import { Tabs } from "frametally/js/shell/tabs.js";
import { About, Kept } from "./facts.js";
import { Quality } from "./quality.js";
import { askDerivatives } from "../library/requests.js";
import { t } from "frametally/js/shared/texts.js";

export class VideoTabs {
  /**
   * @param {HTMLElement} counts  content of the first tab
   * @param {{choose: (recipe: string) => void, showMade: (made: Api.VideoDerivative[]) => void, onMove: (positionS:
   *   number) => void, screen: {seek: (positionS: number) => void}}} player
   */
  constructor(counts, player) {
    /** @type {Api.LibraryVideo|null} */
    this.video = null;
    this.leave = false;
    /** @type {Api.VideoDerivative[]} */
    this.made = [];
    this.player = player;
    this.about = new About();
    this.jobs = el("ul.jobs.stack");
    this.showJobs = keepRows(this.jobs, false);
    this.noJobs = el("p.muted.small", t("videos.nothing_was_done_to_it_yet"));
    this.enhance = new EnhancePanel({
      play: (recipe) => player.choose(recipe),
      removed: () => this.derivatives.forget(),
    });
    this.quality = new Quality(
      (positionS) => player.screen.seek(positionS),
      (failed) => this.tabs.mark("quality", failed ? t("videos.failed_number", { failed }) : "", "bad"),
    );
    this.derivatives = new Kept(askDerivatives, (answer) => this.#showMade(answer?.derivatives ?? []));
    player.onMove = (positionS) => this.enhance.move(positionS);
    const all = el("p.small", el("a", { href: "/jobs" }, t("videos.the_jobs_of_all_videos")));
    const panel = (/** @type {HTMLElement[]} */ ...children) => el("div", ...children);
    this.tabs = new Tabs(
      t("videos.about_this_video"),
      [
        { name: "counts", title: t("web.counts"), panel: counts },
        { name: "about", title: t("videos.about"), panel: panel(this.about.element) },
        {
          name: "processing",
          title: t("videos.processing"),
          panel: panel(el("div.card", this.jobs, this.noJobs, all)),
        },
        { name: "enhance", title: t("videos.enhance"), panel: panel(this.enhance.element) },
        { name: "quality", title: t("videos.quality"), panel: panel(this.quality.element) },
      ],
      (name) => {
        this.about.turn(name === "about");
        this.enhance.turn(name === "enhance");
      },
    );
    this.element = this.tabs.element;
  }

  /**
   * @param {Api.LibraryVideo} video
   * @param {boolean} leave  whether you may change it
   */
  show(video, leave) {
    this.video = video;
    this.leave = leave;
    const newest = newestFirst(video.jobs);
    this.showJobs(newest, leave);
    this.noJobs.hidden = newest.length > 0;
    const [open, failed] = [newest.filter(isOpen), newest.filter(({ state }) => state === "failed")];
    const words = failed.length
      ? t("videos.checks_failed", { length: failed.length })
      : open.length
        ? t("videos.under_way", { length: open.length })
        : "";
    this.tabs.mark("processing", words, failed.length ? "bad" : "work");
    this.about.show(video);
    this.quality.show(video);
    const done = newest.filter((job) => job.state === "done" && makesVersion(job));
    // No other event requests them.
    const version = done.length ? JSON.stringify([done.map(({ id }) => id), video.links]) : null;
    this.derivatives.show(video.id, version);
    this.enhance.show(video, this.made, leave);
  }

  end() {
    for (const one of [this.about, this.enhance, this.quality, this.derivatives]) one.end();
  }

  /** @param {Api.VideoDerivative[]} made */
  #showMade(made) {
    this.made = made;
    this.player.showMade(made);
    if (this.video) this.enhance.show(this.video, made, this.leave);
  }
}
