// A camera on the wall: its newest frame, its state, and its buttons.

import { visible } from "frametally_videos/library/words.js";
import { sparkline } from "frametally/js/chart/sparkline.js";
import { nothingWords } from "frametally/js/chart/tooltip.js";
import { withValues } from "frametally/js/shared/address.js";
import { forgetAnswers, get } from "frametally/js/shared/api.js";
import { whenNear } from "frametally/js/frames/boxed_picture.js";
import { el, field, withCode } from "frametally/js/shared/dom.js";
import { labelName, roughly } from "frametally/js/shared/format.js";
import { amountOf, knownOf, knownWords, METRICS } from "frametally/js/shared/metrics.js";
import { gapsOf, partOf, spansOf, totalIn } from "frametally/js/shared/series.js";
import { formatWhole, parseState } from "frametally/js/shared/state.js";
import { zoneInUse, zoneOf } from "frametally/js/shared/time.js";
import { press, speak } from "frametally/js/status/notices.js";
import { sendCameraChange, sendCameraRemoval, sendTurn } from "./requests.js";
import { cameraFacts, cameraWords, isRunning, standing } from "./words.js";
import { inSentence, t } from "frametally/js/shared/texts.js";

const MINUTE_MS = 60_000;
const SHOWN_MS = 60 * MINUTE_MS;
/** The period that the words next to a large camera cover. */
const LATELY_MS = 10 * MINUTE_MS;
const SMALL_PX = 400;

/**
 * @typedef {Object} Counted
 * @property {number} from_ms
 * @property {number} to_ms
 * @property {Page.Row[]} rows
 * @property {Page.Span[]} notAnalysed
 * @property {Page.Nothing[]} nothing
 * @property {Api.ShowsNothing[]} leftOut
 * @property {Api.Counts} answer
 */

/**
 * Requests the counts of all sources in the last hour; a source that is missing in them has no detections.
 * @returns {Promise<(source: string) => Counted>}
 */
export async function askCounted() {
  const to = (Math.floor(Date.now() / MINUTE_MS) + 1) * MINUTE_MS;
  const range = { from_ms: to - SHOWN_MS, to_ms: to };
  forgetAnswers(); // they are from the previous hour
  const asked = { by: "source", metric: "detections", timezone: zoneInUse(), from: range.from_ms, to };
  const counts = await get("counts", withValues("", asked));
  return (source) => {
    const part = partOf(counts, source);
    return { ...range, ...part, leftOut: part.answer.shows_nothing };
  };
}

/** The small chart of a camera's last hour; it links to the full chart. */
export class LastHour {
  /** @param {Api.LiveCamera} camera */
  constructor({ source, name }) {
    this.source = source;
    this.chart = el("a", { "aria-label": t("live.the_last_hour_on_the_chart", { name: visible(name) }) });
    this.words = el("p.small.live-counted");
    this.element = el("div.live-hour", { hidden: true }, this.chart, this.words);
  }

  /** @param {Counted} counted @param {boolean} isLarge  whether the words describe the most recent counts */
  show(counted, isLarge) {
    const { from_ms: from, to_ms: to, rows, notAnalysed, nothing } = counted;
    const metric = METRICS.detections;
    const most = Math.max(0, ...rows.map((row) => totalIn(row, metric) ?? 0));
    const { timezone } = parseState(location.search);
    const hour = { ...parseState(""), timezone, sources: [this.source], from, to };
    this.chart.href = `/?${formatWhole(hour, { timezone: zoneOf(hour) })}`;
    this.chart.hidden = !rows.length && !notAnalysed.length && !nothing.length;
    this.chart.replaceChildren(sparkline(counted, rows, notAnalysed, metric, most, [], spansOf(nothing)));
    const lately = rows.filter(({ end }) => end > to - LATELY_MS);
    const [some, when] = isLarge ? [lately, t("live.last_10_minutes")] : [rows, t("live.last_hour")];
    const words = countedWords(some, when);
    this.words.textContent = [words, ...holeWords(counted), ...blankWords(counted)].join(" · ");
    this.element.hidden = false;
  }
}

/**
 * How much of the time since the first frame has no footage; this excludes the current minute, whose counts are not
 * ready.
 * @param {Counted} counted
 */
function holeWords({ rows, notAnalysed, nothing, to_ms: to }) {
  if (!rows.length) return [];
  const gaps = gapsOf(
    rows,
    [...notAnalysed, ...spansOf(nothing)],
    rows[0].start,
    Math.max(to - MINUTE_MS, rows[0].start),
  );
  const lostMs = gaps.reduce((sum, [start, end]) => sum + end - start, 0);
  return lostMs ? [t("live.no_footage_for", { lostMs: roughly(lostMs) })] : [];
}

/** "5 min black", for each reason. @param {Counted} counted */
const blankWords = ({ leftOut }) =>
  [...new Set(leftOut.map(({ reason }) => reason))].map((reason) => {
    const parts = leftOut.filter((one) => one.reason === reason);
    return nothingWords({
      reason,
      covered_s: parts.reduce((sum, one) => sum + one.covered_s, 0),
      frames: parts.reduce((sum, one) => sum + one.frames, 0),
    });
  });

/**
 * The total of some minutes: their sum or their maximum.
 * @param {Page.Known[]} minutes
 * @param {boolean} isSum
 * @returns {Page.Known}
 */
function overTime(minutes, isSum) {
  const known = minutes.map((minute) => amountOf(minute) ?? 0);
  const all = isSum ? known.reduce((sum, value) => sum + value, 0) : Math.max(0, ...known);
  const isPart = minutes.some(({ value }) => value === null);
  return isPart ? { value: null, part: all || null } : { value: all, part: null };
}

/**
 * "The last 10 minutes, unique objects: car 12 · person 3": objects if tracking covers the whole period; otherwise
 * the peak in one frame.
 * @param {Page.Row[]} rows
 * @param {string} when
 */
export function countedWords(rows, when) {
  if (!rows.length) return t("live.nothing_is_counted_of_the", { when });
  const isFollowed = rows.every(({ missing }) => missing === null);
  const metric = isFollowed ? METRICS.objects : METRICS.peak;
  const labels = [...new Set(rows.flatMap(({ byLabel }) => [...byLabel.keys()]))];
  const found = labels.flatMap((label) => {
    const minutes = rows.flatMap(({ byLabel }) => byLabel.get(label) ?? []);
    const known = overTime(
      minutes.map((minute) => knownOf(metric, minute)),
      isFollowed,
    );
    return known.value === 0 ? [] : [{ label: label ? labelName(label) : t("live.other_labels"), known }];
  });
  found.sort((one, other) => (amountOf(other.known) ?? 0) - (amountOf(one.known) ?? 0));
  const words = found.map(({ label, known }) => `${label} ${knownWords(metric, known)}`).join(" · ");
  return t("live.the", { when, name: inSentence(metric.name), words: words || t("web.none_word") });
}

/** A higher rate than this costs more than it helps. */
const MOST_FPS = 30;

/**
 * The rate of analysis that is too low for the objects of the last hour, or `null`.
 * @param {Counted} counted
 */
function lowRate({ answer: { coverage, totals } }) {
  const rates = coverage.flatMap(({ slowest_fps: fps }) => fps ?? []);
  const isTooFast = totals.some(({ objects_missing: why }) => why === "too_fast");
  return isTooFast && rates.length ? Math.round(Math.min(...rates)) : null;
}

export class CameraCard {
  /**
   * @param {Api.LiveCamera} camera
   * @param {() => void} onChange  called after a change here
   * @param {(source: string) => void} onOpen  called to show the camera large
   */
  constructor(camera, onChange, onOpen) {
    this.onChange = onChange;
    /** @type {Api.LiveCamera|null} */
    this.camera = null;
    this.image = el("img", { alt: "", decoding: "async", hidden: true });
    this.image.addEventListener("error", () => (this.image.hidden = true));
    this.image.addEventListener("load", () => (this.image.hidden = false));
    this.sign = el("p.video-stamp.live-sign");
    this.place = el("div.poster", this.image, this.sign);
    this.name = el("bdi");
    this.facts = el("p.muted.small.live-facts");
    this.reason = el("p.small.live-reason", { hidden: true });
    this.open = el("button.live-open", { onclick: () => onOpen(this.camera?.source ?? "") }, this.name);
    this.turn = el("button.button", { onclick: () => this.#turn() });
    this.edit = el("button.button", { onclick: () => this.#open(this.form) }, t("live.edit_address"));
    this.again = el("button.button", { onclick: () => this.#try() }, t("live.try_now"));
    this.remove = el("button.button.danger", { onclick: () => this.#open(this.sure) }, t("live.remove"));
    this.hour = new LastHour(camera);
    /** The rate that is too low for the objects there. @type {number|null} */
    this.lowFps = null;
    this.moreFps = MOST_FPS;
    this.fastWords = el("p.small");
    this.faster = el("button.button", { onclick: () => this.#try({ sample_fps: String(this.moreFps) }) });
    this.fast = el("div.live-fast", { hidden: true }, this.fastWords, this.faster);
    this.tools = el("div.live-tools.row", this.turn, this.edit, this.again, this.remove);
    this.fault = el("p.form-said.live-problem", { role: "alert", hidden: true });
    this.said = el("p.small", { role: "status", hidden: true });
    this.address = el("input", { type: "text", inputmode: "url", required: true, maxlength: 2000, autocomplete: "off", spellcheck: "false" }); // prettier-ignore
    this.save = el("button.button.primary", t("live.save"));
    this.form = el(
      "form.live-edit",
      { hidden: true, onsubmit: (/** @type {SubmitEvent} */ event) => this.#move(event) },
      field(t("live.address"), this.address),
      el("div.row", this.save, this.#cancel()),
    );
    this.delete = el("button.button.danger", { onclick: () => this.#remove() });
    this.sure = el(
      "div.live-edit",
      { hidden: true, role: "group" },
      el("p.small", t("live.its_footage_stays")),
      el("div.row", this.delete, this.#cancel()),
    );
    const head = [this.place, el("h2", this.open), this.facts, this.reason, this.hour.element, this.fast];
    const acts = [this.tools, this.form, this.sure, this.fault, this.said];
    this.element = el("li.live-camera.stack", ...head, ...acts);
  }

  /** @param {Api.LiveCamera} camera @param {boolean} isAllowed  whether you may change it */
  show(camera, isAllowed) {
    const before = this.camera;
    this.camera = camera;
    const { name, frame_url: url, reason } = camera;
    if (url && url !== before?.frame_url) whenNear(this.place, () => this.#load(url));
    this.element.dataset.standing = standing(camera);
    this.element.dataset.source = camera.source;
    this.name.textContent = visible(name);
    this.sign.textContent = cameraWords(camera);
    this.facts.textContent = cameraFacts(camera);
    const remarks = [camera.simulated ? t("live.simulated_nothing_is_counted") : "", visible(reason ?? "")];
    this.reason.replaceChildren(...withCode(remarks.join(" ").trim()));
    this.reason.hidden = !this.reason.textContent;
    this.isOn = isRunning(camera) && camera.wanted !== "stop";
    this.turn.textContent = this.isOn ? t("live.stop") : t("live.start");
    this.turn.ariaLabel = `${this.turn.textContent} ${name}`;
    for (const button of [this.edit, this.again]) button.ariaLabel = `${button.textContent}: ${name}`;
    this.edit.hidden = camera.simulated;
    this.again.hidden = camera.simulated || !["gone", "failed", "waiting"].includes(standing(camera));
    this.remove.ariaLabel = this.sure.ariaLabel = this.delete.textContent = t("live.remove_name", { name });
    this.isAllowed = isAllowed;
    this.#arrange();
  }

  /** @param {Counted} counted  the counts of the last hour */
  showCounted(counted) {
    this.hour.show(counted, false);
    this.lowFps = lowRate(counted);
    this.#arrange();
  }

  /** Shows the buttons, or the form that one of them opened. */
  #arrange() {
    const fps = this.lowFps ?? MOST_FPS;
    this.moreFps = Math.min(2 * fps, MOST_FPS);
    this.fast.hidden = fps >= MOST_FPS || this.#storedFps() > fps;
    this.fastWords.textContent = t("live.too_fast_for_the_rate", { fps });
    this.faster.textContent = t("live.analyse_more_frames", { fps: this.moreFps });
    this.faster.ariaLabel = `${this.faster.textContent}: ${this.camera?.name}`;
    this.faster.hidden = !this.isAllowed;
    this.tools.hidden = !this.isAllowed || !this.form.hidden || !this.sure.hidden;
  }

  /** The rate that someone chose for the camera: the counts of the last hour may be of an earlier one. */
  #storedFps() {
    const chosen = this.camera?.sample_fps;
    return chosen === "all" ? Infinity : Number(chosen ?? 0);
  }

  #cancel() {
    return el("button.button", { type: "button", onclick: () => this.#close() }, t("live.cancel"));
  }

  /** @param {HTMLElement} part  the address form, or the question whether to delete the camera */
  #open(part) {
    this.fault.hidden = this.said.hidden = true;
    part.hidden = false;
    this.#arrange();
    this.address.value = this.camera?.address ?? "";
    this.address.removeAttribute("aria-invalid");
    (part === this.form ? this.address : this.delete).focus();
  }

  #close() {
    const opener = this.form.hidden ? this.remove : this.edit;
    this.form.hidden = this.sure.hidden = this.fault.hidden = true;
    this.#arrange();
    opener.focus();
  }

  /** @param {string} url */
  #load(url) {
    this.image.src = `${url}&w=${this.place.clientWidth > SMALL_PX ? 640 : 320}`;
  }

  #turn() {
    const [what, words] = this.isOn
      ? /** @type {const} */ (["stop", t("live.is_stopped")])
      : /** @type {const} */ (["start", t("live.is_started")]);
    this.#do(() => sendTurn(this.camera?.source ?? "", what), words);
  }

  /** @param {SubmitEvent} event */
  async #move(event) {
    event.preventDefault();
    const isDone = await this.#try({ address: this.address.value });
    this.address.setAttribute("aria-invalid", String(!isDone));
    if (isDone) this.#close();
    else this.address.focus();
  }

  /**
   * Tests the camera, with a new address or rate if there is one.
   * @param {{address?: string, sample_fps?: string}} change
   */
  #try(change = {}) {
    this.said.textContent = t("live.trying_the_camera_for_up_to");
    this.said.hidden = false;
    return press([...this.element.querySelectorAll("button")], this.fault, async () => {
      const { trial } = await sendCameraChange(this.camera?.source ?? "", change);
      this.said.textContent = trial ?? t("live.is_tried_next");
      this.onChange();
    }).finally(() => (this.said.hidden ||= !this.fault.hidden));
  }

  #remove() {
    this.#do(() => sendCameraRemoval(this.camera?.source ?? ""), t("live.is_removed_its_counts_stay"));
  }

  /** @param {() => Promise<unknown>} what @param {string} words */
  #do(what, words) {
    this.said.hidden = true;
    press([this.turn, this.remove, this.delete], this.fault, async () => {
      await what();
      speak(`${this.camera?.name} ${words}`);
      this.onChange();
    });
  }
}
