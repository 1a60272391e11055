// The view of one video. Its parts keep their elements when their contents change, so that it keeps playing and your
// input stays.

import { Kept } from "../described/facts.js";
import { VideoTabs } from "../described/tabbed.js";
import { el, refill } from "frametally/js/shared/dom.js";
import { moment } from "frametally/js/shared/format.js";
import { has } from "frametally/js/shell/navigation.js";
import { timeWords } from "../library/card.js";
import { filmed, isInWork, shareDone, stateWords, visible } from "../library/words.js";
import { askCounted, countsKey, UNCOUNTED } from "./found.js";
import { accountCard, countsCard } from "./cards.js";
import { makeEditing, makeForgetting, makeTimeForm } from "./editing.js";
import { Player } from "./player.js";
import { actionButton, speak } from "frametally/js/status/notices.js";
import { sendRetry } from "../library/requests.js";
import { t } from "frametally/js/shared/texts.js";

export class VideoView {
  /** @param {() => void} onChange  called after a change here */
  constructor(onChange) {
    this.onChange = onChange;
    /** @type {Api.LibraryVideo|null} */
    this.video = null;
    this.counted = UNCOUNTED;
    this.counts = new Kept(
      (_, signal) => askCounted(/** @type {Api.LibraryVideo} */ (this.video), signal),
      (counted) => counted && this.#showCounted(counted),
    );
    this.said = "";
    this.player = new Player();
    /** @type {Page.VideoPlace|null} */
    this.stream = null;
    this.streamed = el("div.video-streamed");
    this.name = el("bdi");
    this.where = el("p.video-where.muted.small");
    this.standing = el("div.video-standing", { role: "status" });
    this.outage = el("p.video-outage.remark-line", { role: "status", hidden: true });
    const saved = (/** @type {Api.LibraryVideo} */ video) => this.show(video);
    this.editing = makeEditing(saved);
    this.timing = makeTimeForm(saved);
    this.forgetting = makeForgetting();
    this.off = el("p.muted.small", { hidden: true });
    this.timeless = el("div.card", this.timing.element);
    this.cards = el("div.video-facts");
    this.tabs = new VideoTabs(this.cards, this.player);
    this.element = el(
      "div.video-view.stack",
      el("header.video-head", el("h2", this.name), this.where),
      this.outage,
      this.standing,
      this.timeless,
      el(
        "div.video-columns",
        el("div.video-beside", this.player.element, this.streamed),
        el("div.video-beside", this.tabs.element, this.editing.element, this.off, this.forgetting.element),
      ),
    );
    this.allow({ isAllowed: true, remedy: "" });
  }

  /** Stops all requests and playback. */
  end() {
    this.tabs.end();
    this.stream?.end();
    this.counts.end();
    this.player.end();
  }

  /** Shows whether you may change the video. @param {{isAllowed: boolean, remedy: string}} leave */
  allow({ isAllowed, remedy }) {
    this.isAllowed = isAllowed;
    this.off.hidden = isAllowed;
    this.off.textContent = t("videos.videos_cannot_be_changed_here", { remedy });
    this.#showLeave();
  }

  /** Shows that the server is not responding, and keeps the content. @param {string} words */
  away(words) {
    this.outage.textContent = t("videos.what_you_see_is_from_before", { words });
    this.outage.hidden = false;
  }

  /** @param {Api.LibraryVideo} video */
  show(video) {
    this.outage.hidden = true;
    this.video = video;
    this.counts.show(video.id, countsKey(video));
    const text = JSON.stringify(video);
    if (text === this.said) return;
    this.said = text;
    this.element.dataset.id = video.id;
    this.element.dataset.state = video.state;
    this.name.textContent = visible(video.name);
    this.where.replaceChildren(...whereWords(video));
    this.player.show(video);
    this.#showStream(video);
    this.#showStanding(video);
    this.#showCards(video);
    this.editing.show(video);
    this.timing.show(video);
    this.forgetting.show(video);
    this.#showLeave();
  }

  /** Shows a job's progress. @param {Page.ToldJob} told */
  tell({ video_id: id, job_id: jobId, state, progress, attempt, reason }) {
    const { video } = this;
    if (video?.id !== id || !video.jobs.some((job) => job.id === jobId)) return;
    const jobs = video.jobs.map((job) =>
      job.id === jobId ? { ...job, state, progress, reason, attempts: attempt } : job,
    );
    this.show({ ...video, jobs });
  }

  /** Offers the stream; a video without a time cannot be streamed. @param {Api.LibraryVideo} video */
  #showStream(video) {
    if (this.stream || video.started_at_ms === null || video.state === "deleting") return;
    // Scripts of other capabilities add their parts of a video there.
    this.stream = { video, slot: this.streamed, end: () => {} };
    document.dispatchEvent(new CustomEvent("frametally:video", { detail: this.stream }));
  }

  #showLeave() {
    const state = this.video?.state;
    const mayChange = this.isAllowed === true && state !== "deleting";
    this.timeless.hidden = !(mayChange && state === "needs_time");
    this.editing.element.hidden = !mayChange;
    this.forgetting.element.hidden = !mayChange || !has("run");
    if (this.video) this.tabs.show(this.video, mayChange);
  }

  /** @param {Api.LibraryVideo} video */
  #showCards(video) {
    const { colorOf } = this.counted;
    refill(this.cards, countsCard(video, colorOf), accountCard(video));
  }

  /** Shows the video's progress, and what you can do about problems. @param {Api.LibraryVideo} video */
  #showStanding(video) {
    const share = shareDone(video);
    const bar = el("progress", { max: "1", "aria-label": t("web.progress") });
    if (share !== null) bar.value = share;
    const words = el("span.video-state-words", stateWords(video));
    refill(
      this.standing,
      el("p.video-state", words, isInWork(video) ? bar : ""),
      ...(video.remedy ? [el("p.small", video.remedy)] : []),
      ...(video.state === "failed" ? [this.#retry(video)] : []),
    );
  }

  /** @param {Api.LibraryVideo} video */
  #retry({ id }) {
    return actionButton(t("web.try_again"), async () => {
      this.show(await sendRetry(id));
      speak(t("videos.it_is_tried_again"));
      this.onChange();
    });
  }

  /** @param {import("./found.js").Counted} counted */
  #showCounted(counted) {
    this.counted = counted;
    this.player.showCounted(counted);
    if (this.video) this.#showCards(this.video);
  }
}

/** @param {Api.LibraryVideo} video */
function whereWords(video) {
  const parts = [el("bdi", visible(video.source_name))];
  const moved = video.moved_from;
  if (moved) {
    const frames = t("web.count_frames", { count: moved.frames });
    const values = { frames, source_name: visible(moved.source_name), from_ms: moment(moved.from_ms) };
    parts.push(el("span.remark", t("videos.moved_of_from", values)));
  }
  return filmed(video) === null ? parts : [...parts, ...timeWords(video)];
}
