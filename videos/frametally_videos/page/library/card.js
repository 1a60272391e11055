// One video in the list.

import { el } from "frametally/js/shared/dom.js";
import { chosen, addressOf } from "./chosen.js";
import { playSprite } from "./sprite.js";
import {
  TIME_SOURCES,
  bytes,
  countedWords,
  filmed,
  isInWork,
  playTime,
  shareDone,
  stateWords,
  visible,
} from "./words.js";

/** @typedef {{element: HTMLLIElement, link: HTMLAnchorElement, show: (video: Page.Video) => void,
 *   move: (progress: number|null) => void}} Card  move: what is under way is so far now */

/**
 * A card that stays the same element while what it says changes: the keyboard stays where it is, and no picture is
 * asked for twice.
 * @param {Page.Video} video
 * @returns {Card}
 */
export function makeCard(video) {
  const picture = el("img", { alt: "", loading: "lazy", decoding: "async", hidden: true });
  const sprite = el("canvas", { "aria-hidden": "true", hidden: true });
  const length = el("span", { class: "poster-length" });
  const none = el("span", { class: "poster-none" });
  const name = el("bdi");
  const link = el("a", { class: "video-link" }, name);
  const place = el("p", { class: "muted small ellipsis" });
  const time = el("p", { class: "small video-filmed" });
  const counted = el("p", { class: "muted small ellipsis" });
  const bar = el("progress", { max: "1", "aria-label": "Progress" });
  const words = el("span", { class: "video-state-words" });
  const state = el("p", { class: "video-state small" }, words, bar);
  const element = el(
    "li",
    { class: "video-card" },
    el("div", { class: "poster" }, picture, sprite, none, length),
    el(
      "div",
      { class: "video-words" },
      el("p", { class: "strong ellipsis" }, link),
      place,
      time,
      counted,
      state,
    ),
  );
  let said = "";
  let { links } = video;
  let shown = video;
  picture.addEventListener("error", () => {
    picture.hidden = true;
    none.hidden = false;
  });
  playSprite(element, sprite, () => links);

  /** @param {Page.Video} now */
  function show(now) {
    const address = addressOf(now.id);
    if (link.getAttribute("href") !== address) link.setAttribute("href", address);
    markChosen(link, now.id);
    const text = JSON.stringify(now);
    if (text === said) return;
    said = text;
    ({ links } = now);
    shown = now;
    element.dataset.id = now.id;
    element.dataset.state = now.state;
    name.textContent = visible(now.name);
    link.title = visible(now.name);
    place.replaceChildren(
      el("bdi", { text: visible(now.source_name) }),
      ` · ${bytes(now.size_bytes)}`, // of a name from right to left, too, this stands behind it
    );
    place.title = visible(now.source_name);
    time.replaceChildren(...timeWords(now));
    counted.textContent = countedWords(now) ?? "";
    length.textContent = now.duration_s === null ? "" : playTime(now.duration_s);
    words.textContent = stateWords(now);
    words.title = stateWords(now);
    showPoster(now);
    showBar(now);
  }

  /** @param {Page.Video} now */
  function showPoster({ links: { poster }, state: its }) {
    none.textContent = isInWork({ state: its }) ? "No picture yet" : "No picture";
    none.hidden = poster !== null;
    if (poster === null) picture.removeAttribute("src");
    else if (picture.getAttribute("src") !== poster) picture.src = poster;
    picture.hidden = poster === null;
  }

  /** @param {Page.Video} now */
  function showBar(now) {
    const share = shareDone(now);
    bar.hidden = !isInWork(now);
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
  }

  /** @param {number|null} progress */
  function move(progress) {
    if (shown.state === "received" || shown.state === "producing") show({ ...shown, progress });
  }

  show(video);
  return { element, link, show, move };
}

/** @param {Page.Video} video */
function timeWords(video) {
  const { time_source: from } = video;
  const when = filmed(video);
  if (when === null) return [el("span", { class: "remark", text: "nothing tells when it was filmed" })];
  const source = from === null ? null : TIME_SOURCES[from];
  const isWeak = from === "file_time";
  return [
    el("span", { text: when }),
    source && el("span", { class: isWeak ? "remark" : "muted", text: source }),
  ].filter((part) => part !== null);
}

/** @param {HTMLAnchorElement} link @param {string} id */
export function markChosen(link, id) {
  if (chosen() === id) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
}
