// The moving picture: plays, seeks, goes frame by frame, and reports the frame in view.

import { el } from "frametally/js/shared/dom.js";
import { smallerPoster } from "../library/words.js";
import { t } from "frametally/js/shared/texts.js";

/** Where the rate is not known. */
const USUAL_FPS = 25;
/** A frame whose step shows no other one is gone past by another, so often at most: rates vary. */
const MOST_TRIES = 8;
/** A seek has ended, and the browser has not said for so long which frame it shows. */
const MOST_WAIT_MS = 200;

/** The poster as large as it is shown. @param {string} poster */
export const posterUrl = (poster) => smallerPoster(poster, innerWidth < 640 ? 320 : 640);

/**
 * @typedef {Object} Told
 * @property {(positionS: number) => void} position  a frame is shown, so far from the first one
 * @property {() => void} change  it plays or stands, its length, speed or sound is another
 * @property {(words: string) => void} fault  it cannot be played (any more); empty: it can
 */

export class Screen {
  /** @param {Told} on */
  constructor(on) {
    this.on = on;
    this.element = el("video.video-picture.fills", { playsinline: true, preload: "none", tabindex: "-1" });
    this.frameS = frameLength(null);
    /** When the frame that is shown begins. */
    this.shownS = 0;
    /** What the first frame's time is, once it was shown: files need not begin at 0. @type {number|null} */
    this.firstS = null;
    /** Whether it went elsewhere before the first frame was shown. */
    this.hasSought = false;
    this.url = "";
    /** Whether a frame is shown, and no poster. */
    this.isShown = false;
    /** When it last went elsewhere, on the page's clock. */
    this.soughtAt = 0;
    /** Whether the browser has told of no frame that came after that. */
    this.isAwaited = false;
    /** Whether its position is a place somewhere within the frame that is shown, and not where that begins. */
    this.isWithinFrame = false;
    /** What waits for the first frame. @type {(() => void)[]} */
    this.waiting = [];
    for (const event of ["play", "pause", "ended", "ratechange", "volumechange", "durationchange"]) {
      this.element.addEventListener(event, on.change);
    }
    this.element.addEventListener("error", () => on.fault(faultOf(this.element.error)));
    this.element.addEventListener("loadeddata", () => {
      this.element.removeAttribute("poster"); // the first frame itself, to which its boxes belong
      on.fault("");
    });
    this.#watch();
  }

  /**
   * Another version of what is shown goes on where that is.
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
    if (this.url) this.element.preload = "auto"; // somebody chose another version
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

  /** Nothing of it is loaded any more. */
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

  /** Seconds; 0 where it is not known yet. */
  get lengthS() {
    return Number.isFinite(this.element.duration) ? this.element.duration : 0;
  }

  toggle() {
    if (this.isPlaying) this.element.pause();
    else this.element.play().catch(() => {}); // what is wrong comes as an `error`
  }

  /** Loads the video, if nobody needed it before, and waits for its first frame. @returns {Promise<void>} */
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

  /** Shows the next frame, or the one before. @param {-1|1} by */
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

  /** Where it is, from the first frame on; of a seek, where that goes. */
  get placeS() {
    return Math.max(this.element.currentTime - (this.firstS ?? 0), 0);
  }

  /** When the frame begins that is shown: which one is told a moment after it is. */
  #frameNow() {
    const { shownS, frameS } = this;
    const at = this.element.currentTime;
    const first = this.firstS ?? 0;
    if (this.#isOfFrame(at)) return shownS;
    return first + Math.floor((at - first) / frameS + 0.01) * frameS;
  }

  /** Whether the last frame that the browser told of is shown at this time. @param {number} timeS */
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

  /** Begins anew where it was, after a fault. */
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
   * Goes to a place, and waits until it is shown.
   * @param {number} place
   * @returns {Promise<boolean>} false: it went elsewhere meanwhile
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

  /** Tells of every frame that is shown. */
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

  /** A frame that came between two requests for a callback is in no callback: its place is where the seek went. */
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

/** How long a frame is shown, in seconds. @param {number|null} fps */
export const frameLength = (fps) => 1 / (fps && fps > 0 ? fps : USUAL_FPS);

/**
 * In the middle of the frame that is meant, so that no rounding can miss it.
 * @param {number} shownS  when the frame that is shown begins
 * @param {number} by  frames on; negative: back
 * @param {number} frameS
 * @param {number} durationS
 */
export function placeOf(shownS, by, frameS, durationS) {
  const place = shownS + (by + 0.5) * frameS;
  return Math.min(Math.max(place, 0), Math.max(durationS - frameS / 4, 0));
}
