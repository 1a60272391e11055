// One video in the list.

import { whenNear } from "frametally/js/frames/boxed_picture.js";
import { el } from "frametally/js/shared/dom.js";
import { bytes } from "frametally/js/shared/format.js";
import { addressOf, chosen } from "./chosen.js";
import {
  countedWords,
  filmed,
  isInWork,
  playTime,
  shareDone,
  smallerPoster,
  stateWords,
  TIME_SOURCES,
  visible,
} from "./words.js";
import { t } from "frametally/js/shared/texts.js";

const TILES_A_SECOND = 8;
const WIDTH_PX = 320;

/** @typedef {{x: number, y: number, width: number, height: number}} Tile */

/**
 * Positions of the thumbnails in a sprite, from its WebVTT file (each has a line `…#xywh=x,y,width,height`).
 * @param {string} text
 * @returns {Tile[]}
 */
export const tilesIn = (text) =>
  [...text.matchAll(/#xywh=(\d+),(\d+),(\d+),(\d+)\s*$/gm)].map(([, ...numbers]) => {
    const [x, y, width, height] = numbers.map(Number);
    return { x, y, width, height };
  });

/** Relies on the browser cache, because the content at such an address never changes. @param {string} url */
async function tilesAt(url) {
  const answer = await fetch(url);
  return answer.ok ? tilesIn(await answer.text()) : [];
}

/**
 * Plays the thumbnails over a poster while you point at `area` or it has the focus, unless the viewer prefers reduced
 * motion.
 * @param {HTMLElement} area
 * @param {HTMLCanvasElement} canvas
 * @param {() => Api.LibraryVideo["links"]} linksNow
 */
function playSprite(area, canvas, linksNow) {
  /** @type {number|undefined} */
  let timer;
  let turn = 0;

  async function begin() {
    const { sprite, sprite_vtt: vtt } = linksNow();
    const mine = ++turn;
    if (!sprite || !vtt || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const sheet = new Image();
    sheet.src = sprite;
    try {
      const [tiles] = await Promise.all([tilesAt(vtt), sheet.decode()]);
      if (mine === turn && tiles.length) play(sheet, tiles);
    } catch {
      // Without the sprite, the poster stays.
    }
  }

  /** @param {HTMLImageElement} sheet @param {Tile[]} tiles */
  function play(sheet, tiles) {
    const pen = canvas.getContext("2d");
    let at = 0;
    canvas.width = tiles[0].width;
    canvas.height = tiles[0].height;
    canvas.dataset.tiles = String(tiles.length);
    const draw = () => {
      const { x, y, width, height } = tiles[at % tiles.length];
      pen?.drawImage(sheet, x, y, width, height, 0, 0, canvas.width, canvas.height);
      canvas.dataset.tile = String(at % tiles.length);
      at += 1;
    };
    clearInterval(timer);
    timer = setInterval(draw, 1000 / TILES_A_SECOND);
    draw();
    canvas.hidden = false;
  }

  function end() {
    turn += 1;
    clearInterval(timer);
    canvas.hidden = true;
  }

  area.addEventListener("pointerenter", begin);
  area.addEventListener("pointerleave", end);
  area.addEventListener("focusin", begin);
  area.addEventListener("focusout", end);
  return end;
}

/** @typedef {{element: HTMLLIElement, link: HTMLAnchorElement, show: (video: Api.LibraryVideo) => void,
 *   move: (progress: number|null) => void}} Card  move: updates its progress */

/**
 * A card keeps its element when its words change, so that it keeps the focus and loads no picture twice.
 * @param {Api.LibraryVideo} video
 * @returns {Card}
 */
export function makeCard(video) {
  const picture = el("img", { alt: "", decoding: "async", hidden: true });
  const sprite = el("canvas", { "aria-hidden": "true", hidden: true });
  const length = el("span.poster-length");
  const none = el("span.poster-none");
  const name = el("bdi");
  const link = el("a.video-link", name);
  const place = el("p.muted.small.ellipsis");
  const time = el("p.small.video-filmed");
  const counted = el("p.muted.small.ellipsis");
  const bar = el("progress", { max: "1", "aria-label": t("web.progress") });
  const words = el("span.video-state-words");
  const state = el("p.video-state.small", words, bar);
  const frame = el("div.poster", picture, sprite, none, length);
  const element = el(
    "li.video-card",
    frame,
    el("div.video-words", el("p.strong.ellipsis", link), place, time, counted, state),
  );
  let said = "";
  /** URL of the current or next poster. @type {string|null} */
  let wanted = null;
  let { links } = video;
  let shown = video;
  picture.addEventListener("error", () => {
    picture.hidden = true;
    none.hidden = false;
  });
  playSprite(element, sprite, () => links);

  /** @param {Api.LibraryVideo} now */
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
    name.textContent = link.title = visible(now.name);
    // Isolate the name, so that the size stays after a right-to-left name.
    place.replaceChildren(el("bdi", visible(now.source_name)), ` · ${bytes(now.size_bytes)}`);
    place.title = visible(now.source_name);
    time.replaceChildren(...timeWords(now));
    counted.textContent = countedWords(now) ?? "";
    length.textContent = now.duration_s === null ? "" : playTime(now.duration_s);
    words.textContent = words.title = stateWords(now);
    showPoster(now);
    showBar(now);
  }

  /** @param {Api.LibraryVideo} now */
  function showPoster({ links: { poster }, state: its }) {
    none.textContent = isInWork({ state: its }) ? t("videos.no_picture_yet") : t("videos.no_picture");
    none.hidden = poster !== null;
    if (poster === null) picture.removeAttribute("src");
    else if (wanted !== poster) whenNear(frame, () => (picture.src = smallerPoster(poster, WIDTH_PX)));
    wanted = poster;
    picture.hidden = poster === null;
  }

  /** @param {Api.LibraryVideo} now */
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

/** When it was filmed, and the source of that time. @param {Api.LibraryVideo} video */
export function timeWords(video) {
  const { time_source: from } = video;
  const when = filmed(video);
  if (when === null) return [el("span.remark", t("videos.nothing_tells_when_it_was_filmed"))];
  if (from === null) return [el("span", when)];
  const kind = from === "file_time" ? "span.remark" : "span.muted";
  return [el("span", when), el(kind, TIME_SOURCES[from])];
}

/** @param {HTMLAnchorElement} link @param {string} id */
export function markChosen(link, id) {
  if (chosen() === id) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
}
