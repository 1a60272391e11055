// The account of one video's frames: expected = announced = detected = counted, and what does not fit.

import { number, plural } from "frametally/js/shared/format.js";

/** States in which frames are still on their way. */
const IN_WORK = ["received", "producing", "detecting", "counting"];

/**
 * @typedef {Object} Account
 * @property {{name: string, sign: string, frames: number|null, detail: string}[]} steps  in the order in which frames
 *   take them; sign: how many that are beside the step before
 * @property {"open"|"even"|"odd"|"none"} verdict  frames are on their way; all add up; they do not; there are none yet
 * @property {string} words
 */

/**
 * @param {Page.Video} video
 * @returns {Account}
 */
export function accountOf({ frames, state }) {
  const { expected, announced, detected, dead_lettered: dead, counted } = frames;
  const done = doneOf(frames);
  const steps = [
    {
      name: "expected",
      sign: "",
      frames: expected,
      detail: "that the file holds, as often as they are sampled",
    },
    {
      name: "announced",
      sign: signOf(announced, expected),
      frames: announced,
      detail: "taken, stored and put on the log",
    },
    {
      name: "detected",
      sign: signOf(done, announced),
      frames: detected,
      detail: dead ? `and ${plural(dead, "dead letter")}` : "",
    },
    { name: "counted", sign: signOf(counted, detected), frames: counted, detail: "in the chart" },
  ];
  if (announced === null && !expected) return { steps, verdict: "none", words: "No frames are taken yet." };
  const gone = difference(frames);
  if (!gone) return { steps, verdict: "even", words: evenWords(detected ?? 0, dead ?? 0) };
  if (IN_WORK.includes(state)) return { steps, verdict: "open", words: "Frames are still on their way." };
  return { steps, verdict: "odd", words: gone };
}

/** Frames that the detector is done with. @param {Page.Video["frames"]} frames */
const doneOf = ({ detected, dead_lettered: dead }) => (detected === null ? null : detected + (dead ?? 0));

/** @param {number|null} frames @param {number|null} before */
const signOf = (frames, before) => (frames === null || before === null ? "" : frames === before ? "=" : "≠");

/** @param {number} detected @param {number} dead */
const evenWords = (detected, dead) =>
  dead
    ? `Every frame is accounted for: ${plural(detected, "frame")} detected, ${plural(dead, "dead letter")}.`
    : `Every frame is accounted for: all ${number(detected)} of them are counted.`;

/**
 * The first step that has fewer or more frames than the one before; null: none.
 * @param {Page.Video["frames"]} frames
 */
function difference(frames) {
  const { expected, announced, detected, counted } = frames;
  const done = doneOf(frames);
  if (expected !== announced) return `${told(expected)} expected, and ${told(announced)} announced.`;
  if (done !== announced) return `${told(announced)} announced, and ${told(done)} detected or a dead letter.`;
  if (counted !== detected) return `${told(detected)} detected, and ${told(counted)} counted.`;
  return null;
}

/** @param {number|null} frames */
const told = (frames) => (frames === null ? "not known how many are" : `${number(frames)} are`);
