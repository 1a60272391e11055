// One video next to the list: requested when you open it, and again when anything about the videos changes.

import { ApiError } from "frametally/js/shared/api.js";
import { byId, el, iconButton } from "frametally/js/shared/dom.js";
import { choose, chosen, onChosen } from "../library/chosen.js";
import { onJob, onNews, tellNews } from "../library/news.js";
import { visible } from "../library/words.js";
import { wordsOf } from "frametally/js/status/notices.js";
import { posterUrl } from "./screen.js";
import { VideoView } from "./view.js";
import { parseState } from "frametally/js/shared/state.js";
import { useZone, zoneInUse, zoneOf } from "frametally/js/shared/time.js";
import { askVideo } from "../library/requests.js";
import { t } from "frametally/js/shared/texts.js";

/** News may come with every frame that is detected. */
const LEAST_BETWEEN_MS = 1000;
/** A server that is away is asked again after so long. */
const AGAIN_MS = 5000;

/** @type {VideoView|null} */
let view = null;
/** @type {AbortController|null} */
let asking = null;
let askedAt = 0;
/** Whether videos may be changed here, as the list's last answer says; if not, what to do about it. */
let leave = { isAllowed: true, remedy: "" };
/** It was opened just now: the keyboard goes there, whichever answer is shown first. */
let isNew = false;
/** @type {ReturnType<typeof setTimeout>|undefined} */
let soon;
const usualTitle = document.title;

/** Shows the video that is open. @param {HTMLElement} place */
export function startPanel(place) {
  place.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !document.fullscreenElement) close();
    else view?.player.key(event);
  });
  onChosen((id) => {
    view?.end();
    view = null;
    if (id === null) showTimesOf(parseState(location.search).sources);
    place.hidden = id === null;
    place.replaceChildren();
    document.title = usualTitle;
    asking?.abort();
    asking = null; // or its end would be taken for a fault of what is shown
    if (id === null) return;
    place.replaceChildren(closing(t("videos.video")), skeleton());
    place.scrollTop = 0;
    isNew = true;
    load(place, id);
  });
  onNews(() => {
    if (chosen() !== null) loadSoon(place, LEAST_BETWEEN_MS);
  });
  onJob((job) => view?.tell(job));
}

/** @param {Api.LibraryPage} answer  of the list */
export function allowChanges({ uploads_allowed: isAllowed, remedy }) {
  leave = { isAllowed, remedy: remedy ?? "" };
  view?.allow(leave);
}

/** @param {HTMLElement} place @param {number} afterMs  at least, since it was asked last */
function loadSoon(place, afterMs) {
  if (soon !== undefined) return;
  soon = setTimeout(
    () => {
      soon = undefined;
      const id = chosen();
      if (id !== null) load(place, id);
    },
    Math.max(askedAt + afterMs - Date.now(), 0),
  );
}

/** @param {HTMLElement} place @param {string} id */
async function load(place, id) {
  asking?.abort();
  const mine = new AbortController();
  asking = mine;
  askedAt = Date.now();
  place.setAttribute("aria-busy", "true");
  try {
    const video = await askVideo(id, mine.signal);
    if (asking === mine) show(place, video);
  } catch (error) {
    if (asking === mine) fail(place, error);
  }
  if (asking !== mine) return;
  asking = null;
  place.removeAttribute("aria-busy");
  if (isNew) place.focus({ preventScroll: true });
  isNew = false;
}

/** @param {HTMLElement} place @param {Api.LibraryVideo} video */
function show(place, video) {
  if (!view) {
    // It comes while the rest is made.
    if (video.links.poster && !video.why_not) new Image().src = posterUrl(video.links.poster);
    showTimesOf([video.source]);
    view = new VideoView(() => loadSoon(place, 0));
    place.replaceChildren(closing(""), view.element);
    view.allow(leave);
  }
  view.show(video);
  document.title = `${visible(video.name)} · ${usualTitle}`;
}

/** All times of the page are of the zone of these sources now, unless another is chosen. @param {string[]} sources */
function showTimesOf(sources) {
  const before = zoneInUse();
  useZone(zoneOf({ ...parseState(location.search), sources }));
  if (zoneInUse() !== before) tellNews();
}

/** @param {HTMLElement} place @param {unknown} error */
function fail(place, error) {
  if (!(error instanceof ApiError)) throw error;
  if (error.passes) {
    loadSoon(place, AGAIN_MS);
    if (view) return view.away(error.message);
    place.replaceChildren(
      closing(t("videos.video")),
      told(t("videos.it_is_out_of_reach"), t("videos.this_page_keeps_trying", { message: error.message })),
    );
    return;
  }
  view?.end();
  view = null;
  const [title, text] =
    error.status === 404
      ? [t("videos.there_is_no_such_video"), t("videos.it_was_removed_or_never_was")]
      : [t("videos.it_cannot_be_shown"), wordsOf(error)];
  place.replaceChildren(closing(t("videos.video")), told(title, text));
}

function close() {
  const id = chosen();
  choose(null);
  // Back to where it was opened from, if that is still there.
  const link = [...document.querySelectorAll("a.video-link")].find((one) =>
    one.getAttribute("href")?.includes(`v=${id}`),
  );
  if (link instanceof HTMLElement) link.focus();
  else byId("videos-grid").focus();
}

/** @param {string} title  empty: the view has one */
const closing = (title) =>
  el("div.video-close", title ? el("h2", title) : null, iconButton(t("videos.close_the_video"), "✕", close));

/** @param {string} title @param {string} text */
const told = (title, text) =>
  el("div.card.video-told", { role: "status" }, el("p.strong", title), el("p", text));

const skeleton = () =>
  el(
    "div.card",
    { "aria-hidden": "true" },
    el("div.skeleton.video-skeleton"),
    el("div.skeleton.line"),
    el("div.skeleton.line"),
  );
