// The buttons below the picture, and the keys that do the same.

import { el, iconButton } from "../shared/dom.js";

const SPEEDS = [0.25, 0.5, 1, 2, 4];
/** @type {Record<number, string>} */
const SPEED_SIGNS = { 0.25: "¼×", 0.5: "½×" };

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
  const play = iconButton("Play", "▶", on.toggle, { class: "button icon player-play" });
  const sound = iconButton("Sound", "🔊", on.sound);
  const boxes = el("input", { type: "checkbox", checked: true, onchange: on.boxes });
  const speeds = SPEEDS.map((times) =>
    el("button", {
      type: "button",
      text: SPEED_SIGNS[times] ?? `${times}×`,
      "aria-label": `${times} times as fast`,
      onclick: () => on.speed(times),
    }),
  );
  const element = el(
    "div",
    { class: "player-tools" },
    el(
      "div",
      { class: "player-steps" },
      iconButton("To the start", "⏮", () => on.go("start")),
      iconButton("Frame before", "‹", () => on.step(-1)),
      play,
      iconButton("Next frame", "›", () => on.step(1)),
      iconButton("To the end", "⏭", () => on.go("end")),
    ),
    el("div", { class: "segmented", role: "group", "aria-label": "Speed" }, ...speeds),
    el("label", { class: "check" }, boxes, "Boxes"),
    sound,
    iconButton("Full screen", "⛶", on.full),
  );

  /** @param {Standing} now */
  function show({ isPlaying, speed, hasSound, isMuted, hasBoxes }) {
    play.textContent = isPlaying ? "⏸" : "▶";
    play.ariaLabel = isPlaying ? "Pause" : "Play";
    speeds.forEach((button, order) => button.setAttribute("aria-pressed", String(SPEEDS[order] === speed)));
    sound.hidden = !hasSound;
    sound.textContent = isMuted ? "🔇" : "🔊";
    sound.ariaLabel = isMuted ? "Sound on" : "Sound off";
    boxes.checked = hasBoxes;
  }

  return { element, show };
}

/** How the keys are called, for a line below the chart. */
export const KEYS =
  "space plays, ← → go by a frame, with shift by a bar, < > change the speed, b shows boxes, f fills the screen";

/**
 * Does what a key says. Those of a field, and what a button does with space, stay theirs.
 * @param {KeyboardEvent} event
 * @param {Actions} on
 * @param {number} speed  as it is
 */
export function takeKey(event, on, speed) {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
  const act = actionOf(event, on, speed);
  if (!act) return;
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
