// A video as a stream, on its page: you can start, watch, seek and stop it. It continues when you leave the page.

import { get } from "frametally/js/shared/api.js";
import { el } from "frametally/js/shared/dom.js";
import { press, speak } from "frametally/js/status/notices.js";
import { onNews } from "frametally_videos/library/news.js";
import { playTime, visible } from "frametally_videos/library/words.js";
import { sendSeek, sendSteer, sendStream } from "./requests.js";
import { overWords, stateWords } from "./words.js";
import { Watched } from "./picture.js";
import { t } from "frametally/js/shared/texts.js";

export class VideoStream extends Watched {
  /** @param {Api.LibraryVideo} video */
  constructor(video) {
    super("section.card.live-stream.stack", t("live.stream_of", { name: visible(video.name) }));
    this.video = video;
    /** @type {Api.StreamOfVideo|null} */
    this.stream = null;
    this.isAllowed = false;
    this.isPaused = false;
    this.asking = new AbortController();
    this.fault = el("p.form-said", { role: "alert", hidden: true });
    this.start = this.#button(t("live.start_stream"), () => sendStream(video.id, "start"));
    this.start.classList.add("primary");
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
    this.element.ariaLabel = t("live.stream");
    this.element.append(
      el("div.card-head", el("h3", t("live.stream")), el("div", this.start, this.stop)),
      this.words,
      this.picture.element,
      this.steer,
      this.pace,
      this.fault,
    );
    const unheard = onNews(() => this.#look());
    this.asking.signal.addEventListener("abort", unheard);
    this.#show();
    this.#look();
  }

  end() {
    super.end();
    this.asking.abort();
  }

  /** Requests the video's stream. */
  async #look() {
    try {
      const query = new URLSearchParams({ video_id: this.video.id }); // the active stream comes first
      const { streams, live_allowed: isAllowed } = await get("streams", query, this.asking.signal);
      this.isAllowed = isAllowed;
      this.#take(streams[0] ?? null);
    } catch {
      // The next update requests it again; the live picture reports a lost connection itself.
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
    this.picture.forget();
    const on = {
      frame: async (/** @type {Page.LiveFrame} */ header, /** @type {Blob} */ jpeg) => {
        await this.picture.show(header, jpeg);
        this.#showPlace(header.position_s);
      },
      state: (/** @type {Page.LiveState} */ told) => this.#told(told),
      over: (/** @type {number} */ code) => {
        this.socket = null;
        this.words.textContent = overWords(code) || this.words.textContent;
        this.#look();
      },
    };
    this.watch({ video_id: this.video.id }, on);
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

  /** @param {string} text @param {() => Promise<Api.StreamOfVideo>} what */
  #button(text, what) {
    return el("button.button", { onclick: () => this.#do(what) }, text);
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
