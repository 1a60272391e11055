// What a page lists of videos: asked for at once, and again whenever something has changed, one question at a time;
// while the server is away the page keeps what it has.

import { ApiError } from "frametally/js/shared/api.js";
import { parseState } from "frametally/js/shared/state.js";
import { carrySelection } from "frametally/js/shell/links.js";
import { showFault, showFresh, showOutage } from "frametally/js/status/notices.js";
import { onNews } from "./news.js";

/** News may come with every frame that is detected, and every step of a job. */
const LEAST_BETWEEN_MS = 1000;

/** @template Answer */
export class Refreshing {
  /**
   * @param {HTMLElement} page  is busy while it is asked
   * @param {string} name  "The videos"
   * @param {{ask: (signal: AbortSignal) => Promise<Answer>, show: (answer: Answer) => void,
   *   failed: (reason: string, remedy: string) => void}} on  failed: nothing is shown yet
   * @param {number} withoutNewsMs  how long it waits where no events come: there are too many streams
   */
  constructor(page, name, on, withoutNewsMs) {
    this.page = page;
    this.name = name;
    this.on = on;
    this.withoutNewsMs = withoutNewsMs;
    /** @type {AbortController|null} */
    this.asking = null;
    this.askedAt = 0;
    /** When what is shown was loaded. @type {number|null} */
    this.since = null;
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.due = undefined;
    this.now = this.now.bind(this);
    this.soon = this.soon.bind(this);
  }

  /** @returns {{away: () => void, back: () => void}} */
  start() {
    onNews(this.soon);
    addEventListener("popstate", this.now);
    setInterval(() => Date.now() - this.askedAt >= this.withoutNewsMs && this.soon(), this.withoutNewsMs);
    this.now();
    // The heart beats for the counts' index, which a list can do without: it is asked itself.
    return { away: this.soon, back: this.soon };
  }

  soon() {
    if (this.due !== undefined || document.hidden) return;
    this.due = setTimeout(
      () => {
        this.due = undefined;
        if (!this.asking) this.now();
        else this.soon(); // an answer that is on its way may be of before
      },
      Math.max(this.askedAt + LEAST_BETWEEN_MS - Date.now(), 0),
    );
  }

  async now() {
    this.asking?.abort();
    const mine = new AbortController();
    this.asking = mine;
    this.askedAt = Date.now();
    this.page.setAttribute("aria-busy", "true");
    carrySelection(parseState(location.search));
    try {
      const answer = await this.on.ask(mine.signal);
      if (this.asking === mine) this.#show(answer);
    } catch (error) {
      if (this.asking === mine) this.#fail(error);
    }
    if (this.asking !== mine) return;
    this.asking = null;
    this.page.removeAttribute("aria-busy");
  }

  /** @param {Answer} answer */
  #show(answer) {
    this.since = Date.now();
    showFresh(this.since);
    this.on.show(answer);
  }

  /** @param {unknown} error */
  #fail(error) {
    const isOurs = error instanceof ApiError;
    const [reason, remedy] = isOurs ? [error.message, error.remedy] : [String(error), ""];
    if (this.since !== null && isOurs && error.passes) {
      showOutage(error, this.since, this.now, `${this.name} are out of reach`);
    } else if (this.since !== null) {
      showFault(`${this.name} cannot be shown`, `${reason} ${remedy}`);
    } else {
      this.page.dataset.state = "failed";
      this.on.failed(reason, remedy);
    }
  }
}
