// The controls of the player: its buttons, its keys and its seek bar.

import { el, svg } from "frametally/js/shared/dom.js";
import { number, timeAmong } from "frametally/js/shared/format.js";
import { METRICS } from "frametally/js/shared/metrics.js";
import { totalIn, valueIn } from "frametally/js/shared/series.js";
import { playTime } from "../library/words.js";
import { t } from "frametally/js/shared/texts.js";

const SPEEDS = [0.25, 0.5, 1, 2, 4];
/** @type {Record<number, string>} */
const SPEED_SIGNS = { 0.25: "¼", 0.5: "½" };

/** Drawn in 16 × 16, because some systems do not have these characters. */
const SIGNS = {
  start: "M2 3h2v10H2zM13 3v10L5 8z",
  before: "M11 3v10L4 8z",
  play: "M4 2v12l10-6z",
  pause: "M3 2h4v12H3zM9 2h4v12H9z",
  next: "M5 3v10l7-5z",
  end: "M12 3h2v10h-2zM3 3v10l8-5z",
  sound: "M2 6h3l4-4v12l-4-4H2zM11 5q2 3 0 6M13 3q3.6 5 0 10",
  silent: "M2 6h3l4-4v12l-4-4H2zM11 6l4 4M15 6l-4 4",
  full: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
};
/** Icons with strokes. */
const LINED = ["sound", "silent", "full"];

/**
 * @typedef {Object} Actions
 * @property {() => void} toggle  plays or pauses
 * @property {(by: -1|1) => void} step  moves by a frame
 * @property {(by: -1|1) => void} leap  moves by a bar of the chart
 * @property {(end: "start"|"end") => void} go
 * @property {(times: number) => void} speed
 * @property {() => void} sound
 * @property {() => void} boxes
 * @property {() => void} full  turns full screen on or off
 */

/** @typedef {{isPlaying: boolean, speed: number, hasSound: boolean, isMuted: boolean, hasBoxes: boolean}} Standing */

/** @param {Actions} on */
export function makeControls(on) {
  const play = signButton(t("web.play"), "play", on.toggle);
  const sound = signButton(t("videos.sound_off"), "sound", on.sound);
  const boxes = el("input", { type: "checkbox", checked: true, onchange: on.boxes });
  const speeds = SPEEDS.map((times) => {
    const sign = SPEED_SIGNS[times] ?? times;
    const name = t("videos.speed", { SPEED_SIGNS: sign });
    return el("button", { "aria-label": name, onclick: () => on.speed(times) }, `${sign}×`);
  });
  const element = el(
    "div.player-tools.row",
    el(
      "div.player-steps",
      signButton(t("videos.to_the_start"), "start", () => on.go("start")),
      signButton(t("videos.frame_before"), "before", () => on.step(-1)),
      play,
      signButton(t("web.next_frame"), "next", () => on.step(1)),
      signButton(t("videos.to_the_end"), "end", () => on.go("end")),
    ),
    el("div.segmented", { role: "group", "aria-label": t("videos.speed_title") }, ...speeds),
    el("label.check", boxes, t("web.boxes")),
    sound,
    signButton(t("videos.full_screen"), "full", on.full),
  );

  /** @param {Standing} now */
  function show({ isPlaying, speed, hasSound, isMuted, hasBoxes }) {
    setSign(play, isPlaying ? t("web.pause") : t("web.play"), isPlaying ? "pause" : "play");
    speeds.forEach((button, order) => button.setAttribute("aria-pressed", String(SPEEDS[order] === speed)));
    sound.hidden = !hasSound;
    setSign(sound, isMuted ? t("videos.sound_on") : t("videos.sound_off"), isMuted ? "silent" : "sound");
    boxes.checked = hasBoxes;
  }

  return { element, show };
}

/** @param {string} name @param {keyof typeof SIGNS} sign @param {() => void} onclick */
function signButton(name, sign, onclick) {
  const button = el("button.button.icon", { onclick });
  setSign(button, name, sign);
  return button;
}

/** @param {HTMLElement} button @param {string} name @param {keyof typeof SIGNS} sign */
function setSign(button, name, sign) {
  if (button.title === name) return;
  button.ariaLabel = button.title = name;
  const look = LINED.includes(sign) ? "sign lined" : "sign";
  const drawing = { class: look, viewBox: "0 0 16 16", "aria-hidden": "true" };
  button.replaceChildren(svg("svg", drawing, svg("path", { d: SIGNS[sign] })));
}

/** The names of the keys, for a line below the chart. */
export const KEYS = t("videos.space_plays_go_by_a_frame");

/** These keys also scroll the page, so the player needs the focus to use them. */
const SCROLLING = ["Home", "End", "PageUp", "PageDown"];

/**
 * Handles a key press, except in fields, and except Space on a button.
 * @param {KeyboardEvent} event
 * @param {Actions} on
 * @param {{speed: number, isPlayers: boolean}} now  isPlayers: the player itself has the focus
 */
export function takeKey(event, on, { speed, isPlayers }) {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
  const act = actionOf(event, on, speed);
  if (!act || (!isPlayers && SCROLLING.includes(event.key))) return;
  event.preventDefault();
  act();
}

/** @param {KeyboardEvent} event @param {Actions} on @param {number} speed */
function actionOf({ key, shiftKey, target }, on, speed) {
  const isButton = target instanceof HTMLElement && target.matches("button, a, summary, [type=checkbox]");
  if (key === " " && isButton) return undefined;
  const by = shiftKey ? on.leap : on.step;
  /** @type {Record<string, () => void>} */
  const actions = {
    " ": on.toggle,
    k: on.toggle,
    ArrowLeft: () => by(-1),
    ArrowRight: () => by(1),
    ",": () => on.step(-1),
    ".": () => on.step(1),
    PageUp: () => on.leap(1),
    PageDown: () => on.leap(-1),
    Home: () => on.go("start"),
    End: () => on.go("end"),
    "<": () => on.speed(beside(speed, -1)),
    ">": () => on.speed(beside(speed, 1)),
    m: on.sound,
    b: on.boxes,
    f: on.full,
  };
  return Object.hasOwn(actions, key) ? actions[key] : undefined;
}

/** @param {number} speed @param {-1|1} by */
const beside = (speed, by) => SPEEDS[SPEEDS.indexOf(speed) + by] ?? speed;

/** @param {KeyboardEvent} event */
const isTyping = ({ target }) =>
  target instanceof HTMLElement && target.matches("input:not([type=checkbox]), select, textarea");

const HEIGHT = 100;
/** Without bars, Shift with an arrow key moves this far. */
const LEAP_S = 5;

/**
 * The data of the seek bar.
 * @typedef {Object} Course
 * @property {number} lengthS
 * @property {number|null} startedAtMs  event time of the first frame
 * @property {Page.Row[]} rows
 * @property {Page.Series[]} series
 */

/** @type {Course} */
const NOTHING = { lengthS: 0, startedAtMs: null, rows: [], series: [] };

export class SeekBar {
  /** @param {(positionS: number) => void} onSeek */
  constructor(onSeek) {
    this.onSeek = onSeek;
    this.course = NOTHING;
    this.positionS = 0;
    this.drawing = svg("svg", {
      class: "seek-bars",
      viewBox: `0 0 1 ${HEIGHT}`,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    });
    this.cursor = el("span.seek-cursor", { "aria-hidden": "true" });
    this.tip = el("div.chart-tip.seek-tip", { hidden: true, "aria-hidden": "true" });
    this.element = el(
      "div.seek",
      { role: "slider", tabindex: "0", "aria-label": t("videos.place_in_the_video"), "aria-valuemin": "0" },
      this.drawing,
      this.cursor,
      this.tip,
    );
    this.#listen();
  }

  /** Turns seeking on or off; if nothing plays, the bar is only a chart. @param {boolean} canSeek */
  enable(canSeek) {
    this.element.ariaDisabled = canSeek ? null : "true";
    this.cursor.hidden = !canSeek;
  }

  /** @param {Course} course */
  show(course) {
    this.course = course;
    this.drawing.setAttribute("viewBox", `0 0 ${course.lengthS || 1} ${HEIGHT}`);
    this.drawing.replaceChildren(...barsOf(course));
    this.element.setAttribute("aria-valuemax", course.lengthS.toFixed(2));
    this.move(this.positionS);
  }

  /** Moves the page's time cursor. @param {number} positionS */
  move(positionS) {
    const { lengthS } = this.course;
    this.positionS = positionS;
    this.cursor.style.left = `${lengthS ? Math.min((100 * positionS) / lengthS, 100) : 0}%`;
    this.element.setAttribute("aria-valuenow", positionS.toFixed(2));
    this.element.setAttribute("aria-valuetext", wordsAt(this.course, positionS).join(", "));
  }

  /**
   * The start of another bar, forwards or backwards; without bars, a fixed step.
   * @param {number} positionS  the current position
   * @param {-1|1} by
   */
  leap(positionS, by) {
    const { course } = this;
    const starts = course.rows.map(({ start }) => placeOf(course, start));
    const far =
      by > 0 ? starts.find((at) => at > positionS + 0.01) : starts.findLast((at) => at < positionS - 0.01);
    return Math.max(far ?? positionS + by * (course.rows.length ? course.lengthS : LEAP_S), 0);
  }

  #listen() {
    const { element } = this;
    let isHeld = false;
    element.addEventListener("pointerdown", (event) => {
      if (event.button || element.ariaDisabled === "true") return;
      isHeld = true;
      element.setPointerCapture(event.pointerId);
      this.onSeek(this.#placeAt(event));
    });
    element.addEventListener("pointermove", (event) => {
      const place = this.#placeAt(event);
      this.#showTip(place);
      if (isHeld) this.onSeek(place);
    });
    element.addEventListener("lostpointercapture", () => (isHeld = false)); // every end of a drag fires this event
    element.addEventListener("pointerleave", () => (this.tip.hidden = true));
  }

  /** @param {PointerEvent} event */
  #placeAt({ clientX }) {
    const { left, width } = this.element.getBoundingClientRect();
    return Math.min(Math.max((clientX - left) / (width || 1), 0), 1) * this.course.lengthS;
  }

  /** @param {number} placeS */
  #showTip(placeS) {
    const { lengthS } = this.course;
    if (!lengthS) return;
    const [first, ...others] = wordsAt(this.course, placeS);
    this.tip.replaceChildren(el("p.strong", first), ...others.map((text) => el("p", text)));
    const share = placeS / lengthS;
    this.tip.style.left = `${100 * share}%`;
    this.tip.style.translate = `${-100 * share}% 0`;
    this.tip.hidden = false;
  }
}

/** The position of a moment in the video, in seconds. @param {Course} course @param {number} ms */
const placeOf = ({ startedAtMs, lengthS }, ms) =>
  Math.min(Math.max((ms - (startedAtMs ?? ms)) / 1000, 0), lengthS);

/** @param {Course} course */
function barsOf(course) {
  const metric = METRICS.detections;
  const most = Math.max(1, ...course.rows.map((row) => totalIn(row, metric) ?? 0));
  return course.rows.flatMap((row) => {
    const [left, right] = [placeOf(course, row.start), placeOf(course, row.end)];
    const gap = 0.06 * (right - left);
    let base = HEIGHT;
    return course.series.map(({ name, label, color }) => {
      const value = valueIn(row, label, metric) ?? 0;
      const height = (value / most) * HEIGHT;
      base -= height;
      return svg("rect", {
        x: left + gap / 2,
        y: base,
        width: Math.max(right - left - gap, 0),
        height,
        fill: color,
        "data-start": row.start,
        "data-label": name,
        "data-value": value,
      });
    });
  });
}

/**
 * The tooltip of a position: its time, and the counts of its bar.
 * @param {Course} course
 * @param {number} placeS
 */
function wordsAt(course, placeS) {
  const { lengthS, startedAtMs, rows, series } = course;
  const place = t("videos.place_of_length", { placeS: playTime(placeS), lengthS: playTime(lengthS) });
  if (startedAtMs === null) return [place];
  const ms = startedAtMs + placeS * 1000;
  const when = `${timeAmong(Math.floor(ms / 1000) * 1000, false)} · ${place}`;
  const row = rows.find(({ start, end }) => start <= ms && ms < end);
  if (!row) return rows.length ? [when, t("videos.nothing_analysed_here")] : [when];
  const counts = series.flatMap(({ name, label }) => {
    const value = valueIn(row, label, METRICS.detections);
    return value ? [`${number(value)} ${name}`] : [];
  });
  const length = `${number((row.end - row.start) / 1000)} s`;
  const values = { counts: counts.join(", ") || t("web.nothing"), length, frames: number(row.frames) };
  return [when, t("videos.in_these_frames", values)];
}
