// The moving picture: it plays, seeks, steps by frames, and reports the frame in view.

import { el } from "frametally/js/shared/dom.js";
import { smallerPoster } from "../library/words.js";
import { t } from "frametally/js/shared/texts.js";

/** Used if the frame rate is unknown. */
const USUAL_FPS = 25;
/** With a variable frame rate, a step may not leave the frame; it tries again at most this often. */
const MOST_TRIES = 8;
/** How long to wait after a seek for the browser to report the frame. */
const MOST_WAIT_MS = 200;

/** The poster in the size that fits the screen. @param {string} poster */
export const posterUrl = (poster) => smallerPoster(poster, innerWidth < 640 ? 320 : 640);

/**
 * @typedef {Object} Told
 * @property {(positionS: number) => void} position  called with the position of the frame in view, from the first
 *   frame
 * @property {() => void} change  called when playback, length, speed or sound changes
 * @property {(words: string) => void} fault  called with the reason if it cannot be played; empty if it can
 */

export class Screen {
  /** @param {Told} on */
  constructor(on) {
    this.on = on;
    this.element = el("video.video-picture.fills", { playsinline: true, preload: "none", tabindex: "-1" });
    this.frameS = frameLength(null);
    /** Start of the frame in view. */
    this.shownS = 0;
    /** Time of the first frame, once it is known: files need not begin at 0. @type {number|null} */
    this.firstS = null;
    /** Whether a seek happened before the first frame was shown. */
    this.hasSought = false;
    this.url = "";
    /** Whether a frame is in view, not the poster. */
    this.isShown = false;
    /** Time of the last seek, on the page's clock. */
    this.soughtAt = 0;
    /** Whether the browser has not yet reported a frame since that seek. */
    this.isAwaited = false;
    /** Whether the position is inside the frame in view, not at its start. */
    this.isWithinFrame = false;
    /** Callbacks for the first frame. @type {(() => void)[]} */
    this.waiting = [];
    for (const event of ["play", "pause", "ended", "ratechange", "volumechange", "durationchange"]) {
      this.element.addEventListener(event, on.change);
    }
    this.element.addEventListener("error", () => on.fault(faultOf(this.element.error)));
    this.element.addEventListener("loadeddata", () => {
      this.element.removeAttribute("poster"); // show the first frame itself, so that its boxes match
      on.fault("");
    });
    this.#watch();
  }

  /**
   * Shows a video; another version of it continues at the same position.
   * @param {string} url
   * @param {string|null} poster
   * @param {number|null} fps
   */
  show(url, poster, fps) {
    this.frameS = frameLength(fps);
    if (url === this.url) return;
    const placeS = this.url ? this.placeS : 0;
    const plays = this.url !== "" && this.isPlaying;
    const speed = this.element.playbackRate;
    if (this.url) this.element.preload = "auto"; // you chose another version
    this.url = url;
    this.firstS = null;
    this.hasSought = placeS > 0;
    this.isShown = false;
    if (poster && !placeS) this.element.poster = posterUrl(poster);
    this.element.src = url;
    this.element.playbackRate = speed;
    if (placeS) this.element.addEventListener("loadedmetadata", () => this.seek(placeS), { once: true });
    if (plays) this.toggle();
  }

  /** Stops loading. */
  end() {
    this.url = "";
    this.waiting = [];
    this.element.preload = "none";
    this.element.removeAttribute("src");
    this.element.load();
  }

  get isPlaying() {
    return !this.element.paused && !this.element.ended;
  }

  /** Seconds; 0 if unknown. */
  get lengthS() {
    return Number.isFinite(this.element.duration) ? this.element.duration : 0;
  }

  toggle() {
    if (this.isPlaying) this.element.pause();
    else this.element.play().catch(() => {}); // an `error` event reports what is wrong
  }

  /** Loads the video if needed, and waits for its first frame. @returns {Promise<void>} */
  #load() {
    if (this.isShown) return Promise.resolve();
    this.element.preload = "auto";
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** @param {number} positionS */
  async seek(positionS) {
    await this.#load();
    this.hasSought = true;
    const first = this.firstS ?? 0;
    this.element.currentTime = first + Math.min(Math.max(positionS, 0), this.lengthS || Infinity);
  }

  /** Shows the next or previous frame. @param {-1|1} by */
  async step(by) {
    this.element.pause();
    await this.#load();
    const before = this.shownS;
    const begun = this.#frameNow();
    for (let further = 0; further < MOST_TRIES; further += 1) {
      const place = placeOf(begun, by * (1 + further), this.frameS, this.lengthS + (this.firstS ?? 0));
      const isEnd = this.element.currentTime === place;
      if (isEnd || !(await this.#shows(place)) || this.shownS !== before) return;
    }
  }

  /** The position from the first frame, in seconds; during a seek, its target. */
  get placeS() {
    return Math.max(this.element.currentTime - (this.firstS ?? 0), 0);
  }

  /** Start of the current frame; the browser reports it with a delay, so this may calculate it. */
  #frameNow() {
    const { shownS, frameS } = this;
    const at = this.element.currentTime;
    const first = this.firstS ?? 0;
    if (this.#isOfFrame(at)) return shownS;
    return first + Math.floor((at - first) / frameS + 0.01) * frameS;
  }

  /** Whether the last reported frame includes this time. @param {number} timeS */
  #isOfFrame(timeS) {
    const { shownS, frameS } = this;
    return timeS >= shownS - frameS / 4 && timeS <= shownS + 1.25 * frameS;
  }

  /** @param {number} times */
  setSpeed(times) {
    this.element.playbackRate = times;
  }

  toggleSound() {
    this.element.muted = !this.element.muted;
  }

  /** Loads the video again at the same position, after a fault. */
  again() {
    const { url } = this;
    const place = this.shownS;
    const first = this.firstS;
    this.url = "";
    this.show(url, null, 1 / this.frameS);
    this.firstS = first;
    this.hasSought = true;
    this.element.addEventListener("loadedmetadata", () => (this.element.currentTime = place), { once: true });
  }

  /**
   * Seeks, and waits until the frame is in view.
   * @param {number} place
   * @returns {Promise<boolean>}  `false` if another seek happened meanwhile
   */
  #shows(place) {
    const { element } = this;
    return new Promise((resolve) => {
      element.addEventListener(
        "seeked",
        () => requestAnimationFrame(() => setTimeout(() => resolve(element.currentTime === place))),
        { once: true },
      );
      element.currentTime = place;
    });
  }

  /** Reports every frame. */
  #watch() {
    const { element } = this;
    /** @param {number} _now @param {VideoFrameCallbackMetadata} frame */
    const shown = (_now, { mediaTime, presentationTime }) => {
      this.isAwaited &&= presentationTime < this.soughtAt;
      this.firstS ??= this.hasSought ? 0 : mediaTime;
      this.#tell(mediaTime);
      element.requestVideoFrameCallback(shown);
    };
    element.requestVideoFrameCallback(shown);
    element.addEventListener("seeking", () => {
      this.soughtAt = performance.now();
      this.isAwaited = true;
    });
    element.addEventListener("seeked", () => setTimeout(() => this.#afterSeek(), MOST_WAIT_MS));
  }

  /** Reports the seek's target, because no callback reports a frame that arrives between two requests for one. */
  #afterSeek() {
    if (!this.isAwaited || !this.isShown || this.element.seeking || this.isPlaying) return;
    this.isWithinFrame = true;
    this.on.position(this.placeS);
  }

  /** @param {number} mediaS */
  #tell(mediaS) {
    this.shownS = mediaS;
    this.isShown = true;
    this.isWithinFrame = false;
    for (const resolve of this.waiting.splice(0)) resolve();
    this.on.position(Math.max(mediaS - (this.firstS ?? 0), 0));
  }
}

/** @param {MediaError|null} error */
function faultOf(error) {
  return error?.code === MediaError.MEDIA_ERR_NETWORK
    ? t("videos.the_server_of_this_video_does")
    : t("videos.this_browser_cannot_play_it_or");
}

/** The duration of a frame, in seconds. @param {number|null} fps */
export const frameLength = (fps) => 1 / (fps && fps > 0 ? fps : USUAL_FPS);

/**
 * The middle of the intended frame, so that rounding cannot miss it.
 * @param {number} shownS  start of the frame in view
 * @param {number} by  number of frames, negative for back
 * @param {number} frameS
 * @param {number} durationS
 */
export function placeOf(shownS, by, frameS, durationS) {
  const place = shownS + (by + 0.5) * frameS;
  return Math.min(Math.max(place, 0), Math.max(durationS - frameS / 4, 0));
}
