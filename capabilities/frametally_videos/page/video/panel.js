// One video next to the list: the page requests it when you open it and when videos change.

import { ApiError } from "frametally/js/shared/api.js";
import { byId, el, iconButton } from "frametally/js/shared/dom.js";
import { choose, chosen, onChosen } from "../library/chosen.js";
import { Asking, onJob, onNews, tellNews } from "../library/news.js";
import { visible } from "../library/words.js";
import { wordsOf } from "frametally/js/status/notices.js";
import { posterUrl } from "./screen.js";
import { VideoView } from "./view.js";
import { parseState } from "frametally/js/shared/state.js";
import { useZone, zoneInUse, zoneOf } from "frametally/js/shared/time.js";
import { askVideo } from "../library/requests.js";
import { t } from "frametally/js/shared/texts.js";

/** Requests an unavailable server again after this time. */
const AGAIN_MS = 5000;

const place = byId("video");
/** @type {VideoView|null} */
let view = null;
/** Whether you may change videos, from the list's last answer; if not, the remedy. */
let leave = { isAllowed: true, remedy: "" };
/** Whether the video was just opened, so that the first answer takes the focus. */
let isNew = false;
const usualTitle = document.title;
/** @type {Asking<Api.LibraryVideo>} */
const asking = new Asking(place, {
  ask: (signal) => askVideo(chosen() ?? "", signal),
  show: (video) => {
    show(video);
    focusNew();
  },
  fail: (error) => {
    fail(error);
    focusNew();
  },
});

/** Starts showing the open video. */
export function startPanel() {
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
    asking.stop();
    if (id === null) return;
    place.replaceChildren(closing(t("videos.video")), skeleton());
    place.scrollTop = 0;
    isNew = true;
    asking.now();
  });
  onNews(() => {
    if (chosen() !== null) asking.soon();
  });
  onJob((job) => view?.tell(job));
}

/** @param {Api.LibraryPage} answer  of the list */
export function allowChanges({ uploads_allowed: isAllowed, remedy }) {
  leave = { isAllowed, remedy: remedy ?? "" };
  view?.allow(leave);
}

function focusNew() {
  if (isNew) place.focus({ preventScroll: true });
  isNew = false;
}

/** @param {Api.LibraryVideo} video */
function show(video) {
  if (!view) {
    // Load the poster while the rest is built.
    if (video.links.poster && !video.why_not) new Image().src = posterUrl(video.links.poster);
    showTimesOf([video.source]);
    view = new VideoView(() => asking.soon(0));
    place.replaceChildren(closing(""), view.element);
    view.allow(leave);
  }
  view.show(video);
  document.title = `${visible(video.name)} · ${usualTitle}`;
}

/** Uses the time zone of these sources on the whole page, unless you chose another. @param {string[]} sources */
function showTimesOf(sources) {
  const before = zoneInUse();
  useZone(zoneOf({ ...parseState(location.search), sources }));
  if (zoneInUse() !== before) tellNews();
}

/** @param {unknown} error */
function fail(error) {
  if (!(error instanceof ApiError)) throw error;
  if (error.passes) asking.soon(AGAIN_MS);
  if (error.passes && view) return view.away(error.message);
  view?.end();
  view = null;
  const [title, text] = error.passes
    ? [t("videos.it_is_out_of_reach"), t("videos.this_page_keeps_trying", { message: error.message })]
    : error.status === 404
      ? [t("videos.there_is_no_such_video"), t("videos.it_was_removed_or_never_was")]
      : [t("videos.it_cannot_be_shown"), wordsOf(error)];
  const told = el("div.card.video-told", { role: "status" }, el("p.strong", title), el("p", text));
  place.replaceChildren(closing(t("videos.video")), told);
}

function close() {
  const id = chosen();
  choose(null);
  // Return the focus to the link that opened it, if it is still there.
  const link = [...document.querySelectorAll("a.video-link")].find((one) =>
    one.getAttribute("href")?.includes(`v=${id}`),
  );
  if (link instanceof HTMLElement) link.focus();
  else byId("videos-grid").focus();
}

/** @param {string} title  empty if the view has its own */
const closing = (title) =>
  el("div.video-close", title ? el("h2", title) : null, iconButton(t("videos.close_the_video"), "✕", close));

const skeleton = () =>
  el(
    "div.card",
    { "aria-hidden": "true" },
    el("div.skeleton.video-skeleton"),
    el("div.skeleton.line"),
    el("div.skeleton.line"),
  );
