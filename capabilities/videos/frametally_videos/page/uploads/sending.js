// One file on its way to the server, over tus: it resumes after a lost connection, a reload or a server outage.

import { Upload, defaultOptions } from "tus-js-client";
import { ApiError, BASE, getFrom, send } from "frametally/js/shared/api.js";
import { fingerprint, Speed } from "./checks.js";
import { t } from "frametally/js/shared/texts.js";

const ENDPOINT = `${BASE}/uploads`;
/** Of one request: proxies end one that takes very long. */
const PIECE_BYTES = 64 * 1024 * 1024;
const WAITS_MS = [500, 1000, 2000, 4000, 8000, 15_000];
const MOST_BEGINNINGS = 3;
/** What passes by itself: no answer, another request that still has it, too many at once, a server that restarts. */
const PASSING = new Set([0, 408, 409, 423, 425, 429, 500, 502, 503, 504]);
const GONE = new Set([404, 410]);

/** @typedef {"chosen"|"queued"|"sending"|"waiting"|"paused"|"checking"|"done"|"refused"|"removed"} State */

/** What somebody says of a file, and can say otherwise. */
const SAID = /** @type {const} */ (["name", "source", "start_time", "timezone", "roi", "calibration"]);
/** @typedef {typeof SAID[number]} Said */
/** @param {string|undefined} name @returns {name is Said} */
const isSaid = (name) => SAID.some((one) => one === name);

export const storage = defaultOptions.urlStorage;

export class Sending {
  /**
   * @param {File} file
   * @param {() => void} onChange  its state, or how far it is
   */
  constructor(file, onChange) {
    this.file = file;
    this.onChange = onChange;
    /** @type {State} */
    this.state = "chosen";
    this.sent = 0;
    this.speed = new Speed();
    /** Why it waits or was refused, and what helps. */
    this.reason = "";
    this.remedy = "";
    /** @type {string|null} */
    this.videoId = null;
    /** Whether its bytes were there already. */
    this.known = false;
    /** What was moved, or what was not taken of what was said. */
    this.remark = "";
    /** The field that was refused before anything was sent, and why. @type {[name: Said, words: string]|null} */
    this.fault = null;
    /** Whether it was refused because it would move what is counted: that can be confirmed. */
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

  /** Whether leaving the page would cut it. */
  get isUnderWay() {
    return ["queued", "sending", "waiting", "checking"].includes(this.state);
  }

  /** Whether it takes one of the places for uploads at once. */
  get isActive() {
    return ["sending", "waiting", "checking"].includes(this.state);
  }

  /** Where an upload of the same file stopped, on this page or in another session; null: nowhere. */
  async findEarlier() {
    try {
      const [found] = (await storage.findUploadsByFingerprint(await fingerprint(this.file))).filter(
        ({ uploadUrl, size }) => uploadUrl && size === this.file.size,
      );
      this.stored = found ?? null;
    } catch {
      this.stored = null; // the file cannot be read: its upload will say so
    }
    return this.stored;
  }

  /** Waits for a place. @param {Record<string, string>} metadata  what the server is told of it */
  queue(metadata) {
    this.metadata = metadata;
    this.fault = null;
    this.#set("queued");
  }

  /** Begins, or goes on. */
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

  /** Waits for a place again. */
  goOn() {
    this.#set("queued");
  }

  /** Ends it, and removes what the server has of it. */
  async remove() {
    clearTimeout(this.timer);
    const hadEnded = ["done", "refused", "chosen"].includes(this.state) && !this.wouldMove;
    this.#set("removed");
    if (this.stored) await storage.removeUpload(this.stored.urlStorageKey);
    if (hadEnded || !this.upload) return;
    try {
      await this.upload.abort(true);
    } catch {
      // What cannot be told now the server removes by itself, when it expires.
    }
  }

  /** Lets it move what is counted of the same bytes. The server has kept them; if not, they are sent again. */
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

  /** What the server calls the upload. */
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
      retryDelays: null, // see #fail: it would begin anew where the server is only away
      removeFingerprintOnSuccess: true,
      onUploadUrlAvailable: () => {
        // Without it, it does not begin a second upload where the first one cannot be asked for.
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

  /** The answer that said what became of it was lost, or it was one to a HEAD, which has no words. */
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
    if (!this.isActive) return; // paused or removed meanwhile
    if (!isReadable) {
      this.#refuse(t("videos.the_file_cannot_be_read_any"), t("videos.choose_it_again"));
    } else if (PASSING.has(status)) this.#wait(status, detail);
    else if (this.upload?.url && (GONE.has(status) || !detail)) this.#askHowItEnded();
    else if (status === 507) this.#halt(detail, remedy);
    else if (isSaid(parameter)) this.#giveBack(parameter, `${detail} ${remedy ?? ""}`.trim());
    else this.#refuse(detail ?? answeredWords(status), remedy, parameter === "move_counts");
  }

  /** It can be sent once one of its fields is another. @param {Said} name @param {string} words */
  #giveBack(name, words) {
    this.#forget();
    this.fault = [name, words];
    this.#set("chosen");
  }

  /** Somebody has to do something first. @param {string} [detail] @param {string} [remedy] */
  #halt(detail = t("videos.the_server_has_no_room_left"), remedy = "") {
    this.reason = `${detail} ${remedy}`.trim();
    this.#set("paused");
  }

  /** A browser tells a file that it cannot read from a server that does not answer only where it is asked for it. */
  #isReadable() {
    const first = this.file.slice(0, 1).arrayBuffer();
    return first.then(() => true).catch(() => false);
  }

  /** The server does not know it any more: it has expired. */
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

  /** @param {string} reason @param {string} [remedy] @param {boolean} [wouldMove]  what is counted of these bytes */
  #refuse(reason, remedy = "", wouldMove = false) {
    this.reason = reason;
    this.wouldMove = wouldMove;
    this.remedy = wouldMove ? t("videos.move_these_counts_or_choose_the") : remedy;
    // What was refused once is refused again.
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
 * What a problem document says.
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
