// What is said of what is live: its state, its rate, its delay. All of it is text.

import { number, plural, roughly, timeSince } from "frametally/js/shared/format.js";

/** @type {Record<Page.LiveState["state"], string>} */
export const STATES = {
  requested: "Waits to be started",
  starting: "Starting",
  running: "Live",
  waiting: "Waiting",
  paused: "Paused",
  stopping: "Stopping",
  ended: "Ended",
  failed: "Failed",
};

/**
 * "Waiting: the store does not answer for now."
 * @param {Pick<Page.LiveState, "state"|"reason">} told
 */
export const stateWords = ({ state, reason }) =>
  [STATES[state] ?? state, ...(reason ? [reason] : [])].join(": ");

/** @param {number} againMs */
export const cutWords = (againMs) =>
  `The server does not answer; this page tries again in ${Math.round(againMs / 1000)} s, and keeps trying.`;

/** Why a socket was closed for good. @param {number} code */
export const overWords = (code) =>
  ({
    1008: "It may not be watched from here.",
    4404: "It is not there any more.",
  })[code] ?? "";

/**
 * "9.8 frames/s · 80 ms late · 3 left out"
 * @param {number|null} rate
 * @param {number|null} delayMs
 * @param {number} leftOut
 */
export function paceWords(rate, delayMs, leftOut) {
  return [
    ...(rate === null ? [] : [`${rate.toFixed(1)} frames/s`]),
    ...(delayMs === null ? [] : [`${lateWords(delayMs)} late`]),
    `${number(leftOut)} left out`,
  ].join(" · ");
}

/** @param {number} ms */
const lateWords = (ms) => {
  if (ms < 1000) return `${Math.max(Math.round(ms / 10) * 10, 0)} ms`;
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : roughly(ms);
};

/** @param {number} ms */
const behindWords = (ms) => (ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : roughly(ms));

/** How a camera is, in one word for its sign. @param {Api.LiveCamera} camera */
export function standing({ state, away_since_ms: away, late }) {
  if (state === "ended" || state === "failed" || state === "stopping") return state;
  if (away !== null) return "gone";
  if (state === "running") return late ? "late" : "live";
  return "waiting";
}

/** "Live, 0.1 s behind", "Gone since 14:00:12" @param {Api.LiveCamera} camera */
export function cameraWords(camera) {
  const { lag_ms: captured, shown_lag_ms: shown, away_since_ms: away } = camera;
  const behind = captured === null ? "" : `, ${behindWords(Math.max(captured, shown ?? 0, 0))} behind`;
  switch (standing(camera)) {
    case "live":
      return `Live${behind}`;
    case "late":
      return `Late${behind}`;
    case "gone":
      return `Gone since ${timeSince(away ?? 0)}`;
    case "ended":
      return "Stopped";
    default:
      return STATES[camera.state];
  }
}

/**
 * Which of both it is: "captured 0.1 s behind, shown 25.2 s behind". Empty of one that is not late.
 * @param {Api.LiveCamera} camera
 */
export function lateWhy({ late, lag_ms: captured, shown_lag_ms: shown }) {
  if (!late) return "";
  const lags = { captured, shown };
  return Object.entries(lags)
    .flatMap(([what, ms]) => (ms === null ? [] : [`${what} ${behindWords(Math.max(ms, 0))} behind`]))
    .join(", ");
}

/** "9.8 frames/s · last frame 14:00:12 · 3 packets lost" @param {Api.LiveCamera} camera */
export function cameraFacts(camera) {
  const { frames_per_s: rate, captured_at_ms: last, drift_ms: drift } = camera;
  const { packets_lost: packets, frames_lost: frames } = camera;
  const { leaves_out: leavesOut, taken_per_s: taken, offered_per_s: offered } = camera;
  return [
    ...(standing(camera) === "late" ? [lateWhy(camera)] : []),
    ...(rate === null ? [] : [`${rate.toFixed(1)} frames/s`]),
    ...(leavesOut ? [`taken ${(taken ?? 0).toFixed(1)} of ${(offered ?? 0).toFixed(1)}/s`] : []),
    ...(last === null ? [] : [`last frame ${timeSince(last)}`]),
    ...(drift !== null && Math.abs(drift) >= 1000
      ? [`its clock is ${(Math.abs(drift) / 1000).toFixed(1)} s ${drift > 0 ? "ahead" : "behind"}`]
      : []),
    ...(packets ? [`${plural(packets, "packet")} lost`] : []),
    ...(frames ? [`${plural(frames, "frame")} lost`] : []),
  ].join(" · ");
}
