// News of the videos: from the server's stream, from a socket for this browser's own uploads, or requested
// again.

import { ApiError } from "frametally/js/shared/api.js";
import { HeldSocket } from "frametally/js/shared/socket.js";
import { parseState } from "frametally/js/shared/state.js";
import { carrySelection } from "frametally/js/shell/navigation.js";
import { isStreaming } from "frametally/js/status/live.js";
import { showFault, showFresh, showOutage } from "frametally/js/status/notices.js";
import { t } from "frametally/js/shared/texts.js";

/** @type {Set<() => void>} */
const listeners = new Set();

/** @param {() => void} listener @returns {() => void} ends it */
export function onNews(listener) {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

/** A video was changed, removed or brought in: all that show videos ask anew. */
export function tellNews() {
  for (const listener of listeners) listener();
}

/** @type {Set<(job: Page.ToldJob) => void>} */
const jobListeners = new Set();

/**
 * Listens for how far single jobs are, which is told oftener than all else.
 * @param {(job: Page.ToldJob) => void} listener
 */
export function onJob(listener) {
  jobListeners.add(listener);
}

/** A job is so far now; one that is no more under way has changed its video, too. @param {Page.ToldJob} job */
function tellJob(job) {
  for (const listener of jobListeners) listener(job);
  if (job.state !== "running") tellNews();
}

/** The server speaks every 20 s. */
const SILENCE_MS = 45_000;
/** The server takes no socket of this browser. */
const REFUSED = 1008;

/** Holds a socket while the page is seen. @param {string} clientId */
export function holdSocket(clientId) {
  const path = `/ws/${encodeURIComponent(clientId)}`;
  const message = (/** @type {any} */ data) => typeof data === "string" && take(JSON.parse(data));
  new HeldSocket(path, { silenceMs: SILENCE_MS, final: [REFUSED] }, { message });
}

/** @param {{type: string} & Partial<Page.ToldJob>} message */
function take(message) {
  if (message.type === "job") tellJob(/** @type {Page.ToldJob} */ (/** @type {unknown} */ (message)));
  if (message.type === "hello" || message.type === "video") tellNews();
}

/** News may come with every frame that is detected, and every step of a job. */
const LEAST_BETWEEN_MS = 1000;

/** @template Answer */
export class Refreshing {
  /**
   * @param {HTMLElement} page  is busy while it is asked
   * @param {string} name  "The videos"
   * @param {{ask: (signal: AbortSignal) => Promise<Answer>, show: (answer: Answer) => void,
   *   failed: (reason: string, remedy: string) => void}} on  failed: nothing is shown yet
   * @param {number} withoutNewsMs  how long it waits where no events come: there are too many streams, or a
   *   job moves on, which no event tells of
   */
  constructor(page, name, on, withoutNewsMs) {
    this.page = page;
    this.name = name;
    this.on = on;
    this.withoutNewsMs = withoutNewsMs;
    /** @type {AbortController|null} */
    this.asking = null;
    this.askedAt = 0;
    /** The last answer, and whether it was another one than before. */
    this.text = "";
    this.isMoving = false;
    /** When what is shown was loaded. @type {number|null} */
    this.since = null;
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.due = undefined;
    this.now = this.now.bind(this);
    this.soon = this.soon.bind(this);
  }

  start() {
    onNews(this.soon);
    addEventListener("popstate", this.now);
    setInterval(() => {
      const isDue = Date.now() - this.askedAt >= this.withoutNewsMs;
      if (isDue && (this.isMoving || !isStreaming())) this.soon();
    }, this.withoutNewsMs);
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
    const text = JSON.stringify(answer);
    this.isMoving = text !== this.text;
    this.text = text;
    this.on.show(answer);
  }

  /** @param {unknown} error */
  #fail(error) {
    const isOurs = error instanceof ApiError;
    const [reason, remedy] = isOurs ? [error.message, error.remedy] : [String(error), ""];
    if (this.since !== null && isOurs && error.passes) {
      showOutage(error, this.since, this.now, t("videos.are_out_of_reach", { name: this.name }));
    } else if (this.since !== null) {
      showFault(t("videos.cannot_be_shown", { name: this.name }), `${reason} ${remedy}`);
    } else {
      this.page.dataset.state = "failed";
      this.on.failed(reason, remedy);
    }
  }
}
