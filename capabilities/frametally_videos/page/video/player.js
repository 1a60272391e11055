// The player of one video: the picture with its boxes, the buttons, and the chart as the seek bar.

import { VersionChooser, versionsOf } from "../enhance/versions.js";
import { framesBoxes } from "frametally/js/frames/boxed_picture.js";
import { isOpen } from "../jobs/words.js";
import { el, svg, swatch } from "frametally/js/shared/dom.js";
import { bytes, percent, timeAmong } from "frametally/js/shared/format.js";
import { actionButton, speak } from "frametally/js/status/notices.js";
import { tellNews } from "../library/news.js";
import { setMoment } from "frametally/js/shared/moment.js";
import { colorsOf } from "frametally/js/shared/palette.js";
import { cornersOf, playTime, visible } from "../library/words.js";
import { KEYS, makeControls, SeekBar, takeKey } from "./controls.js";
import { Found, UNCOUNTED } from "./found.js";
import { FullestMoment } from "./fullest.js";
import { Screen } from "./screen.js";
import { sendAgain } from "../library/requests.js";
import { t } from "frametally/js/shared/texts.js";

export class Player {
  constructor() {
    /** @type {Api.LibraryVideo|null} */
    this.video = null;
    this.counted = UNCOUNTED;
    this.positionS = 0;
    this.hasBoxes = true;
    /** @type {Found|null} */
    this.found = null;
    /** Identifies the current overlay. */
    this.drawn = "";
    /** The message why it does not play; empty if it plays. */
    this.told = "";
    /** @type {Api.VideoDerivative[]} */
    this.made = [];
    /** Called with the position. @type {(positionS: number) => void} */
    this.onMove = () => {};
    this.versions = new VersionChooser(() => this.video && this.show(this.video));
    this.screen = new Screen({
      position: (positionS) => this.#moved(positionS),
      change: () => this.#changed(),
      fault: (words) => this.#fault(words),
    });
    this.overlay = el("div.video-overlay");
    this.region = svg("svg", {
      class: "video-region",
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": t("videos.region_of_interest"),
    });
    this.stamp = el("p.video-stamp");
    this.message = el("div.video-message", { role: "status", hidden: true });
    this.poster = el("img.video-picture.fills", { alt: "", hidden: true });
    this.stage = el(
      "div.picture.loaded.video-stage",
      this.screen.element,
      this.poster,
      this.overlay,
      this.region,
      this.stamp,
      this.message,
    );
    this.actions = this.#actions();
    this.controls = makeControls(this.actions);
    this.controls.element.append(this.versions.element);
    this.bar = new SeekBar((positionS) => this.screen.seek(positionS));
    this.fullest = new FullestMoment((positionS) => this.#stayAt(positionS));
    this.bar.element.append(this.fullest.mark);
    this.words = el("p.muted.small.seek-words");
    this.legend = el("ul.legend.seek-legend");
    this.element = el(
      "figure.card.player",
      this.stage,
      this.controls.element,
      this.bar.element,
      this.fullest.element,
      this.legend,
      this.words,
    );
    this.screen.element.addEventListener("click", () => this.screen.toggle());
    this.screen.element.addEventListener("loadedmetadata", () => {
      this.drawn = "";
      this.#shape();
      this.#draw();
    });
    this.poster.addEventListener("error", () => (this.poster.hidden = true));
  }

  get canPlay() {
    return this.versions.now !== null;
  }

  /** Adds the versions that were made of the video. @param {Api.VideoDerivative[]} made */
  showMade(made) {
    this.made = made;
    if (this.video) this.show(this.video);
  }

  /** Plays one of the versions. @param {string} recipe */
  choose(recipe) {
    this.versions.chosen = recipe;
    if (this.video) this.show(this.video);
    this.stage.scrollIntoView({ block: "nearest" });
  }

  /** @param {Api.LibraryVideo} video */
  show(video) {
    const before = this.video;
    this.video = video;
    if (before?.id !== video.id) this.#begin(video);
    if (before && before.frames.detected !== video.frames.detected) this.found?.forget();
    const { links } = video;
    this.versions.show(versionsOf(video, this.made));
    const { now } = this.versions;
    const isOn = now !== null;
    this.stage.dataset.version = now?.name ?? "";
    for (const one of [this.screen.element, this.controls.element, this.overlay]) one.hidden = !isOn;
    this.poster.hidden = isOn || !links.poster;
    this.bar.enable(isOn);
    this.fullest.element.toggleAttribute("disabled", !isOn);
    if (now && this.told) {
      this.told = "";
      this.message.hidden = true;
    }
    if (now) this.screen.show(now.url, links.poster, now.fps);
    else this.#cannotPlay(video);
    this.#shape();
    this.#showRegion(video);
    this.screen.element.setAttribute("aria-label", t("videos.video_name", { name: video.name }));
    this.#showBar();
    this.#changed();
    this.#draw();
  }

  /** The aspect ratio as the browser shows it, because pixels may not be square; until it is loaded, as stored. */
  get #ratio() {
    const { videoWidth, videoHeight } = this.screen.element;
    const { width_px: width, height_px: height } = this.video ?? { width_px: 16, height_px: 9 };
    return videoHeight && this.canPlay ? videoWidth / videoHeight : width / height;
  }

  #shape() {
    this.stage.style.setProperty("--ratio", String(this.#ratio));
  }

  /** Shows the region of interest that was uploaded with the video. @param {Api.LibraryVideo} video */
  #showRegion({ roi, width_px: width, height_px: height }) {
    this.region.style.display = roi ? "" : "none";
    this.region.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const polygons = cornersOf(roi).map((corners) => svg("polygon", { points: corners.join(" ") }));
    this.region.replaceChildren(...polygons);
  }

  /** Handles a key press outside the player. @param {KeyboardEvent} event */
  key(event) {
    const isPlayers = event.target instanceof Node && this.element.contains(event.target);
    if (this.canPlay) takeKey(event, this.actions, { speed: this.screen.element.playbackRate, isPlayers });
  }

  /** @param {import("./found.js").Counted} counted */
  showCounted(counted) {
    this.counted = counted;
    this.drawn = "";
    this.#showBar();
    this.#draw();
  }

  /** Stops playing and loading. */
  end() {
    this.found?.end();
    this.found = null;
    this.video = null;
    this.screen.end();
    this.fullest.hide();
    setMoment(null);
  }

  /** @param {Api.LibraryVideo} video */
  #begin(video) {
    this.found?.end();
    this.found = new Found(video.id, () => this.#draw());
    this.counted = UNCOUNTED;
    this.positionS = 0;
    this.drawn = "";
    this.overlay.replaceChildren();
    this.message.hidden = true;
    this.told = "";
    this.poster.removeAttribute("src");
    this.versions.forget();
    this.made = [];
    this.screen.end();
    this.fullest.hide();
    this.bar.move(0);
    this.#stampIt();
  }

  /** @returns {import("./controls.js").Actions} */
  #actions() {
    const { screen } = this;
    return {
      toggle: () => screen.toggle(),
      step: (by) => screen.step(by),
      leap: (by) => screen.seek(this.bar.leap(screen.placeS, by)),
      go: (end) => screen.seek(end === "start" ? 0 : Infinity),
      speed: (times) => screen.setSpeed(times),
      sound: () => screen.toggleSound(),
      boxes: () => {
        this.hasBoxes = !this.hasBoxes;
        this.#changed();
        this.#draw();
      },
      full: () => this.#fillScreen(),
    };
  }

  /** @param {number} positionS */
  async #stayAt(positionS) {
    if (!this.canPlay) return;
    if (this.screen.isPlaying) this.screen.toggle();
    await this.screen.seek(positionS);
    this.screen.element.focus({ preventScroll: true }); // where Space plays
  }

  #fillScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.element.requestFullscreen?.().catch(() => {}); // if the browser forbids it, nothing changes
  }

  /** @param {number} positionS */
  #moved(positionS) {
    this.positionS = positionS;
    this.onMove(positionS);
    this.bar.move(positionS);
    this.#stampIt();
    this.#draw();
  }

  #changed() {
    const { element, isPlaying } = this.screen;
    this.controls.show({
      isPlaying,
      speed: element.playbackRate,
      hasSound: this.video?.has_sound ?? false,
      isMuted: element.muted,
      hasBoxes: this.hasBoxes,
    });
    this.element.dataset.playing = String(isPlaying);
    this.#showBar();
  }

  #showBar() {
    const { video, counted, screen } = this;
    if (!video) return;
    const { rows, series } = counted;
    const lengthS = screen.lengthS || (video.duration_s ?? 0);
    const course = { lengthS, startedAtMs: video.started_at_ms, rows, series };
    const { rows: were, lengthS: was, startedAtMs } = this.bar.course;
    if (were === rows && was === lengthS && startedAtMs === course.startedAtMs) return;
    this.bar.show(course);
    this.fullest.show(video, rows, lengthS);
    const keys = series.map(({ name, color }) => el("li", swatch(color), el("span", name)));
    this.legend.replaceChildren(...keys);
    const chart = this.#chartWords(video, rows);
    this.words.textContent = this.canPlay ? t("videos.keys", { chart, KEYS }) : chart;
  }

  /** The seek bar in words. @param {Api.LibraryVideo} video @param {Page.Row[]} rows */
  #chartWords({ state, frames, detections_counted: counted }, rows) {
    if (state === "ready" && counted === null && frames.counted !== null) {
      return t("videos.none_of_its_frames_counts");
    }
    if (frames.counted && counted === 0) return t("videos.nothing_was_detected_in_this_video");
    if (!rows.length) return t("videos.this_video_is_not_counted_yet");
    return this.canPlay ? t("videos.the_chart_is_the_seek_bar") : t("videos.bars_show_what_was_detected");
  }

  /** Shows the time of the current frame, on the clock of its source. */
  #stampIt() {
    const { video, positionS } = this;
    this.stamp.hidden = !this.canPlay;
    const started = video?.started_at_ms ?? null;
    const ms = started === null ? null : Math.round(started + positionS * 1000);
    setMoment(ms);
    const place = playTime(Math.floor(positionS));
    this.stamp.textContent = ms === null ? place : `${timeAmong(ms, true)} · ${place}`;
  }

  /** Draws the boxes of the current frame, or of the last analysed frame before it. */
  #draw() {
    const { found, overlay } = this;
    if (!found || !this.canPlay) return;
    const { isShown, frameS, isWithinFrame } = this.screen;
    const seen = this.hasBoxes && isShown ? found.at(this.positionS, frameS, isWithinFrame) : null;
    const drawn = seen && found.size ? `${seen.frame.position_s} ${seen.frame.boxes.length}` : "";
    overlay.dataset.exact = String(seen?.isExact ?? false);
    overlay.dataset.positionS = seen ? String(seen.frame.position_s) : "";
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    if (!seen || !found.size) return overlay.replaceChildren();
    const { width, height } = found.size;
    const wider = (this.#ratio * height) / width; // relative to the stored pixels, which the boxes use
    const boxes = seen.frame.boxes.map(([label, confidence, x, y, wide, high]) => {
      const box = /** @type {[number, number, number, number]} */ ([x * wider, y, wide * wider, high]);
      return { label, confidence, box };
    });
    const size = { width: width * wider, height };
    overlay.replaceChildren(framesBoxes(boxes, size, this.#colorOf(found), true));
  }

  /** The chart's colours; without a chart, colours by the detections so far. @param {Found} found */
  #colorOf({ labels }) {
    return this.counted.labels.length ? this.counted.colorOf : colorsOf([...labels], [...labels]);
  }

  /** @param {Api.LibraryVideo} video */
  #cannotPlay({ why_not: why, links, jobs, size_bytes: size }) {
    if (links.poster && this.poster.getAttribute("src") !== links.poster) this.poster.src = links.poster;
    this.stamp.hidden = true;
    const made = jobs.filter((one) => one.kind === "playable");
    const job = made.find(isOpen);
    const failed = made.find((one) => one.state === "failed");
    const told = JSON.stringify([why, job?.state, job?.progress, failed?.id, failed?.reason]);
    if (told === this.told) return; // keep a button that has the focus
    this.told = told;
    const download = el(
      "a.button",
      { href: links.original, download: "" },
      t("videos.download_size", { size: bytes(size) }),
    );
    const reason = why ?? t("videos.nothing_that_they_play_is_in");
    if (!job) {
      const again = failed ? [this.#again(failed)] : [];
      const text = `${reason} ${moreWords(failed)}`;
      return this.#say(t("videos.browsers_cannot_play_this_file"), text, ...again, download);
    }
    const bar = el("progress", { max: "1", "aria-label": t("web.progress") });
    if (job.state === "queued") bar.value = 0;
    else if (job.progress !== null) bar.value = job.progress;
    const share = job.state === "running" && job.progress !== null ? `: ${percent(job.progress)}` : "";
    this.#say(t("videos.a_version_for_browsers_is_being", { share }), reason, bar, download);
  }

  /** @param {Api.VideoJob} job  the failed job */
  #again({ id }) {
    return actionButton(t("web.try_again"), async () => {
      await sendAgain(id).finally(tellNews);
      speak(t("videos.it_is_tried_again"));
    });
  }

  /** @param {string} words  empty if it plays again */
  #fault(words) {
    if (!this.canPlay) return;
    this.message.hidden = !words;
    if (!words) return;
    const again = el("button.button", { onclick: () => this.screen.again() }, t("web.try_again"));
    this.#say(t("videos.it_does_not_play"), words, again);
  }

  /** @param {string} title @param {string} text @param {...HTMLElement} more */
  #say(title, text, ...more) {
    this.message.replaceChildren(el("p.strong", title), el("p", text), ...more);
    this.message.hidden = false;
  }
}

/** @param {Api.VideoJob|undefined} failed  the failed job that creates the browser version */
const moreWords = (failed) =>
  failed
    ? t("videos.what_they_play_could_not_be", { reason: visible(failed.reason ?? "") })
    : t("videos.it_is_counted_all_the_same");
