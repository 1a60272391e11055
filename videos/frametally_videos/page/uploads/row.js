// One file in the panel: what is said of it, how far it is, and what can be done with it.

import { byId, el } from "frametally/js/shared/dom.js";
import { number, percent, roughly } from "frametally/js/shared/format.js";
import { addressOf, choose } from "../library/chosen.js";
import { bytes, visible } from "../library/words.js";
import { Fields } from "./fields.js";
import { Sending } from "./sending.js";

/** Several times a second is more than one can read. */
const SHOWN_EVERY_MS = 250;

export class Row {
  /**
   * @param {File} file
   * @param {() => void} onChange  its state
   */
  constructor(file, onChange) {
    this.sending = new Sending(file, () => this.#changed());
    this.onChange = onChange;
    this.fields = new Fields(file);
    this.shownState = "";
    this.shownAt = 0;
    this.bar = el("progress", { max: "1", value: "0", "aria-label": `Progress of ${visible(file.name)}` });
    this.words = el("p", { class: "small upload-words" });
    this.open = el("a", { class: "link", text: "Open", hidden: true, onclick: openHere });
    this.pause = this.#button("Pause", () => this.sending.pause());
    this.move = this.#button("Move counts", () => this.sending.confirmMove());
    this.goOn = this.#button("Go on", () => this.sending.goOn());
    this.remove = this.#button("Remove", () => this.sending.remove());
    const name = visible(file.name);
    this.element = el(
      "li",
      { class: "upload-row" },
      el(
        "div",
        { class: "upload-head" },
        el("p", { class: "strong ellipsis", title: name }, el("bdi", { text: name })),
        el("span", { class: "muted small", text: bytes(file.size) }),
        el("span", { class: "upload-buttons" }, this.pause, this.move, this.goOn, this.open, this.remove),
      ),
      this.fields.element,
      this.bar,
      this.words,
    );
    this.#show();
  }

  /** @param {string} text @param {() => void} onclick */
  #button(text, onclick) {
    const { name } = this.sending.file;
    return el("button", {
      type: "button",
      class: "button",
      text,
      "aria-label": `${text}: ${visible(name)}`,
      onclick,
    });
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
    this.bar.hidden = ["chosen", "done", "refused"].includes(state);
    if (state === "checking") this.bar.removeAttribute("value");
    else this.bar.value = file.size ? sent / file.size : 0;
    this.words.textContent = wordsOf(this.sending);
    this.pause.hidden = !["queued", "sending", "waiting"].includes(state);
    this.goOn.hidden = state !== "paused";
    this.move.hidden = state !== "refused" || !this.sending.wouldMove;
    this.remove.hidden = state === "checking";
    // From this list alone: a video that came in stays.
    const [action, name] = [["done", "refused"].includes(state) ? "Clear" : "Remove", visible(file.name)];
    this.remove.textContent = action;
    this.remove.ariaLabel = `${action}: ${name}`;
    this.open.hidden = !videoId;
    if (videoId) {
      this.open.href = addressOf(videoId);
      this.open.dataset.id = videoId;
      this.open.setAttribute("aria-label", `Open: ${visible(file.name)}`);
    }
    // A button that went took the keyboard with it.
    const next = this.element.querySelector("button:not([hidden])");
    if (hadKeys && document.activeElement === document.body && next instanceof HTMLElement) next.focus();
  }

  /** @param {string} state */
  #speak(state) {
    const { file, reason } = this.sending;
    if (state === this.shownState || !["done", "refused", "waiting", "paused"].includes(state)) return;
    byId("spoken").textContent = `${visible(file.name)}: ${wordsOf(this.sending) || reason}`;
  }
}

/** @param {MouseEvent} event */
function openHere(event) {
  const link = event.currentTarget;
  if (!(link instanceof HTMLElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  choose(link.dataset.id ?? null);
}

/**
 * How it stands, as one line.
 * @param {Sending} sending
 */
export function wordsOf({ state, sent, file, speed, reason, remedy, known, remark }) {
  const share = percent(file.size ? Math.floor((sent / file.size) * 100) / 100 : 0);
  switch (state) {
    case "queued":
      return "Waits for its turn";
    case "sending": {
      const { rate } = speed;
      const left = speed.left(file.size);
      return [
        share,
        `${bytes(sent)} of ${bytes(file.size)}`,
        ...(rate ? [`${bytes(Math.round(rate))} a second`] : []),
        ...(left !== null ? [`${roughly(left)} left`] : []),
      ].join(" · ");
    }
    case "waiting":
      return `${reason} It goes on by itself from ${share}.`;
    case "paused":
      return reason ? `${reason} Paused at ${share}.` : `Paused at ${share}`;
    case "checking":
      return "All of it is there. The server looks into it …";
    case "done":
      return `${known ? "This video has already been uploaded." : "Received. It is counted automatically."} ${remark}`.trim();
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
  const done = `${number(count("done"))} of ${number(begun.length)} received`;
  return refused ? `${done}, ${number(refused)} refused` : done;
}
