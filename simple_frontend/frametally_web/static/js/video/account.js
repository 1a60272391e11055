// The account of one video's frames: expected = announced = detected = counted, and what does not fit.

import { number, plural } from "../shared/format.js";

/** States in which frames are still on their way. */
const IN_WORK = ["received", "producing", "detecting", "counting"];

/**
 * @typedef {Object} Account
 * @property {{name: string, frames: number|null, detail: string}[]} steps  in the order in which frames take them
 * @property {"open"|"even"|"odd"|"none"} verdict  frames are on their way; all add up; they do not; there are none yet
 * @property {string} words
 */

/**
 * @param {Page.Video} video
 * @returns {Account}
 */
export function accountOf({ frames, state }) {
  const { expected, announced, detected, dead_lettered: dead, counted } = frames;
  const steps = [
    { name: "expected", frames: expected, detail: "that the file holds, as often as they are sampled" },
    { name: "announced", frames: announced, detail: "taken, stored and put on the log" },
    { name: "detected", frames: detected, detail: dead ? `and ${plural(dead, "dead letter")}` : "" },
    { name: "counted", frames: counted, detail: "in the chart" },
  ];
  if (announced === null && !expected) return { steps, verdict: "none", words: "No frames are taken yet." };
  const gone = difference(frames);
  if (!gone) return { steps, verdict: "even", words: evenWords(detected ?? 0, dead ?? 0) };
  if (IN_WORK.includes(state)) return { steps, verdict: "open", words: "Frames are still on their way." };
  return { steps, verdict: "odd", words: gone };
}

/** @param {number} detected @param {number} dead */
const evenWords = (detected, dead) =>
  dead
    ? `Every frame is accounted for: ${plural(detected, "frame")} detected, ${plural(dead, "dead letter")}.`
    : `Every frame is accounted for: all ${number(detected)} of them are counted.`;

/**
 * The first step that has fewer or more frames than the one before; null: none.
 * @param {Page.Video["frames"]} frames
 */
function difference({ expected, announced, detected, dead_lettered: dead, counted }) {
  const done = detected === null ? null : detected + (dead ?? 0);
  if (expected !== announced) return `${told(expected)} expected, and ${told(announced)} announced.`;
  if (done !== announced) return `${told(announced)} announced, and ${told(done)} detected or a dead letter.`;
  if (counted !== detected && counted !== done)
    return `${told(detected)} detected, and ${told(counted)} counted.`;
  return null;
}

/** @param {number|null} frames */
const told = (frames) => (frames === null ? "not known how many are" : `${number(frames)} are`);
