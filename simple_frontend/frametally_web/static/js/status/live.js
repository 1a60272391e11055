// Live updates from the server: new counts, the books, and whether the index responds; and the strip at the top of
// every page, which shows whether every frame is accounted for.

import { ApiError, askAgain, BASE, get, problemOf } from "../shared/api.js";
import { byId, el } from "../shared/dom.js";
import { minuteOfYear, number, roughly, toTheMinute } from "../shared/format.js";
import "../shell/language.js"; // every page has it in its header, next to the strip
import { has } from "../shell/navigation.js";
import { joined, t } from "../shared/texts.js";

const AGAIN_MS = 10_000;

/** @type {Api.Books|null} */
let shown = null;

/** @param {Api.Books} books */
export function showStrip(books) {
  if (!shown) setInterval(write, AGAIN_MS); // update its relative time
  shown = books;
  write();
}

/** Loads the books once, for pages that do not listen to updates. Such a page also works without the strip. */
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
    el("span.muted", until === null ? "" : t("web.footage_to", { until: minuteOfYear(until) })),
  );
}

/** The strip's colour: green only if there is nothing to do and nothing to know. @param {Api.Books} books */
export const standing = ({ state, needs, notices }) =>
  state === "settled" && needs.length + notices.length ? "behind" : state;

/** @param {Api.Books} books */
export function verdict({ state, sources, needs, notices }) {
  if (needs.length)
    return has("run")
      ? t("web.needs_you", { count: needs.length })
      : t("web.needs_others", { count: needs.length });
  if (state === "behind") return t("web.work_is_left");
  if (notices.length) return t("web.every_frame_with_notes", { count: notices.length });
  return sources.some((one) => one.expected)
    ? t("web.every_frame_is_accounted_for")
    : t("web.there_are_no_frames_yet");
}

/** All findings: what needs a person, what is left to do, what you should know. @param {Api.Books} books */
export const findingsOf = ({ needs, behind, notices }) => [
  ...needs,
  ...behind.map((line) => ({ line, page: "", action: "" })),
  ...notices,
];

/** The verdict, with the first open need. @param {Api.Books} books */
function headline(books) {
  const [first, ...others] = findingsOf(books);
  const more = others.length ? t("web.and_length_more", { length: number(others.length) }) : "";
  return first ? `${verdict(books)}: ${first.line}${more}` : verdict(books);
}

/**
 * Until when there is footage, on its own clock, and how long ago it was counted, on ours.
 * @param {Api.Books} books
 */
export function footage({ footage_until_ms: until, counted_at_ms: counted }) {
  if (until === null) return "";
  const ago =
    counted === null
      ? t("web.not_counted_yet")
      : t("web.counted_ago", { now: roughly(Date.now() - counted) });
  return t("web.footage_up_to_time", { until: toTheMinute(until), ago });
}

const LOOK_MS = 1000;
/** The stream sends a heartbeat every 2 s while the index responds; without one, the page checks itself. */
const SILENCE_MS = 4500;
const PATIENCE_MS = 1900;
const WITHOUT_STREAM_MS = 15_000;

/**
 * @typedef {Object} Listener
 * @property {(version: string) => void} index  called with the current version of the counts
 * @property {(books: Api.Books) => void} status
 * @property {(error: ApiError) => void} away  called when the index or the server does not respond
 * @property {() => void} back
 * @property {(version: string) => void} [videos]  called with the current version of the videos and their jobs
 */

/** @param {Listener} on */
export function listen(on) {
  if (has("all")) keepStream(on); // the stream covers all sources
  setTimeout(() => askIfSilent(on), LOOK_MS);
}

/** When the index last responded; the first load reports its own failure. */
let beatAt = Date.now();
let wasAway = false;
/** When the stream last sent anything; while it does, no polling is needed. */
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
 * Keeps a stream open only while the page is visible, because browsers limit connections per server, and servers
 * limit streams.
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
  // Browsers reconnect by themselves, unless the server refuses because it has too many streams, or none.
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

/** Checks whether the index responds, if there was no heartbeat. @param {Listener} on */
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

/** @returns {Promise<ApiError|null>}  `null` if the index responds; status 0 if nothing does */
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
