// The list of videos: asks for a page of it, again whenever something has changed, and keeps what it has while the
// server is away.

import { ApiError, get } from "../shared/api.js";
import { byId } from "../shared/dom.js";
import { number, plural } from "../shared/format.js";
import { parseState } from "../shared/state.js";
import { carrySelection } from "../shell/links.js";
import { rove } from "../shell/roving.js";
import { showFault, showFresh, showOutage } from "../status/notices.js";
import { askVideos } from "./asking.js";
import { showAsked, startAsked } from "./asked.js";
import { makeCard, markChosen } from "./card.js";
import { choose, onChosen } from "./chosen.js";
import { onNews } from "./news.js";
import { hideNothing, showFailed, showNoMatch, showNoVideos } from "./nothing.js";
import { addressOf, isNarrow, parseQuestion, queryOf } from "./question.js";
import { cursorsNow, keepCursors, showSteps } from "./steps.js";

/** News may come with every frame that is detected. */
const LEAST_BETWEEN_MS = 1000;
/** Where no events come: there are too many streams. */
const WITHOUT_NEWS_MS = 15_000;
const SKELETONS = 8;

const page = byId("videos-page");
const grid = byId("videos-grid");
/** @type {Map<string, import("./card.js").Card>} */
const cards = new Map();
/** Names of sources by slug, as far as they are known. @type {Map<string, string>} */
const sources = new Map();

/** @type {AbortController|null} */
let asking = null;
/** When what is shown was loaded. @type {number|null} */
let since = null;
/** When the last question was put. */
let askedAt = 0;
/** @type {number|undefined} */
let soon;
/** @type {(answer: Page.Videos) => void} */
let onAnswer = () => {};

/** The names of the sources that the page knows of. */
export const sourcesSeen = () => sources.values();

const question = () => parseQuestion(location.search);

/**
 * @param {(answer: Page.Videos) => void} then  is told of every answer
 * @returns {{away: (reason: string) => void, back: () => void}}
 */
export function startList(then) {
  onAnswer = then;
  showAsked(question(), {}, sources);
  byId("videos-asked").hidden = false;
  startAsked(question, (change) => ask({ ...question(), ...change }));
  showSkeletons();
  askSources();
  grid.addEventListener("click", openInstead);
  rove(grid, "a.video-link");
  onChosen(markCards);
  onNews(loadSoon);
  addEventListener("popstate", load);
  setInterval(() => Date.now() - askedAt >= WITHOUT_NEWS_MS && loadSoon(), WITHOUT_NEWS_MS);
  load();
  // The heart beats for the counts' index, which the list can do without: it is asked itself.
  return { away: loadSoon, back: loadSoon };
}

/** Puts another question, from its first page on. @param {import("./question.js").Question} wanted */
function ask(wanted) {
  history.pushState(keepCursors([]), "", addressOf(wanted, location.search));
  load();
}

function loadSoon() {
  if (soon !== undefined || document.hidden) return;
  soon = setTimeout(
    () => {
      soon = undefined;
      if (!asking) load();
      else loadSoon(); // an answer that is on its way may be of before
    },
    Math.max(askedAt + LEAST_BETWEEN_MS - Date.now(), 0),
  );
}

async function load() {
  asking?.abort();
  const mine = new AbortController();
  asking = mine;
  askedAt = Date.now();
  page.setAttribute("aria-busy", "true");
  carrySelection(parseState(location.search));
  try {
    const answer = await askVideos(queryOf(question(), cursorsNow().at(-1) ?? ""), mine.signal);
    if (asking === mine) show(answer);
  } catch (error) {
    if (asking === mine) fail(error);
  }
  if (asking !== mine) return;
  asking = null;
  page.removeAttribute("aria-busy");
}

/** @param {Page.Videos} answer */
function show(answer) {
  const { videos, total, states } = answer;
  const asked = question();
  since = Date.now();
  showFresh(since);
  for (const { source, source_name: name } of videos) sources.set(source, name);
  showAsked(asked, states, sources);
  showCards(videos);
  showSteps(answer, (cursors) => {
    history.pushState(keepCursors(cursors), "");
    load();
    byId("videos-page").scrollIntoView();
  });
  const all = Object.values(states).reduce((sum, count) => sum + count, 0);
  byId("videos-words").textContent = all ? headline(total, all, states) : "";
  page.dataset.state = total || cursorsNow().length ? "ready" : "empty";
  if (total || cursorsNow().length) hideNothing();
  else if (isNarrow(asked)) showNoMatch(() => ask({ ...asked, text: "", sources: [], state: "" }));
  else showNoVideos(answer);
  byId("videos-asked").hidden = !all && !isNarrow(asked);
  onAnswer(answer);
}

/**
 * "1,234 videos · 3 need a time · 1 failed"
 * @param {number} total  that match
 * @param {number} all
 * @param {Page.Videos["states"]} states
 */
function headline(total, all, { needs_time: timeless = 0, failed = 0 }) {
  return [
    total < all ? `${number(total)} of ${plural(all, "video")}` : plural(total, "video"),
    ...(timeless ? [`${number(timeless)} ${timeless === 1 ? "needs" : "need"} a time`] : []),
    ...(failed ? [`${number(failed)} failed`] : []),
  ].join(" · ");
}

/** @param {Page.Video[]} videos */
function showCards(videos) {
  const held = document.activeElement;
  const wanted = videos.map((video) => {
    const card = cards.get(video.id) ?? makeCard(video);
    card.show(video);
    cards.set(video.id, card);
    return card.element;
  });
  const shown = new Set(videos.map(({ id }) => id));
  for (const id of cards.keys()) if (!shown.has(id)) cards.delete(id);
  for (const one of [...grid.children]) if (!wanted.includes(/** @type {any} */ (one))) one.remove();
  wanted.forEach((one, at) => grid.children[at] !== one && grid.insertBefore(one, grid.children[at] ?? null));
  // Who moves an element takes the keyboard from it.
  if (
    held instanceof HTMLElement &&
    held.isConnected &&
    held !== document.activeElement &&
    grid.contains(held)
  ) {
    held.focus({ preventScroll: true });
  }
}

function showSkeletons() {
  for (let at = 0; at < SKELETONS; at += 1) {
    const one = document.createElement("li");
    one.className = "video-card skeleton";
    one.setAttribute("aria-hidden", "true");
    grid.append(one);
  }
}

/** @param {unknown} error */
function fail(error) {
  const isOurs = error instanceof ApiError;
  const [reason, remedy] = isOurs ? [error.message, error.remedy] : [String(error), ""];
  if (isOurs && error.status === 400 && cursorsNow().length) {
    // Of a list that is ordered otherwise by now: from its beginning.
    history.replaceState(keepCursors([]), "");
    setTimeout(load);
  } else if (since !== null && isOurs && error.passes) {
    showOutage(reason, since, load, "The videos are out of reach");
  } else if (since !== null) {
    showFault("The videos cannot be shown", `${reason} ${remedy}`);
  } else {
    grid.replaceChildren();
    page.dataset.state = "failed";
    showFailed(reason, remedy, load);
  }
}

/** The names of sources that are not on this page. Without them those on it can be chosen. */
async function askSources() {
  try {
    const answer = await get("sources");
    for (const { source, name } of answer.sources) if (!sources.has(source)) sources.set(source, name);
  } catch {
    // The counts are away, or there are none yet.
  }
}

/** A plain click on a card opens it on this page. @param {MouseEvent} event */
function openInstead(event) {
  const link =
    event.target instanceof Element ? event.target.closest(".video-card")?.querySelector("a") : null;
  const id = link?.closest("li")?.dataset.id;
  if (!id || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  choose(id);
}

/** @param {string|null} id */
function markCards(id) {
  const was = grid.querySelector("[aria-current]");
  for (const [of, { link }] of cards) {
    markChosen(link, of);
  }
  document.title = "Videos · frametally";
  if (id) cards.get(id)?.element.scrollIntoView({ block: "nearest" });
  else if (was instanceof HTMLElement && document.activeElement === document.body) was.focus();
}
