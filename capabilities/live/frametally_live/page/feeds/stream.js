// A video as a stream, on its page: you can start, watch, steer and stop it. It runs on when you leave the
// page.

import { el } from "frametally/js/shared/dom.js";
import { press, speak } from "frametally/js/status/notices.js";
import { onNews } from "frametally_videos/library/news.js";
import { playTime, visible } from "frametally_videos/library/words.js";
import { askStreams, sendSeek, sendSteer, sendStream } from "./requests.js";
import { cutWords, overWords, paceWords, stateWords } from "./words.js";
import { LivePicture, LiveSocket } from "./picture.js";
import { t } from "frametally/js/shared/texts.js";

const TELL_EVERY_MS = 500;

export class VideoStream {
  /** @param {Api.LibraryVideo} video */
  constructor(video) {
    this.video = video;
    /** @type {Api.StreamOfVideo|null} */
    this.stream = null;
    /** @type {LiveSocket|null} */
    this.socket = null;
    this.isAllowed = false;
    this.isPaused = false;
    this.asking = new AbortController();
    this.picture = new LivePicture(t("live.stream_of", { name: visible(video.name) }));
    this.words = el("p.live-words", { role: "status" });
    this.pace = el("p.muted.small.live-pace", { "aria-live": "off" });
    this.fault = el("p.form-said", { role: "alert", hidden: true });
    this.start = this.#button(t("live.start_stream"), () => sendStream(video.id, "start"), "primary");
    this.stop = this.#button(t("live.stop_stream"), () => sendStream(video.id, "stop"));
    this.pause = this.#button(t("live.pause_stream"), () =>
      sendSteer(this.stream?.stream_id ?? "", this.isPaused ? "resume" : "pause"),
    );
    this.place = el("input", {
      type: "range",
      min: "0",
      max: String(video.duration_s ?? 0),
      step: "0.1",
      value: "0",
      "aria-label": t("live.where_the_stream_is"),
      onchange: () => this.#do(() => sendSeek(this.stream?.stream_id ?? "", Number(this.place.value))),
    });
    this.time = el("span.small.live-time");
    this.steer = el("div.player-tools.row", this.pause, this.place, this.time, this.picture.choice);
    this.element = el(
      "section.card.live-stream.stack",
      { "aria-label": t("live.stream"), "data-state": "none" },
      el("div.card-head", el("h3", t("live.stream")), el("div", this.start, this.stop)),
      this.words,
      this.picture.element,
      this.steer,
      this.pace,
      this.fault,
    );
    this.timer = setInterval(() => this.#showPace(), TELL_EVERY_MS);
    const unheard = onNews(() => this.#look());
    this.asking.signal.addEventListener("abort", unheard);
    this.#show();
    this.#look();
  }

  /** Nothing of it is asked for any more; the stream itself goes on. */
  end() {
    clearInterval(this.timer);
    this.asking.abort();
    this.socket?.end();
  }

  /** What there is of it by now. */
  async #look() {
    try {
      const { streams, live_allowed: isAllowed } = await askStreams(this.video.id, this.asking.signal);
      this.isAllowed = isAllowed;
      this.#take(streams[0] ?? null);
    } catch {
      // Asked again with the next news; what is watched tells itself that the server is away.
    }
  }

  /** @param {Api.StreamOfVideo|null} stream */
  #take(stream) {
    if (this.asking.signal.aborted) return;
    this.stream = stream;
    this.isPaused = stream?.wanted === "pause";
    if (stream && stream.ended_at_ms === null && stream.wanted !== "stop") this.#watch();
    else if (!this.socket)
      this.words.textContent = stream ? stateWords(stream) : t("live.it_is_not_streamed");
    this.#show();
  }

  #watch() {
    if (this.socket) return;
    this.words.textContent = t("live.connecting");
    this.picture.forget();
    this.socket = new LiveSocket(
      { video_id: this.video.id },
      {
        frame: async (header, jpeg) => {
          await this.picture.show(header, jpeg);
          this.#showPlace(header.position_s);
        },
        state: (told) => this.#told(told),
        cut: (againMs) => {
          this.words.textContent = cutWords(againMs);
          this.element.dataset.state = "cut";
        },
        over: (code) => {
          this.socket = null;
          const words = overWords(code);
          if (words) this.words.textContent = words;
          this.#look();
        },
      },
    );
  }

  /** @param {Page.LiveState} told */
  #told(told) {
    this.words.textContent = stateWords(told);
    this.element.dataset.state = told.state;
    if (told.state === "paused") this.#showPlace(told.position_s);
  }

  /** @param {number|null} positionS */
  #showPlace(positionS) {
    if (positionS === null || document.activeElement === this.place) return;
    this.place.value = String(positionS);
    this.time.textContent = playTime(positionS);
  }

  #showPace() {
    const { frame } = this.picture;
    const isOn = this.socket !== null && frame !== null;
    this.pace.textContent = isOn ? paceWords(this.picture.rate, this.picture.delayMs, frame.left_out) : "";
  }

  #show() {
    const isOn = this.socket !== null;
    if (!isOn) this.element.dataset.state = this.stream?.state ?? "none";
    this.picture.element.hidden = !isOn && !this.picture.frame;
    this.start.hidden = isOn || !this.isAllowed;
    this.stop.hidden = !isOn || !this.isAllowed;
    this.steer.hidden = !isOn;
    this.pause.hidden = this.place.hidden = !this.isAllowed;
    this.pause.textContent = this.isPaused ? t("live.resume_stream") : t("live.pause_stream");
  }

  /** @param {string} text @param {() => Promise<Api.StreamOfVideo>} what @param {string} [kind] */
  #button(text, what, kind = "") {
    return el("button", { class: `button ${kind}`.trim(), onclick: () => this.#do(what) }, text);
  }

  /** @param {() => Promise<Api.StreamOfVideo>} what */
  #do(what) {
    press([this.start, this.stop, this.pause], this.fault, async () => {
      const stream = await what();
      this.place.blur();
      this.#take(stream);
      speak(stateWords(stream));
    });
  }
}
