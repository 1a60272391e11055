// Updates about videos: from the server's event stream, from a socket for this browser's own uploads, or by polling.

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

/** @param {() => void} listener @returns {() => void}  stops listening */
export function onNews(listener) {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

/** Announces that a video was added, changed or deleted, so that all parts of the page request it again. */
export function tellNews() {
  for (const listener of listeners) listener();
}

/** @type {Set<(job: Page.ToldJob) => void>} */
const jobListeners = new Set();

/**
 * Listens to the progress of single jobs, which arrives more often than other updates.
 * @param {(job: Page.ToldJob) => void} listener
 */
export function onJob(listener) {
  jobListeners.add(listener);
}

/** Announces a job's progress; a job that has ended has changed its video too. @param {Page.ToldJob} job */
function tellJob(job) {
  for (const listener of jobListeners) listener(job);
  if (job.state !== "running") tellNews();
}

/** The server sends a message every 20 s. */
const SILENCE_MS = 45_000;
/** The server refuses sockets from this browser. */
const REFUSED = 1008;

/** Keeps a socket open while the page is visible. @param {string} clientId */
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

/** Limits requests, because an update may arrive with every detected frame and every step of a job. */
const LEAST_BETWEEN_MS = 1000;

/**
 * Requests the content of one part of the page; it shows only the answer to the last request.
 * @template Answer
 */
export class Asking {
  /**
   * @param {HTMLElement} area  marked as busy during requests
   * @param {{ask: (signal: AbortSignal) => Promise<Answer>, show: (answer: Answer) => void, fail: (error: unknown) =>
   *   void}} on
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

  /** Requests again soon. @param {number} [afterMs]  at least this long after the last request */
  soon(afterMs = LEAST_BETWEEN_MS) {
    if (this.due !== undefined) return;
    this.due = setTimeout(
      () => {
        this.due = undefined;
        if (!this.asking) this.now();
        else this.soon(); // the answer to the current request may be older than the update
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

  /** Cancels the current request. */
  stop() {
    this.asking?.abort();
    this.asking = null;
    clearTimeout(this.due);
    this.due = undefined;
  }
}

/**
 * A page's list; every update requests it again.
 * @template Answer  @extends {Asking<Answer>}
 */
export class Refreshing extends Asking {
  /**
   * @param {HTMLElement} page
   * @param {string} name  "The videos"
   * @param {{ask: (signal: AbortSignal) => Promise<Answer>, show: (answer: Answer) => void, nothing: string}} on  `nothing`
   *   is the title if there is nothing to show
   * @param {number} withoutNewsMs  time between requests without events: if there are too many streams, or while a
   *   job makes progress, which has no event
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
    /** The last answer, and whether it differed from the one before. */
    this.text = "";
    this.isMoving = false;
    /** When the current content was loaded. @type {number|null} */
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
    // The heartbeat is about the count index, which the list does not need, so request the list itself.
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
