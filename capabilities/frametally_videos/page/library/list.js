// One page of the list of videos.

import { ApiError, get } from "frametally/js/shared/api.js";
import { arrange, byId } from "frametally/js/shared/dom.js";
import { whenNear } from "frametally/js/frames/boxed_picture.js";
import { number } from "frametally/js/shared/format.js";
import { rove } from "frametally/js/shell/navigation.js";
import { addressOf, isNarrow, parseQuestion, queryOf } from "./question.js";
import { cursorsNow, keepCursors, showAsked, showNoVideos, showSteps, startAsked } from "./form.js";
import { hideNothing, showNothing } from "frametally/js/status/nothing.js";
import { makeCard, markChosen } from "./card.js";
import { choose, onChosen } from "./chosen.js";
import { onJob, Refreshing } from "./news.js";
import { t } from "frametally/js/shared/texts.js";

const page = byId("videos-page");
const grid = byId("videos-grid");
/** @type {Map<string, import("./card.js").Card>} */
const cards = new Map();
/** Known source names by slug. @type {Map<string, string>} */
const sources = new Map();

/** @type {Refreshing<Api.LibraryPage>} */
const list = new Refreshing(
  page,
  t("videos.the_videos"),
  { ask: askPage, show, nothing: t("videos.the_videos_cannot_be_shown") },
  15_000,
);
/** @type {(answer: Api.LibraryPage) => void} */
let onAnswer = () => {};

export const sourcesSeen = () => sources.values();

const question = () => parseQuestion(location.search);

/** @param {(answer: Api.LibraryPage) => void} then  called with every answer */
export function startList(then) {
  onAnswer = then;
  showAsked(question(), {}, sources);
  startAsked(question, (change) => ask({ ...question(), ...change }));
  whenNear(byId("videos-asked"), askSources);
  grid.addEventListener("click", openInstead);
  rove(grid, "a.video-link");
  onChosen(markCards);
  onJob(({ video_id: id, kind, state, progress }) => {
    // The card shows the progress of the job that the counts wait for.
    if (kind === "frames" && state === "running") cards.get(id)?.move(progress);
  });
  return list.start();
}

/** Applies another filter, from the first page. @param {import("./question.js").Question} wanted */
function ask(wanted) {
  history.pushState(keepCursors([]), "", addressOf(wanted, location.search));
  list.now();
}

/** @param {AbortSignal} signal @returns {Promise<Api.LibraryPage>} */
async function askPage(signal) {
  try {
    return await get("videos", queryOf(question(), cursorsNow().at(-1) ?? ""), signal);
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 400 && cursorsNow().length)) throw error;
    // The list has a new order since: start again.
    history.replaceState(keepCursors([]), "");
    return get("videos", queryOf(question(), ""), signal);
  }
}

/** @param {Api.LibraryPage} answer */
function show(answer) {
  const { videos, total, states } = answer;
  const asked = question();
  for (const { source, source_name: name } of videos) sources.set(source, name);
  showAsked(asked, states, sources);
  showCards(videos);
  showSteps(answer, (cursors) => {
    history.pushState(keepCursors(cursors), "");
    list.now();
    byId("videos-page").scrollIntoView();
  });
  const all = Object.values(states).reduce((sum, count) => sum + count, 0);
  byId("videos-words").textContent = all ? headline(total, all, states) : "";
  page.dataset.state = total || cursorsNow().length ? "ready" : "empty";
  if (total || cursorsNow().length) hideNothing();
  else if (isNarrow(asked))
    showNothing(t("videos.no_video_matches"), t("videos.no_videos_match_your_search_and"), {
      words: t("videos.show_all_videos"),
      onclick: () => ask({ ...asked, text: "", sources: [], state: "" }),
    });
  else showNoVideos(answer);
  byId("videos-asked").hidden = !all && !isNarrow(asked);
  onAnswer(answer);
}

/**
 * "1,234 videos · 3 need a time · 1 failed"
 * @param {number} total  number of matches
 * @param {number} all
 * @param {Api.LibraryPage["states"]} states
 */
function headline(total, all, { needs_time: timeless = 0, failed = 0 }) {
  return [
    total < all
      ? t("videos.total_of_all", { total: number(total), all: t("videos.count_videos", { count: all }) })
      : t("videos.count_videos", { count: total }),
    ...(timeless ? [t("videos.need_a_time", { count: timeless })] : []),
    ...(failed ? [t("videos.failed_number", { failed: number(failed) })] : []),
  ].join(" · ");
}

/** @param {Api.LibraryVideo[]} videos */
function showCards(videos) {
  const wanted = videos.map((video) => {
    const card = cards.get(video.id) ?? makeCard(video);
    card.show(video);
    cards.set(video.id, card);
    return card.element;
  });
  const shown = new Set(videos.map(({ id }) => id));
  for (const id of cards.keys()) if (!shown.has(id)) cards.delete(id);
  arrange(grid, wanted);
}

/** Requests the names of sources that are not on this page; without them you can only choose those on it. */
async function askSources() {
  try {
    const answer = await get("sources");
    for (const { source, name } of answer.sources) if (!sources.has(source)) sources.set(source, name);
  } catch {
    // The counts are unavailable, or there are none yet.
  }
}

/** Opens a video on this page after a plain click on its card. @param {MouseEvent} event */
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
  for (const [of, { link }] of cards) markChosen(link, of);
  document.title = t("videos.videos_frametally");
  if (id) cards.get(id)?.element.scrollIntoView({ block: "nearest" });
  else if (was instanceof HTMLElement && document.activeElement === document.body) was.focus();
}
