// The player of one video: the picture with its boxes, the buttons, and the chart as the seek bar, all at one place.

import { VersionChooser, versionsOf } from "../enhance/versions.js";
import { framesBoxes } from "frametally/js/frames/boxed_picture.js";
import { sendAgain } from "../jobs/asking.js";
import { sendOnPress } from "../jobs/pressing.js";
import { isOpen } from "../jobs/words.js";
import { el } from "frametally/js/shared/dom.js";
import { percent, timeAmong } from "frametally/js/shared/format.js";
import { setMoment } from "frametally/js/shared/moment.js";
import { colorsOf } from "frametally/js/shared/palette.js";
import { bytes, playTime, visible } from "../library/words.js";
import { KEYS, makeControls, takeKey } from "./controls.js";
import { UNCOUNTED } from "./course.js";
import { Found } from "./found.js";
import { Screen } from "./screen.js";
import { SeekBar } from "./seek_bar.js";

export class Player {
  constructor() {
    /** @type {Page.Video|null} */
    this.video = null;
    this.counted = UNCOUNTED;
    this.positionS = 0;
    this.hasBoxes = true;
    /** @type {Found|null} */
    this.found = null;
    /** What is drawn over the picture. */
    this.drawn = "";
    /** Why it does not play, as it is said; empty: it plays. */
    this.told = "";
    /** @type {Page.Derivative[]} */
    this.made = [];
    /** Is told where it stands. @type {(positionS: number) => void} */
    this.onMove = () => {};
    this.versions = new VersionChooser(() => this.video && this.show(this.video));
    this.screen = new Screen({
      position: (positionS) => this.#moved(positionS),
      change: () => this.#changed(),
      fault: (words) => this.#fault(words),
    });
    this.overlay = el("div", { class: "video-overlay" });
    this.stamp = el("p", { class: "video-stamp" });
    this.message = el("div", { class: "video-message", role: "status", hidden: true });
    this.poster = el("img", { class: "video-picture", alt: "", hidden: true });
    this.stage = el(
      "div",
      { class: "picture loaded video-stage" },
      this.screen.element,
      this.poster,
      this.overlay,
      this.stamp,
      this.message,
    );
    this.actions = this.#actions();
    this.controls = makeControls(this.actions);
    this.controls.element.append(this.versions.element);
    this.bar = new SeekBar((positionS) => this.screen.seek(positionS));
    this.words = el("p", { class: "muted small seek-words" });
    this.legend = el("ul", { class: "legend seek-legend" });
    this.element = el(
      "figure",
      { class: "card player" },
      this.stage,
      this.controls.element,
      this.bar.element,
      this.legend,
      this.words,
    );
    this.screen.element.addEventListener("click", () => this.screen.toggle());
    this.poster.addEventListener("error", () => {
      this.poster.hidden = true;
    });
  }

  get canPlay() {
    return this.versions.now !== null;
  }

  /** What was made of the video, to be played as well. @param {Page.Derivative[]} made */
  showMade(made) {
    this.made = made;
    if (this.video) this.show(this.video);
  }

  /** Plays one of those. @param {string} recipe */
  choose(recipe) {
    this.versions.chosen = recipe;
    if (this.video) this.show(this.video);
    this.stage.scrollIntoView({ block: "nearest" });
  }

  /** @param {Page.Video} video */
  show(video) {
    const before = this.video;
    this.video = video;
    if (before?.id !== video.id) this.#begin(video);
    if (before && before.frames.detected !== video.frames.detected) this.found?.forget();
    const { links, width_px: width, height_px: height } = video;
    this.versions.show(versionsOf(video, this.made));
    const { now } = this.versions;
    const isOn = now !== null;
    this.stage.style.setProperty("--ratio", String(width / height));
    this.stage.dataset.version = now?.name ?? "";
    this.screen.element.hidden = !isOn;
    this.controls.element.hidden = !isOn;
    this.overlay.hidden = !isOn;
    this.poster.hidden = isOn || !links.poster;
    this.bar.enable(isOn);
    if (now && this.told) {
      this.told = "";
      this.message.hidden = true;
    }
    if (now) this.screen.show(now.url, links.poster, now.fps);
    else this.#cannotPlay(video);
    this.screen.element.setAttribute("aria-label", `Video ${video.name}`);
    this.#showBar();
    this.#changed();
    this.#draw();
  }

  /** Does what a key says that was pressed anywhere beside it. @param {KeyboardEvent} event */
  key(event) {
    const isPlayers = event.target instanceof Node && this.element.contains(event.target);
    if (this.canPlay) takeKey(event, this.actions, { speed: this.screen.element.playbackRate, isPlayers });
  }

  /** @param {import("./course.js").Counted} counted */
  showCounted(counted) {
    this.counted = counted;
    this.drawn = "";
    this.#showBar();
    this.#draw();
  }

  /** Plays and loads nothing any more. */
  end() {
    this.found?.end();
    this.found = null;
    this.video = null;
    this.screen.end();
    setMoment(null);
  }

  /** @param {Page.Video} video */
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

  #fillScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.element.requestFullscreen?.().catch(() => {}); // where the browser forbids it, it stays as it is
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
    this.legend.replaceChildren(
      ...series.map(({ name, color }) => {
        const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
        swatch.style.background = color;
        return el("li", {}, swatch, el("span", { text: name }));
      }),
    );
    const chart = rows.length
      ? `${this.canPlay ? "The chart is the seek bar: bars" : "Bars"} are what was detected at that place.`
      : "What is counted will stand here, at the place of the video where it was seen.";
    this.words.textContent = this.canPlay ? `${chart} Keys: ${KEYS}.` : chart;
  }

  /** Which frame is shown, by the clock of where it was filmed. */
  #stampIt() {
    const { video, positionS } = this;
    this.stamp.hidden = !this.canPlay;
    const place = playTime(Math.floor(positionS));
    const started = video?.started_at_ms ?? null;
    if (started === null) {
      setMoment(null);
      this.stamp.textContent = place;
      return;
    }
    const ms = Math.round(started + positionS * 1000);
    setMoment(ms);
    this.stamp.textContent = `${timeAmong(ms, true)} · ${place}`;
  }

  /** The boxes of the frame that is shown, or of the last one before it that was analysed. */
  #draw() {
    const { found, overlay } = this;
    if (!found || !this.canPlay) return;
    const seen = this.hasBoxes && this.screen.isShown ? found.at(this.positionS, this.screen.frameS) : null;
    const drawn = seen && found.size ? `${seen.frame.position_s} ${seen.frame.boxes.length}` : "";
    overlay.dataset.exact = String(seen?.isExact ?? false);
    overlay.dataset.positionS = seen ? String(seen.frame.position_s) : "";
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    if (!seen || !found.size) return overlay.replaceChildren();
    const boxes = seen.frame.boxes.map(([label, confidence, ...box]) => ({ label, confidence, box }));
    overlay.replaceChildren(framesBoxes(boxes, found.size, this.#colorOf(found), true));
  }

  /** As in the chart; before there is one, by what was found so far. @param {Found} found */
  #colorOf({ labels }) {
    return this.counted.labels.length ? this.counted.colorOf : colorsOf([...labels], [...labels]);
  }

  /** @param {Page.Video} video */
  #cannotPlay({ why_not: why, links, jobs, size_bytes: size }) {
    if (links.poster && this.poster.getAttribute("src") !== links.poster) this.poster.src = links.poster;
    this.stamp.hidden = true;
    const made = jobs.filter((one) => one.kind === "playable");
    const job = made.find(isOpen);
    const failed = made.find((one) => one.state === "failed");
    const told = JSON.stringify([why, job?.state, job?.progress, failed?.id, failed?.reason]);
    if (told === this.told) return; // a button that has the keyboard keeps it
    this.told = told;
    const download = el("a", {
      class: "button",
      href: links.original,
      download: "",
      text: `Download (${bytes(size)})`,
    });
    const reason = why ?? "Nothing that they play is in it.";
    if (!job) return this.#cannotBePlayed(reason, failed, download);
    const bar = el("progress", { max: "1", "aria-label": "Progress" });
    if (job.state === "queued") bar.value = 0;
    else if (job.progress !== null) bar.value = job.progress;
    const share = job.state === "running" && job.progress !== null ? `: ${percent(job.progress)}` : "";
    this.#say(`A version for browsers is being made${share}`, reason, download);
    this.message.insertBefore(bar, download);
  }

  /** @param {string} reason @param {Page.VideoJob|undefined} failed @param {HTMLElement} download */
  #cannotBePlayed(reason, failed, download) {
    const more = failed
      ? `What they play could not be made of it: ${visible(failed.reason ?? "")}`
      : "It is counted all the same, and can be downloaded as it came.";
    this.#say("Browsers cannot play this file", `${reason} ${more}`, download);
    if (failed) this.message.insertBefore(this.#again(failed), download);
  }

  /** @param {Page.VideoJob} job  one that failed */
  #again({ id }) {
    const said = el("p", { class: "form-said", role: "alert", hidden: true });
    const button = el("button", { type: "button", class: "button", text: "Try again" });
    sendOnPress(button, said, () => id, sendAgain, "It is tried again");
    return el("div", {}, said, button);
  }

  /** @param {string} words  empty: all is well again */
  #fault(words) {
    if (!this.canPlay) return;
    this.message.hidden = !words;
    if (!words) return;
    const again = el("button", {
      type: "button",
      class: "button",
      text: "Try again",
      onclick: () => this.screen.again(),
    });
    this.#say("It does not play", words, again);
  }

  /** @param {string} title @param {string} text @param {HTMLElement} button */
  #say(title, text, button) {
    this.message.replaceChildren(el("p", { class: "strong", text: title }), el("p", { text }), button);
    this.message.hidden = false;
  }
}
