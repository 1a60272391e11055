// Requests the API: after a choice, when the counts have changed, at intervals, and again after an error.

import { withValues } from "../shared/address.js";
import { ApiError, CountsVersion, forgetAnswers, get, selectionQuery } from "../shared/api.js";
import { comparisonOf } from "../shared/compare.js";
import { byId } from "../shared/dom.js";

// The most labels with separate colours.
const TOP = 6;

/**
 * Requests everything for the chart, except the summary, which may take longer.
 * @param {Page.State} state
 * @param {AbortSignal} signal
 * @returns {Promise<Page.Answers>}
 */
export async function ask(state, signal) {
  const [{ models, labels, sources }, counts] = await Promise.all([
    get("catalogue", withValues("", { model: state.model }), signal),
    get("counts", chartQuery(state), signal),
  ]);
  const comparison = comparisonOf(state, { models, sources, counts });
  // The compared line has all labels together.
  const beside = comparison && (await partOf(get("counts", chartQuery(comparison.state, 0), signal)));
  const isAbsent = beside instanceof ApiError;
  if (isAbsent && !beside.passes) throw beside;
  const other = comparison && beside && !isAbsent ? { comparison, counts: beside } : null;
  return { models, labels, sources, counts, summary: null, other, otherFault: isAbsent ? beside : null };
}

/**
 * Requests the summary above the chart; it returns an API error, so that the page can show the rest without it.
 * @param {Page.State} state
 * @param {AbortSignal} signal
 */
export const askSummary = (state, signal) => partOf(get("summary", chartQuery(state), signal));

/**
 * @template Answer
 * @param {Promise<Answer>} answer
 */
async function partOf(answer) {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
}

/** @param {Page.State} state @param {number} [top]  number of separate labels */
const chartQuery = (state, top = TOP) => selectionQuery(state, { bars: true }, { top });

/**
 * Requests what an embedded, signed chart may have: only its counts.
 * @param {Page.State} state
 * @param {AbortSignal} signal
 */
export async function askSigned(state, signal) {
  const counts = await get("counts", chartQuery(state), signal);
  return { labels: counts.labels.map((label) => ({ label })), counts, other: null };
}

const REFRESH_S = 60;
const WAITING_FOR_DATA_S = 5;
const RETRY_S = [2, 3, 5, 10];
// Counts change often during processing; the page loads them at most this often.
const LEAST_BETWEEN_LOADS_MS = 700;

export class Loader {
  /**
   * @param {Object} on
   * @param {(signal: AbortSignal, quietly: boolean) => Promise<"all"|"part"|"nothing">} on.ask  requests everything
   *   and shows it; part: some requests failed and are due again
   * @param {(error: unknown) => "again"|"later"|"never"} on.fail  shows the error, and returns when to retry
   */
  constructor(on) {
    this.on = on;
    /** Aborts the load in progress. @type {AbortController|null} */
    this.asking = null;
    this.isLoading = false;
    this.loadedAt = 0;
    this.failures = 0;
    this.timer = 0;
    this.counts = new CountsVersion();
  }

  /**
   * Loads everything that the page shows, and again after a while.
   * @param {Object} [options]
   * @param {boolean} [options.quietly]  whether nobody is waiting for it, so that the content does not fade
   * @returns {Promise<void>}
   */
  async load({ quietly = false } = {}) {
    this.asking?.abort();
    const mine = (this.asking = new AbortController());
    clearTimeout(this.timer);
    this.loadedAt = Date.now();
    this.isLoading = true;
    if (!quietly) byId("dashboard").setAttribute("aria-busy", "true");
    let againInS = 0;
    let isPart = false;
    try {
      const extent = await this.on.ask(mine.signal, quietly);
      isPart = extent === "part";
      if (isPart) againInS = this.#retryS();
      else {
        againInS = extent === "all" ? REFRESH_S : WAITING_FOR_DATA_S;
        this.failures = 0;
      }
    } catch (error) {
      if (mine.signal.aborted) return;
      const when = this.on.fail(error);
      if (when === "again") return this.load();
      if (when === "later") againInS = this.#retryS();
    }
    if (this.asking !== mine) return;
    byId("dashboard").setAttribute("aria-busy", "false");
    this.isLoading = false;
    if (!this.#follow() && againInS) this.#refreshIn(againInS * 1000, isPart);
  }

  /** Counts a failure, and returns the seconds until the next attempt. */
  #retryS() {
    this.failures += 1;
    return RETRY_S[Math.min(this.failures, RETRY_S.length) - 1];
  }

  /** Requests everything again. */
  reload({ quietly = false } = {}) {
    forgetAnswers();
    this.load({ quietly });
  }

  /** Notes the current version of the counts, and loads it soon but not too often. @param {string} version */
  tell(version) {
    this.counts.named = version;
    this.#follow();
  }

  /** Loads again if the page is older than the last known version; returns whether it does. */
  #follow() {
    if (this.isLoading || !this.counts.isNews()) return false;
    this.#refreshIn(Math.max(this.loadedAt + LEAST_BETWEEN_LOADS_MS - Date.now(), 0));
    return true;
  }

  /**
   * @param {number} ms
   * @param {boolean} [isPart]  whether to repeat only failed requests and keep the other answers
   */
  #refreshIn(ms, isPart = false) {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.#refresh(isPart), ms);
  }

  /** @param {boolean} isPart */
  #refresh(isPart) {
    const again = () => this.#refresh(isPart);
    if (document.hidden) document.addEventListener("visibilitychange", again, { once: true });
    else if (isPart) this.load({ quietly: true });
    else this.reload({ quietly: true });
  }
}
