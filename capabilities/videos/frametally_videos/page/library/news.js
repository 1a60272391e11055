// News of the videos: from the server's stream, from a socket for this browser's own uploads, or requested
// again.

import { ApiError } from "frametally/js/shared/api.js";
import { HeldSocket } from "frametally/js/shared/socket.js";
import { parseState } from "frametally/js/shared/state.js";
import { carrySelection } from "frametally/js/shell/navigation.js";
import { isStreaming } from "frametally/js/status/live.js";
import { showFault, showFresh, showOutage, wordsOf } from "frametally/js/status/notices.js";
import { showNothing } from "frametally/js/status/nothing.js";
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

/**
 * Asks for what a part of the page shows; of several answers only that of the last request is shown.
 * @template Answer
 */
export class Asking {
  /**
   * @param {HTMLElement} area  is busy while it is asked
   * @param {{ask: (signal: AbortSignal) => Promise<Answer>, show: (answer: Answer) => void,
   *   fail: (error: unknown) => void}} on
   */
  constructor(area, on) {
    this.area = area;
    this.on = on;
    /** @type {AbortController|null} */
    this.asking = null;
    this.askedAt = 0;
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.due = undefined;
    this.now = this.now.bind(this);
    this.soon = this.soon.bind(this);
  }

  /** Asks again. @param {number} [afterMs]  at least, since it was asked last */
  soon(afterMs = LEAST_BETWEEN_MS) {
    if (this.due !== undefined) return;
    this.due = setTimeout(
      () => {
        this.due = undefined;
        if (!this.asking) this.now();
        else this.soon(); // an answer that is on its way may be of before
      },
      Math.max(this.askedAt + afterMs - Date.now(), 0),
    );
  }

  async now() {
    this.stop();
    const mine = new AbortController();
    this.asking = mine;
    this.askedAt = Date.now();
    this.area.setAttribute("aria-busy", "true");
    try {
      const answer = await this.on.ask(mine.signal);
      if (this.asking === mine) this.on.show(answer);
    } catch (error) {
      if (this.asking === mine) this.on.fail(error);
    }
    if (this.asking !== mine) return;
    this.asking = null;
    this.area.removeAttribute("aria-busy");
  }

  /** What is on its way is not shown any more. */
  stop() {
    this.asking?.abort();
    this.asking = null;
    clearTimeout(this.due);
    this.due = undefined;
  }
}

/**
 * A page's list, asked for again with all news.
 * @template Answer
 * @extends {Asking<Answer>}
 */
export class Refreshing extends Asking {
  /**
   * @param {HTMLElement} page
   * @param {string} name  "The videos"
   * @param {{ask: (signal: AbortSignal) => Promise<Answer>, show: (answer: Answer) => void, nothing: string}} on
   *   nothing: that it cannot be shown, where nothing is shown yet
   * @param {number} withoutNewsMs  how long it waits where no events come: there are too many streams, or a
   *   job moves on, which no event tells of
   */
  constructor(page, name, { ask, show, nothing }, withoutNewsMs) {
    super(page, {
      ask: (signal) => {
        carrySelection(parseState(location.search));
        return ask(signal);
      },
      show: (answer) => {
        this.since = Date.now();
        showFresh(this.since);
        const text = JSON.stringify(answer);
        this.isMoving = text !== this.text;
        this.text = text;
        show(answer);
      },
      fail: (error) => this.#fail(error),
    });
    this.name = name;
    this.nothing = nothing;
    this.withoutNewsMs = withoutNewsMs;
    /** The last answer, and whether it was another one than before. */
    this.text = "";
    this.isMoving = false;
    /** When what is shown was loaded. @type {number|null} */
    this.since = null;
  }

  start() {
    const look = () => document.hidden || this.soon();
    onNews(look);
    addEventListener("popstate", this.now);
    setInterval(() => {
      const isDue = Date.now() - this.askedAt >= this.withoutNewsMs;
      if (isDue && (this.isMoving || !isStreaming())) look();
    }, this.withoutNewsMs);
    this.now();
    // The heart beats for the counts' index, which a list can do without: it is asked itself.
    return { away: look, back: look };
  }

  /** @param {unknown} error */
  #fail(error) {
    if (this.since !== null && error instanceof ApiError && error.passes) {
      showOutage(error, this.since, this.now, t("videos.are_out_of_reach", { name: this.name }));
    } else if (this.since !== null) {
      showFault(t("videos.cannot_be_shown", { name: this.name }), wordsOf(error));
    } else {
      this.area.dataset.state = "failed";
      showNothing(this.nothing, wordsOf(error), { words: t("web.try_again"), onclick: this.now });
    }
  }
}
