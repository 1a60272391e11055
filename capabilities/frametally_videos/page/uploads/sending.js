// One file's upload over tus: it resumes after a lost connection, a reload or a server outage.

import { Upload, defaultOptions } from "tus-js-client";
import { ApiError, BASE, getFrom, send } from "frametally/js/shared/api.js";
import { fingerprint, Speed } from "./checks.js";
import { t } from "frametally/js/shared/texts.js";

const ENDPOINT = `${BASE}/uploads`;
/** Limits a single request, because proxies interrupt very long ones. */
const PIECE_BYTES = 64 * 1024 * 1024;
const WAITS_MS = [500, 1000, 2000, 4000, 8000, 15_000];
const MOST_BEGINNINGS = 3;
/** Statuses that pass: no answer, another request still active, rate limits, a restarting server. */
const PASSING = new Set([0, 408, 409, 423, 425, 429, 500, 502, 503, 504]);
const GONE = new Set([404, 410]);

/** @typedef {"chosen"|"queued"|"sending"|"waiting"|"paused"|"checking"|"done"|"refused"|"removed"} State */

/** The fields that you can fill in, and correct if the server refuses them. */
const SAID = /** @type {const} */ (["name", "source", "start_time", "timezone", "roi", "calibration"]);
/** @typedef {typeof SAID[number]} Said */
/** @param {string|undefined} name @returns {name is Said} */
const isSaid = (name) => SAID.some((one) => one === name);

export const storage = defaultOptions.urlStorage;

export class Sending {
  /**
   * @param {File} file
   * @param {() => void} onChange  called when its state or progress changes
   */
  constructor(file, onChange) {
    this.file = file;
    this.onChange = onChange;
    /** @type {State} */
    this.state = "chosen";
    this.sent = 0;
    this.speed = new Speed();
    /** Why it is waiting or was refused, and the remedy. */
    this.reason = "";
    this.remedy = "";
    /** @type {string|null} */
    this.videoId = null;
    /** Whether the server already had the same bytes. */
    this.known = false;
    /** Which counts were moved, or which fields were ignored. */
    this.remark = "";
    /**
     * The field that the server refused before the upload started, and why.
     * @type {[name: Said, words: string]|null}
     */
    this.fault = null;
    /** Whether it was refused because it would move counts, which you can confirm. */
    this.wouldMove = false;
    /** @type {import("tus-js-client").Upload|null} */
    this.upload = null;
    /** @type {number|undefined} */
    this.timer = undefined;
    this.failures = 0;
    this.beginnings = 0;
    /** @type {import("tus-js-client").PreviousUpload|null} */
    this.stored = null;
    /** @type {Record<string, string>} */
    this.metadata = {};
    addEventListener("online", () => this.state === "waiting" && this.#go());
  }

  /** Whether leaving the page would interrupt the upload. */
  get isUnderWay() {
    return ["queued", "sending", "waiting", "checking"].includes(this.state);
  }

  /** Whether it counts towards the limit of simultaneous uploads. */
  get isActive() {
    return ["sending", "waiting", "checking"].includes(this.state);
  }

  /** An earlier upload of the same file that was interrupted, here or in another session, or `null`. */
  async findEarlier() {
    try {
      const [found] = (await storage.findUploadsByFingerprint(await fingerprint(this.file))).filter(
        ({ uploadUrl, size }) => uploadUrl && size === this.file.size,
      );
      this.stored = found ?? null;
    } catch {
      this.stored = null; // the file cannot be read, and its upload reports that
    }
    return this.stored;
  }

  /** Queues the upload. @param {Record<string, string>} metadata  its fields, for the server */
  queue(metadata) {
    this.metadata = metadata;
    this.fault = null;
    this.#set("queued");
  }

  /** Starts or resumes. */
  start() {
    this.failures = 0;
    this.#go();
  }

  pause() {
    clearTimeout(this.timer);
    this.upload?.abort();
    this.speed.forget();
    this.#set("paused");
  }

  /** Queues the upload again. */
  goOn() {
    this.#set("queued");
  }

  /** Cancels the upload, and deletes what the server has received. */
  async remove() {
    clearTimeout(this.timer);
    const hadEnded = ["done", "refused", "chosen"].includes(this.state) && !this.wouldMove;
    this.#set("removed");
    if (this.stored) await storage.removeUpload(this.stored.urlStorageKey);
    if (hadEnded || !this.upload) return;
    try {
      await this.upload.abort(true);
    } catch {
      // The server is unavailable; it deletes the upload itself when it expires.
    }
  }

  /** Confirms that counts of the same bytes move. The server has kept the bytes; otherwise they are uploaded again. */
  async confirmMove() {
    this.metadata = { ...this.metadata, move_counts: "true" };
    this.wouldMove = false;
    this.#set("checking");
    const confirmation = {
      "Content-Type": "application/offset+octet-stream",
      "Tus-Resumable": "1.0.0",
      "Upload-Offset": String(this.file.size),
      "Upload-Metadata": `move_counts ${btoa("true")}`,
    };
    try {
      await send("PATCH", `uploads/${this.#id}`, undefined, confirmation);
      this.#askHowItEnded();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!GONE.has(error.status)) return this.#refuse(error.message, error.remedy, true);
      this.#forget();
      this.#set("queued");
    }
  }

  /** The upload's ID on the server. */
  get #id() {
    return encodeURIComponent(this.upload?.url?.split("/").at(-1) ?? "");
  }

  #go() {
    clearTimeout(this.timer);
    if (!this.upload) this.upload = this.#make();
    this.speed.forget();
    this.#set("sending");
    this.upload.start();
  }

  #make() {
    this.beginnings += 1;
    const made = new Upload(this.file, {
      endpoint: ENDPOINT,
      metadata: this.metadata,
      fingerprint,
      chunkSize: PIECE_BYTES,
      retryDelays: null, // see #fail; the client would start again after any outage
      removeFingerprintOnSuccess: true,
      onUploadUrlAvailable: () => {
        // Without an endpoint, the client does not start a second upload if the first is unavailable.
        made.options.endpoint = null;
      },
      onProgress: (sent, total) => this.#progress(sent, total),
      onSuccess: ({ lastResponse }) => this.#end(lastResponse),
      onError: (error) => this.#fail(error),
    });
    if (this.stored) {
      made.resumeFromPreviousUpload(this.stored);
      made.options.endpoint = null;
    }
    return made;
  }

  /** @param {number} sent @param {number} total */
  #progress(sent, total) {
    if (this.state !== "sending" && this.state !== "checking") return;
    if (sent > this.sent) this.failures = 0;
    this.sent = sent;
    this.speed.note(performance.now(), sent);
    this.#set(sent < total ? "sending" : "checking");
  }

  /** @param {import("tus-js-client").HttpResponse} answer */
  #end(answer) {
    const id = answer.getHeader("Frametally-Video");
    const isRemarked = answer.getHeader("Frametally-Remark") === "true";
    if (id && !isRemarked) this.#accept(id, answer.getHeader("Frametally-Known") === "true");
    else this.#askHowItEnded();
  }

  /** The final answer was lost, or it was to a HEAD request and without a body: ask for the outcome. */
  async #askHowItEnded() {
    this.#set("checking");
    try {
      const told = await getFrom(`uploads/${this.#id}`);
      if (this.state !== "checking") return;
      if (told.state === "accepted") this.#accept(told.video_id, told.known, told.reason ?? "");
      else if (told.state === "refused") this.#refuse(told.reason, told.remedy ?? "", told.status === 409);
      else if (told.state === "aborted")
        this.#refuse(t("videos.it_was_removed_on_the_server"), t("videos.choose_the_file_again"));
      else if (told.state === "receiving") this.#wait(0, undefined);
      else this.timer = setTimeout(() => this.#askHowItEnded(), WAITS_MS[1]);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.state !== "checking") return;
      if (GONE.has(error.status) && this.beginnings < MOST_BEGINNINGS) this.#beginAnew();
      else if (error.passes) this.timer = setTimeout(() => this.#askHowItEnded(), WAITS_MS[2]);
      else this.#refuse(error.message, error.remedy);
    }
  }

  /** @param {string} id @param {boolean} known @param {string} [remark] */
  #accept(id, known, remark = "") {
    this.remark = remark;
    this.videoId = id;
    this.known = known;
    this.sent = this.file.size;
    this.#set("done");
  }

  /** @param {Error} error */
  async #fail(error) {
    const answer = "originalResponse" in error ? /** @type {any} */ (error).originalResponse : null;
    const status = answer ? answer.getStatus() : 0;
    const { detail, remedy, parameter } = problemIn(answer);
    const isReadable = answer !== null || (await this.#isReadable());
    if (!this.isActive) return; // it was paused or deleted meanwhile
    if (!isReadable) {
      this.#refuse(t("videos.the_file_cannot_be_read_any"), t("videos.choose_it_again"));
    } else if (PASSING.has(status)) this.#wait(status, detail);
    else if (this.upload?.url && (GONE.has(status) || !detail)) this.#askHowItEnded();
    else if (status === 507) this.#halt(detail, remedy);
    else if (isSaid(parameter)) this.#giveBack(parameter, `${detail} ${remedy ?? ""}`.trim());
    else this.#refuse(detail ?? answeredWords(status), remedy, parameter === "move_counts");
  }

  /** You can upload it after you change one of its fields. @param {Said} name @param {string} words */
  #giveBack(name, words) {
    this.#forget();
    this.fault = [name, words];
    this.#set("chosen");
  }

  /**
   * Pauses the upload, because someone has to fix the cause first.
   * @param {string} [detail]
   * @param {string} [remedy]
   */
  #halt(detail = t("videos.the_server_has_no_room_left"), remedy = "") {
    this.reason = `${detail} ${remedy}`.trim();
    this.#set("paused");
  }

  /** Whether the file can be read: the browser reports an unreadable file and an unavailable server in the same way. */
  #isReadable() {
    const first = this.file.slice(0, 1).arrayBuffer();
    return first.then(() => true).catch(() => false);
  }

  /** Starts again, because the upload has expired on the server. */
  #beginAnew() {
    if (this.stored) storage.removeUpload(this.stored.urlStorageKey);
    this.#forget();
    this.#go();
  }

  #forget() {
    this.upload = null;
    this.stored = null;
    this.sent = 0;
  }

  /** @param {number} status @param {string|undefined} detail */
  #wait(status, detail) {
    const away = navigator.onLine
      ? t("videos.the_server_does_not_answer")
      : t("videos.this_computer_is_offline");
    this.reason = status ? (detail ?? answeredWords(status)) : away;
    const wait = WAITS_MS[Math.min(this.failures, WAITS_MS.length - 1)];
    this.failures += 1;
    this.#set("waiting");
    this.timer = setTimeout(() => this.#go(), wait);
  }

  /**
   * @param {string} reason
   * @param {string} [remedy]
   * @param {boolean} [wouldMove]  whether it would move counts of these bytes
   */
  #refuse(reason, remedy = "", wouldMove = false) {
    this.reason = reason;
    this.wouldMove = wouldMove;
    this.remedy = wouldMove ? t("videos.move_these_counts_or_choose_the") : remedy;
    // The server would refuse this upload again, so forget it.
    const key = this.stored?.urlStorageKey;
    if (key) storage.removeUpload(key);
    else fingerprint(this.file).then(forget, () => {});
    this.#set("refused");
  }

  /** @param {State} state */
  #set(state) {
    if (this.state === "removed") return;
    if (state !== "waiting" && state !== "refused" && state !== "paused") this.reason = "";
    this.state = state;
    this.onChange();
  }
}

/** @param {number} status */
const answeredWords = (status) => t("web.the_server_answered", { status });

/** @param {string} print */
async function forget(print) {
  for (const { urlStorageKey } of await storage.findUploadsByFingerprint(print)) {
    await storage.removeUpload(urlStorageKey);
  }
}

/**
 * Parses a problem document.
 * @param {import("tus-js-client").HttpResponse|null} answer
 * @returns {{detail?: string, remedy?: string, parameter?: string}}
 */
function problemIn(answer) {
  try {
    return JSON.parse(answer?.getBody() ?? "{}") ?? {};
  } catch {
    return {};
  }
}
