// Live news from the server: new counts, the books, and whether the index answers; with the strip on top of
// every page, which shows whether every frame is accounted for.

import { ApiError, askAgain, BASE, get, problemOf } from "../shared/api.js";
import { byId, el } from "../shared/dom.js";
import { minuteOfYear, number, roughly, toTheMinute } from "../shared/format.js";
import "../shell/language.js"; // it is in the header of every page, beside the strip
import { has } from "../shell/navigation.js";
import { joined, t } from "../shared/texts.js";

const AGAIN_MS = 10_000;

/** @type {Api.Books|null} */
let shown = null;

/** @param {Api.Books} books */
export function showStrip(books) {
  if (!shown) setInterval(write, AGAIN_MS); // it says how long ago
  shown = books;
  write();
}

/** For pages that do not listen to the server: as the books are now. A page without the strip has all else. */
export async function askForStrip() {
  if (!has("all")) return;
  try {
    showStrip(await get("status"));
  } catch (error) {
    askAgain(error, askForStrip);
  }
}

function write() {
  if (!shown) return;
  const strip = byId("health-strip");
  const { footage_until_ms: until } = shown;
  strip.hidden = false;
  strip.title = joined([headline(shown), footage(shown)]);
  strip.replaceChildren(
    el("span.health-state", { "data-state": standing(shown) }, verdict(shown)),
    el("span.muted", until === null ? "" : t("web.to_3", { until: minuteOfYear(until) })),
  );
}

/** What its colour shows: green only where nobody has to act. @param {Api.Books} books */
export const standing = ({ state, needs }) => (state === "settled" && needs.length ? "behind" : state);

/** @param {Api.Books} books */
export function verdict({ state, sources, needs }) {
  if (needs.length)
    return has("run")
      ? t("web.needs_you", { count: needs.length })
      : t("web.needs_others", { count: needs.length });
  if (state === "behind") return t("web.work_is_left");
  return sources.some((one) => one.expected)
    ? t("web.every_frame_is_accounted_for")
    : t("web.there_are_no_frames_yet");
}

/** act: what its button does. @type {Record<string, {act: string, words: (of: Record<string, unknown>) => string}>} */
const NEEDS = {
  books: { act: t("web.act_books"), words: (of) => t("web.need_books", of) },
  frames: { act: t("web.act_frames"), words: (of) => t("web.need_frames", of) },
  disk: { act: t("web.act_disk"), words: (of) => t("web.need_disk", of) },
  camera: { act: t("web.act_camera"), words: (of) => t("web.need_camera", of) },
  job: { act: t("web.act_job"), words: (of) => t("web.need_job", of) },
};

/** @param {Api.OpenNeed} need */
export const actWords = ({ kind }) => NEEDS[kind]?.act ?? t("web.see_to_it");

/** @param {Api.OpenNeed} need */
export const needWords = ({ kind, number: count, name, line }) => NEEDS[kind]?.words({ count, name }) ?? line;

/** The verdict with the first that is to be done. @param {Api.Books} books */
function headline(books) {
  const [first, ...others] = [...books.needs.map(needWords), ...books.behind];
  const more = others.length ? t("web.and_more_2", { length: number(others.length) }) : "";
  return first ? `${verdict(books)}: ${first}${more}` : verdict(books);
}

/**
 * Up to when there is footage, by its own clock, and how long ago that was counted, by ours.
 * @param {Api.Books} books
 */
export function footage({ footage_until_ms: until, counted_at_ms: counted }) {
  if (until === null) return "";
  const ago =
    counted === null
      ? t("web.not_counted_yet")
      : t("web.counted_ago", { now: roughly(Date.now() - counted) });
  return t("web.footage_up_to_2", { until: toTheMinute(until), ago });
}

const LOOK_MS = 1000;
/** The stream has a beat every 2 s while the index answers; only without it the page asks for itself. */
const SILENCE_MS = 4500;
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
  setTimeout(() => askIfSilent(on), LOOK_MS);
}

/** When the index was last known to answer; the first load says for itself whether it does. */
let beatAt = Date.now();
let wasAway = false;
/** When the stream last spoke: while it does, it brings all news. */
let spokeAt = 0;

export const isStreaming = () => Date.now() - spokeAt <= SILENCE_MS;

const isSilent = () => !navigator.onLine || Date.now() - beatAt > SILENCE_MS;

/** @param {Listener} on */
function beat(on) {
  beatAt = Date.now();
  if (wasAway) on.back();
  wasAway = false;
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
  stream.addEventListener("beat", () => {
    spokeAt = Date.now();
    if (navigator.onLine) beat(on);
  });
  stream.addEventListener("error", () => {
    beatAt = 0;
    if (stream.readyState === EventSource.CLOSED) get("status").then(on.status, () => {});
  });
  return stream;
}

/** Asks whether the index answers, where no beat says so. @param {Listener} on */
async function askIfSilent(on) {
  if (!document.hidden && isSilent()) {
    const error = await whyAway();
    if (!error) beat(on);
    else if (isSilent()) {
      wasAway = true;
      on.away(error);
    }
  }
  setTimeout(() => askIfSilent(on), LOOK_MS);
}

/** @returns {Promise<ApiError|null>} null if the index answers; status 0: nothing does */
async function whyAway() {
  try {
    const response = await fetch("healthz", { signal: AbortSignal.timeout(PATIENCE_MS), cache: "no-store" });
    return response.ok ? null : problemOf(response);
  } catch (error) {
    const late = error instanceof DOMException && error.name === "TimeoutError";
    const detail = late ? t("web.the_count_index_takes_too_long") : t("web.the_server_of_this_page_does");
    return new ApiError(0, detail, "");
  }
}
