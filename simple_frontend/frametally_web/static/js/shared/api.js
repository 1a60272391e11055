// The JSON API. Errors arrive as RFC 9457 problem documents; callers get them as ApiError.

import { withValues } from "./address.js";
import { zoneOf } from "./time.js";
import { t } from "./texts.js";

export const BASE = "/api/v1";

export class ApiError extends Error {
  /**
   * @param {number} status  HTTP status; 0 without an answer
   * @param {string} detail
   * @param {string} remedy
   * @param {{parameter?: string, value?: string, instead?: string[]}} [fault]  the invalid parameter, its invalid
   *   value, and valid values, closest first
   */
  constructor(status, detail, remedy, { parameter = "", value = "", instead = [] } = {}) {
    super(detail);
    this.status = status;
    this.remedy = remedy;
    this.parameter = parameter;
    this.value = value;
    this.instead = instead;
  }

  /** Whether the same request may succeed later. */
  get passes() {
    return this.status === 0 || this.status >= 500;
  }
}

const AGAIN_MS = 3000;

/**
 * Retries soon after an error that may pass, such as an unavailable server.
 * @param {unknown} error
 * @param {() => void} load
 */
export function askAgain(error, load) {
  return error instanceof ApiError && error.passes ? setTimeout(load, AGAIN_MS) : undefined;
}

/**
 * The selection as the API's query parameters.
 * @param {Page.State} state
 * @param {{bars?: boolean, base?: number|null}} [options]  bars: with interval and metric, which some routes do not
 *   have; base: the stored interval of the chart, so that other answers match it
 * @param {Record<string, import("./address.js").Value>} [more]  additional parameters
 */
export function selectionQuery(state, { bars = false, base = null } = {}, more = {}) {
  const { labels: label, sources: source, zone, from, to, hours, model, interval, metric } = state;
  const selected = { label, source, zone, from, to, hours, weekdays: state.weekdays.join(","), model };
  const asked = bars ? { interval, metric: metric ?? "auto" } : {};
  return withValues("", { ...selected, timezone: zoneOf(state), base, ...asked, ...more });
}

/**
 * The query for the fullest frame of a bar within the state's range, even for a bar of 0.
 * @param {Page.State} state
 * @param {number|null} base
 * @param {number} start  ms
 * @param {number} end
 */
export function fullestQuery(state, base, start, end) {
  const range = { from: Math.max(start, state.from ?? start), to: Math.min(end, state.to ?? end) };
  return selectionQuery({ ...state, ...range }, { base }, { start: "peak", limit: 1, empty: 1 });
}

/** Forgets all answers, because the counts may have changed. */
export const forgetAnswers = () => kept.answers.clear();

/** The last version of the counts that the server announced, compared with the page's answers. */
export class CountsVersion {
  constructor() {
    this.named = "";
    this.compared = "";
  }

  /** Whether the answers are older than the last announced version; if so, forgets them. */
  isNews() {
    if (this.named === this.compared) return false;
    this.compared = this.named;
    if (kept.isOf(this.named)) return false;
    forgetAnswers(); // later choices must also get the new counts
    return true;
  }
}

/** @param {string} route @param {URLSearchParams} query */
const urlOf = (route, query) => `${BASE}/${route}${String(query) && "?"}${query}`;

/**
 * GET `route` with `query`. Answers that change only with the counts are kept until `forgetAnswers`. Throws ApiError,
 * or the signal's AbortError.
 * @template {Api.Route} Route
 * @param {Route} route
 * @param {URLSearchParams} [query]
 * @param {AbortSignal} [signal]
 * @returns {Promise<Api.Answer<Route>>}
 */
export async function get(route, query = new URLSearchParams(), signal = undefined) {
  const url = urlOf(route, query);
  return KEPT.has(route) ? kept.get(url, signal) : (await ask(url, signal)).body;
}

/**
 * `get` for a route with filled-in parameters, or a plug-in's.
 * @param {string} route
 * @param {URLSearchParams} [query]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export const getFrom = (route, query, signal) => get(/** @type {Api.Route} */ (route), query, signal);

/** The raw text of an answer, because a signature covers its bytes. @param {string} route @returns {Promise<string>} */
export const getText = async (route) =>
  (await ask(`${BASE}/${route}`, undefined, {}, (response) => response.text())).body;

/**
 * Sends JSON to a route and returns its answer; `null` if that is empty (204). Throws like `get`.
 * @param {"PUT"|"POST"|"PATCH"|"DELETE"} method
 * @param {string} route  its path with parameters filled in
 * @param {unknown} body
 * @param {Record<string, string>} [headers]
 * @param {AbortSignal} [signal]
 */
export async function send(method, route, body, headers = {}, signal = undefined) {
  const sent = { "Content-Type": "application/json", ...headers };
  return (await ask(`${BASE}/${route}`, signal, { method, headers: sent, body: JSON.stringify(body) })).body;
}

// The signed address of an embedded chart authorizes its requests.
const address = globalThis.location?.search ?? "";

/** Whether this page is a signed chart, which may only request its own data. */
export const isSigned = new URLSearchParams(address).has("signature");

/** @type {Record<string, string>} */
const SIGNED = isSigned ? { "Frametally-Chart": address.slice(1) } : {};

/**
 * @param {string} url
 * @param {AbortSignal} [signal]
 * @param {RequestInit} [sent]
 * @param {(response: Response) => Promise<any>} [read]
 * @returns {Promise<Answered>}
 */
async function ask(url, signal, { headers, ...sent } = {}, read = (response) => response.json()) {
  let response;
  try {
    response = await fetch(url, {
      ...sent,
      signal,
      headers: { Accept: "application/json", ...SIGNED, ...headers },
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, t("web.the_server_of_this_page_does"), "");
  }
  if (!response.ok) throw await problemOf(response);
  try {
    const body = response.status === 204 ? null : await read(response);
    return { body, version: response.headers.get("Frametally-Counts-Version") ?? "" };
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, t("web.the_servers_answer_was_cut_short"), "");
  }
}

/** @param {Response} response  with an error status */
export async function problemOf(response) {
  const problem = await response.json().catch(() => ({}));
  return new ApiError(
    response.status,
    problem.detail ?? t("web.the_server_answered", { status: response.status }),
    problem.remedy ?? "",
    problem,
  );
}

/** version: of the counts, as in `/api/events`. @typedef {{body: any, version: string}} Answered */
/** @typedef {{answer: Promise<Answered>, asking: AbortController, waiting: number, version: string|null}} Kept */

// The most answers to keep: enough to go back and forth, but answers can be large.
const MOST = 60;

/**
 * Shares answers between equal requests, also while one is in progress; it starts with the answers embedded in the
 * page.
 */
class KeptAnswers {
  constructor() {
    /** @type {Map<string, Kept>} */
    this.answers = new Map();
    const first = globalThis.document?.getElementById("first-answers")?.textContent ?? "[]";
    for (const { route, query, version, body } of JSON.parse(first)) {
      const answer = Promise.resolve({ body, version });
      const url = urlOf(route, new URLSearchParams(query));
      this.answers.set(url, { answer, asking: new AbortController(), waiting: 0, version });
    }
  }

  /**
   * Returns the answer at `url`. A request is aborted only when nobody waits for it.
   * @param {string} url
   * @param {AbortSignal} [signal]
   */
  async get(url, signal) {
    signal?.throwIfAborted();
    const one = this.answers.get(url) ?? this.#begin(url);
    one.waiting += 1;
    try {
      const { body } = await (signal ? Promise.race([one.answer, aborted(signal)]) : one.answer);
      return body;
    } finally {
      one.waiting -= 1;
      // Wait a moment before aborting, because the next load may request it again at once.
      if (!one.waiting && one.version === null) setTimeout(() => this.#giveUp(url, one));
    }
  }

  /** @param {string} url */
  #begin(url) {
    const asking = new AbortController();
    /** @type {Kept} */
    const one = { answer: ask(url, asking.signal), asking, waiting: 0, version: null };
    this.answers.set(url, one);
    one.answer.then(
      ({ version }) => (one.version = version),
      () => this.#drop(url, one),
    );
    const [oldest] = this.answers.keys();
    if (this.answers.size > MOST) this.answers.delete(oldest);
    return one;
  }

  /** @param {string} url @param {Kept} one */
  #giveUp(url, one) {
    if (one.waiting || one.version !== null) return;
    this.#drop(url, one);
    one.asking.abort();
  }

  /** @param {string} url @param {Kept} one */
  #drop(url, one) {
    if (this.answers.get(url) === one) this.answers.delete(url);
  }

  /**
   * Whether all answers, including those in progress, are known to have this version of the counts.
   * @param {string} version
   */
  isOf(version) {
    return [...this.answers.values()].every((one) => one.version === version);
  }
}

/** @param {AbortSignal} signal @returns {Promise<never>} */
const aborted = (signal) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));

// Answers that change only with the counts and the media.
const KEPT = new Set(["catalogue", "counts", "summary", "heatmap", "evidence"]);

const kept = new KeptAnswers();
