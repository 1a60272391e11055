// What the server tells by itself: new counts, the books. And whether the index answers at all.

import { ApiError, BASE, get } from "../shared/api.js";
import { has } from "../shell/rights.js";

const BEAT_MS = 1000;
// A beat that takes longer is a fault: together with BEAT_MS it is said within 3 s.
const PATIENCE_MS = 1900;
const WITHOUT_STREAM_MS = 15_000;

/**
 * @typedef {Object} Listener
 * @property {(version: string) => void} index  the counts have this version now
 * @property {(books: Api.Books) => void} status
 * @property {(error: ApiError) => void} away  the index, or the server, does not answer
 * @property {() => void} back
 * @property {(version: string) => void} [videos]  the videos, or what is done to them, have this version now
 */

/** @param {Listener} on */
export function listen(on) {
  if (has("all")) keepStream(on); // it tells of all sources
  // The first load says for itself whether there is an answer.
  setTimeout(() => beat(on, false), BEAT_MS);
}

/**
 * Holds a stream while the page is seen: a browser has few connections to one server, and a server few streams.
 * @param {Listener} on
 */
function keepStream(on) {
  /** @type {EventSource|null} */
  let stream = null;
  const follow = () => {
    if (document.hidden) {
      stream?.close();
      stream = null;
    } else if (!stream || stream.readyState === EventSource.CLOSED) {
      stream = openStream(on);
    }
  };
  document.addEventListener("visibilitychange", follow);
  // A browser connects again by itself, unless the server refuses: there are too many streams, or none.
  setInterval(follow, WITHOUT_STREAM_MS);
  follow();
}

/** @param {Listener} on */
function openStream(on) {
  const stream = new EventSource(`${BASE}/events`);
  stream.addEventListener("index", ({ data }) => on.index(JSON.parse(data).version));
  stream.addEventListener("status", ({ data }) => on.status(JSON.parse(data)));
  stream.addEventListener("videos", ({ data }) => on.videos?.(JSON.parse(data).version));
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) get("status").then(on.status, () => {});
  });
  return stream;
}

/**
 * Asks every second whether the index answers.
 * @param {Listener} on
 * @param {boolean} wasAway
 */
async function beat(on, wasAway) {
  const error = document.hidden ? null : await whyAway();
  if (error) on.away(error);
  else if (wasAway && !document.hidden) on.back();
  setTimeout(() => beat(on, document.hidden ? wasAway : error !== null), BEAT_MS);
}

/** @returns {Promise<ApiError|null>} null if the index answers; status 0: nothing does */
async function whyAway() {
  try {
    const response = await fetch("healthz", { signal: AbortSignal.timeout(PATIENCE_MS), cache: "no-store" });
    if (response.ok) return null;
    const problem = await response.json().catch(() => ({}));
    const detail = problem.detail ?? `The server answered ${response.status}.`;
    return new ApiError(response.status, detail, problem.remedy ?? "");
  } catch (error) {
    const late = error instanceof DOMException && error.name === "TimeoutError";
    const detail = late
      ? "The count index takes too long to answer."
      : "The server of this page does not answer.";
    return new ApiError(0, detail, "");
  }
}
