// The buttons below the picture, and the keys that do the same.

import { el, svg } from "frametally/js/shared/dom.js";

const SPEEDS = [0.25, 0.5, 1, 2, 4];
/** @type {Record<number, string>} */
const SPEED_SIGNS = { 0.25: "¼", 0.5: "½" };

/** Drawn, as not every system has such letters; in 16 × 16. */
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
/** Made of lines, in part. */
const LINED = ["sound", "silent", "full"];

/**
 * @typedef {Object} Actions
 * @property {() => void} toggle  plays, or stands
 * @property {(by: -1|1) => void} step  by a frame
 * @property {(by: -1|1) => void} leap  by a bar of the chart
 * @property {(end: "start"|"end") => void} go
 * @property {(times: number) => void} speed
 * @property {() => void} sound
 * @property {() => void} boxes
 * @property {() => void} full  the whole screen, or no longer
 */

/** @typedef {{isPlaying: boolean, speed: number, hasSound: boolean, isMuted: boolean, hasBoxes: boolean}} Standing */

/** @param {Actions} on */
export function makeControls(on) {
  const play = signButton("Play", "play", on.toggle);
  const sound = signButton("Sound off", "sound", on.sound);
  const boxes = el("input", { type: "checkbox", checked: true, onchange: on.boxes });
  const speeds = SPEEDS.map((times) =>
    el("button", {
      type: "button",
      text: `${SPEED_SIGNS[times] ?? times}×`,
      "aria-label": `${SPEED_SIGNS[times] ?? times}× speed`,
      onclick: () => on.speed(times),
    }),
  );
  const element = el(
    "div",
    { class: "player-tools" },
    el(
      "div",
      { class: "player-steps" },
      signButton("To the start", "start", () => on.go("start")),
      signButton("Frame before", "before", () => on.step(-1)),
      play,
      signButton("Next frame", "next", () => on.step(1)),
      signButton("To the end", "end", () => on.go("end")),
    ),
    el("div", { class: "segmented", role: "group", "aria-label": "Speed" }, ...speeds),
    el("label", { class: "check" }, boxes, "Boxes"),
    sound,
    signButton("Full screen", "full", on.full),
  );

  /** @param {Standing} now */
  function show({ isPlaying, speed, hasSound, isMuted, hasBoxes }) {
    setSign(play, isPlaying ? "Pause" : "Play", isPlaying ? "pause" : "play");
    speeds.forEach((button, order) => button.setAttribute("aria-pressed", String(SPEEDS[order] === speed)));
    sound.hidden = !hasSound;
    setSign(sound, isMuted ? "Sound on" : "Sound off", isMuted ? "silent" : "sound");
    boxes.checked = hasBoxes;
  }

  return { element, show };
}

/**
 * @param {string} name
 * @param {keyof typeof SIGNS} sign
 * @param {() => void} onclick
 */
function signButton(name, sign, onclick) {
  const button = el("button", { type: "button", class: "button icon", onclick });
  setSign(button, name, sign);
  return button;
}

/**
 * @param {HTMLElement} button
 * @param {string} name
 * @param {keyof typeof SIGNS} sign
 */
function setSign(button, name, sign) {
  if (button.title === name) return;
  button.ariaLabel = button.title = name;
  const look = LINED.includes(sign) ? "sign lined" : "sign";
  const drawing = { class: look, viewBox: "0 0 16 16", "aria-hidden": "true" };
  button.replaceChildren(svg("svg", drawing, svg("path", { d: SIGNS[sign] })));
}

/** How the keys are called, for a line below the chart. */
export const KEYS =
  "space plays, ← → go by a frame, with shift by a bar, < > change the speed, b shows boxes, f fills the screen";

/** Those by which one goes through a page, too: the player's where it has the keyboard. */
const SCROLLING = ["Home", "End", "PageUp", "PageDown"];

/**
 * Does what a key says. Those of a field, and what a button does with space, stay theirs.
 * @param {KeyboardEvent} event
 * @param {Actions} on
 * @param {{speed: number, isPlayers: boolean}} now  isPlayers: the player itself has the keyboard
 */
export function takeKey(event, on, { speed, isPlayers }) {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
  const act = actionOf(event, on, speed);
  if (!act || (!isPlayers && SCROLLING.includes(event.key))) return;
  event.preventDefault();
  act();
}

/**
 * @param {KeyboardEvent} event
 * @param {Actions} on
 * @param {number} speed
 * @returns {(() => void)|undefined}
 */
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
