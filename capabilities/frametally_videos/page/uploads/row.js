// One file in the panel: its fields, its progress, and its buttons.

import { byId, el } from "frametally/js/shared/dom.js";
import { bytes, number, percent, roughly } from "frametally/js/shared/format.js";
import { addressOf, choose } from "../library/chosen.js";
import { visible } from "../library/words.js";
import { fileButton, headOf, progressOf } from "./files.js";
import { Fields } from "./fields.js";
import { Sending } from "./sending.js";
import { t } from "frametally/js/shared/texts.js";

/** People cannot read updates more often than this. */
const SHOWN_EVERY_MS = 250;

export class Row {
  /**
   * @param {File} file
   * @param {() => void} onChange  called when its state changes
   */
  constructor(file, onChange) {
    this.sending = new Sending(file, () => this.#changed());
    this.onChange = onChange;
    this.fields = new Fields(file);
    this.shownState = "";
    this.shownAt = 0;
    this.name = visible(file.name);
    this.bar = progressOf(this.name, 0);
    this.words = el("p.small.upload-words");
    const { name, sending } = this;
    const opening = { hidden: true, "aria-label": t("videos.open_name", { name }), onclick: openHere };
    this.open = el("a.link", opening, t("videos.open"));
    this.pause = fileButton(t("web.pause"), name, () => sending.pause());
    this.move = fileButton(t("videos.move_counts"), name, () => sending.confirmMove());
    this.goOn = fileButton(t("videos.go_on"), name, () => sending.goOn());
    this.remove = fileButton(t("videos.remove_button"), name, () => sending.remove());
    const head = headOf(name, file.size, this.pause, this.move, this.goOn, this.open, this.remove);
    this.element = el("li.upload-row.stack", head, this.fields.element, this.bar, this.words);
    this.#show();
  }

  #changed() {
    const { state } = this.sending;
    const isNew = state !== this.shownState;
    if (isNew || performance.now() - this.shownAt >= SHOWN_EVERY_MS) this.#show();
    if (isNew) this.onChange();
  }

  #show() {
    const { state, sent, file, videoId } = this.sending;
    this.#speak(state);
    this.shownState = state;
    this.shownAt = performance.now();
    this.element.dataset.state = state;
    const hadKeys = this.element.contains(document.activeElement);
    this.fields.element.hidden = state !== "chosen";
    if (this.sending.fault) this.fields.refuse(...this.sending.fault);
    this.bar.hidden = ["chosen", "done", "refused"].includes(state);
    if (state === "checking") this.bar.removeAttribute("value");
    else this.bar.value = file.size ? sent / file.size : 0;
    this.words.textContent = wordsOf(this.sending);
    this.pause.hidden = !["queued", "sending", "waiting"].includes(state);
    this.goOn.hidden = state !== "paused";
    this.move.hidden = state !== "refused" || !this.sending.wouldMove;
    this.remove.hidden = state === "checking";
    // "Clear" only removes the row; the uploaded video stays.
    const action = ["done", "refused"].includes(state) ? t("videos.clear") : t("videos.remove_button");
    this.remove.textContent = action;
    this.remove.ariaLabel = `${action}: ${this.name}`;
    this.open.hidden = !videoId;
    if (videoId) {
      this.open.href = addressOf(videoId);
      this.open.dataset.id = videoId;
    }
    // Hiding a button takes its focus away.
    const next = this.element.querySelector("button:not([hidden])");
    if (hadKeys && document.activeElement === document.body && next instanceof HTMLElement) next.focus();
  }

  /** @param {string} state */
  #speak(state) {
    if (state === this.shownState || !["done", "refused", "waiting", "paused"].includes(state)) return;
    byId("spoken").textContent = `${this.name}: ${wordsOf(this.sending)}`;
  }
}

/** @param {MouseEvent} event */
function openHere(event) {
  const link = event.currentTarget;
  if (!(link instanceof HTMLElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  choose(link.dataset.id ?? null);
}

/** The upload's state in one line. @param {Sending} sending */
export function wordsOf({ state, sent, file, speed, reason, remedy, known, remark }) {
  const share = percent(file.size ? Math.floor((sent / file.size) * 100) / 100 : 0);
  switch (state) {
    case "queued":
      return t("videos.waits_for_its_turn");
    case "sending": {
      const { rate } = speed;
      const left = speed.left(file.size);
      return [
        share,
        t("videos.sent_of_size", { sent: bytes(sent), size: bytes(file.size) }),
        ...(rate ? [t("videos.a_second", { rate: bytes(Math.round(rate)) })] : []),
        ...(left !== null ? [t("videos.left", { left: roughly(left) })] : []),
      ].join(" · ");
    }
    case "waiting":
      return t("videos.it_goes_on_by_itself_from", { reason, share });
    case "paused":
      return reason ? t("videos.paused_at", { reason, share }) : t("videos.paused_at_share", { share });
    case "checking":
      return t("videos.all_of_it_is_there_the");
    case "done":
      return `${known ? t("videos.this_video_has_already_been_uploaded") : t("videos.received_it_is_counted_automatically")} ${remark}`.trim();
    case "refused":
      return `${/[.!?…]$/.test(reason) ? reason : `${reason}.`} ${remedy}`.trim();
    default:
      return "";
  }
}

/** "2 of 3 received, 1 refused" @param {Row[]} rows */
export function summaryOf(rows) {
  const count = (/** @type {string} */ state) => rows.filter(({ sending }) => sending.state === state).length;
  const begun = rows.filter(({ sending }) => sending.state !== "chosen");
  if (!begun.length) return "";
  const refused = count("refused");
  const done = t("videos.of_received", { count: number(count("done")), length: number(begun.length) });
  return refused ? t("videos.refused", { done, refused: number(refused) }) : done;
}
