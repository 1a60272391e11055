// Sends answers to the server. Each answer stays in this browser until the server has it.

import { ApiError, send } from "frametally/js/shared/api.js";
import { byId } from "frametally/js/shared/dom.js";

const RETRY_MS = 2000;

/** @typedef {{boxes?: object[], counts?: Record<string, number>, taps?: object[], is_missing?: boolean}} Answer */
/** @typedef {{unit: number, turn: number, took_ms: number} & Answer} Sent */

/** Whether the server refused the answer itself, not its sender or its time. @param {unknown} error */
export const isRefused = (error) => error instanceof ApiError && error.status === 400;

export class Answers {
  /** @param {string} check @param {(error: unknown, answer: Sent) => void} say */
  constructor(check, say) {
    this.route = `accuracy/${encodeURIComponent(check)}/answers`;
    this.place = `frametally-answers-${check}`;
    this.say = say;
    /** @type {Promise<void>|null} */
    this.sending = null;
  }

  /** @returns {Sent[]} */
  get waiting() {
    return JSON.parse(localStorage.getItem(this.place) ?? "[]");
  }

  /** @param {Sent[]} answers */
  keep(answers) {
    if (answers.length) localStorage.setItem(this.place, JSON.stringify(answers));
    else localStorage.removeItem(this.place);
    byId("desk-view").toggleAttribute("data-waiting", answers.length > 0);
  }

  /** @param {Api.UnitToAnswer} unit @param {number} took @param {Answer} answer */
  put({ unit, turn }, took, answer) {
    this.keep([...this.waiting, { unit, turn, took_ms: took, ...answer }]);
  }

  /**
   * Sends waiting answers in order. It reports and drops an answer that the server refuses; the server sends its unit
   * again.
   */
  sendAll() {
    this.sending ??= this.#send().finally(() => (this.sending = null));
    return this.sending;
  }

  async #send() {
    let isOneRefused = false;
    for (let [first] = this.waiting; first; [first] = this.waiting) {
      try {
        await send("POST", this.route, first);
        if (!isOneRefused) byId("notice").hidden = true;
      } catch (error) {
        this.say(error, first);
        if (!isRefused(error)) {
          if (!(error instanceof ApiError) || error.passes) setTimeout(() => this.sendAll(), RETRY_MS);
          return;
        }
        isOneRefused = true;
      }
      this.keep(this.waiting.slice(1));
    }
  }
}
