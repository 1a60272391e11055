// What was found out about a video, as the server tells it.

import { isOpen } from "../jobs/words.js";
import { get } from "frametally/js/shared/api.js";
import { visible } from "../library/words.js";

/**
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<Page.VideoMetadata>}
 */
export const askMetadata = (id, signal) => getFrom(`${routeOf(id)}/metadata`, signal);

/**
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<Page.VideoQuality>}
 */
export const askQuality = (id, signal) => getFrom(`${routeOf(id)}/quality`, signal);

/**
 * Why what a worker finds out about a video is not there.
 * @param {Page.VideoJob[]} jobs  of the video
 * @param {Page.VideoJob["kind"]} kind
 * @param {{coming: string, failed: string, missing: string}} words
 */
export function whyMissing(jobs, kind, { coming, failed, missing }) {
  const [newest] = jobs
    .filter((job) => job.kind === kind)
    .sort((one, other) => other.created_at_ms - one.created_at_ms);
  if (newest && isOpen(newest)) return coming;
  return newest?.state === "failed" ? `${failed} ${visible(newest.reason ?? "")}` : missing;
}

/** @param {string} id */
const routeOf = (id) => `videos/${encodeURIComponent(id)}`;

/**
 * @param {string} route
 * @param {AbortSignal} signal
 * @returns {Promise<any>}
 */
const getFrom = (route, signal) => get(/** @type {Api.Route} */ (route), new URLSearchParams(), signal);

/**
 * What a part of the page shows of a video, asked for anew only when it may be another.
 * @template Answer
 */
export class Kept {
  /**
   * @param {(id: string, signal: AbortSignal) => Promise<Answer>} ask
   * @param {(answer: Answer|null) => void} onAnswer  null: there is none yet
   */
  constructor(ask, onAnswer) {
    this.ask = ask;
    this.onAnswer = onAnswer;
    this.key = "";
    this.asking = new AbortController();
  }

  /**
   * @param {string} id
   * @param {string|null} version  what it hangs on; null: there is none yet
   */
  async show(id, version) {
    const key = JSON.stringify([id, version]);
    if (key === this.key) return;
    this.key = key;
    this.asking.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    if (version === null) return this.onAnswer(null);
    try {
      const answer = await this.ask(id, signal);
      if (!signal.aborted) this.onAnswer(answer);
    } catch {
      // Away, or not there yet: asked again with the next news.
      if (this.key === key) this.key = "";
    }
  }

  /** What is shown next is asked for, whatever was before. */
  forget() {
    this.key = "";
  }

  end() {
    this.asking.abort();
    this.key = "";
  }
}
