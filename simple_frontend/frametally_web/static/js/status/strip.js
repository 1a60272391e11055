// The strip on top of every page: whether every frame is accounted for, and up to when, at a glance. It leads to the
// books.

import { ApiError, get } from "../shared/api.js";
import { byId, el } from "../shared/dom.js";
import { has } from "../shell/rights.js";
import { number, roughly, toTheMinute } from "../shared/format.js";

const AGAIN_MS = 10_000;
const ASK_AGAIN_MS = 3000;

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
    if (error instanceof ApiError && error.passes) setTimeout(askForStrip, ASK_AGAIN_MS);
  }
}

function write() {
  if (!shown) return;
  const strip = byId("health-strip");
  const state = headline(shown);
  strip.hidden = false;
  strip.title = state;
  strip.replaceChildren(
    el("span", { class: "health-state", "data-state": shown.state, text: state }),
    el("span", { class: "muted", text: footage(shown) }),
  );
}

/** @param {Api.Books} books */
export function verdict({ state, sources }) {
  if (state === "broken") return "The books do not balance";
  if (state === "behind") return "Work is left";
  return sources.some((one) => one.expected) ? "Every frame is accounted for" : "There are no frames yet";
}

/**
 * The verdict with the first that is to be done.
 * @param {Api.Books} books
 */
function headline(books) {
  const [first, ...others] = [...books.broken, ...books.behind];
  const more = others.length ? `, and ${number(others.length)} more` : "";
  return first ? `${verdict(books)}: ${first}${more}` : verdict(books);
}

/**
 * Up to when there is footage, by its own clock, and how long ago that was counted, by ours.
 * @param {Api.Books} books
 */
export function footage({ footage_until_ms: until, counted_at_ms: counted }) {
  if (until === null) return "";
  const ago = counted === null ? "not counted yet" : `counted ${roughly(Date.now() - counted)} ago`;
  return `footage up to ${toTheMinute(until)} · ${ago}`;
}
