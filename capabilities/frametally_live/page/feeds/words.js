// The pages' words about cameras and streams.

import { number, roughly, tenths, timeSince } from "frametally/js/shared/format.js";
import { joined, t } from "frametally/js/shared/texts.js";

/** @type {Record<Page.LiveState["state"], string>} */
export const STATES = {
  requested: t("live.waits_to_be_started"),
  starting: t("live.starting"),
  running: t("live.live"),
  waiting: t("live.waiting"),
  paused: t("live.paused"),
  stopping: t("live.stopping"),
  ended: t("live.ended"),
  failed: t("live.failed"),
};

/**
 * "Waiting: the store is not responding at the moment."
 * @param {Pick<Page.LiveState, "state"|"reason">} told
 */
export const stateWords = ({ state, reason }) => joined([STATES[state] ?? state, reason], ": ");

/** @param {number} againMs */
export const cutWords = (againMs) =>
  t("live.the_server_does_not_answer_this", { againMs: Math.round(againMs / 1000) });

/** Why the server closed a socket for good. @param {number} code */
export const overWords = (code) =>
  ({
    1008: t("live.it_may_not_be_watched_from"),
    4404: t("live.it_is_not_there_any_more"),
  })[code] ?? "";

/**
 * "9.8 frames/s · 80 ms late · 3 left out"
 * @param {number|null} rate
 * @param {number|null} delayMs
 * @param {number} leftOut
 */
export function paceWords(rate, delayMs, leftOut) {
  return joined([
    rate !== null && t("live.frames_s", { rate: tenths(rate) }),
    delayMs !== null && t("live.late", { delayMs: lateWords(delayMs) }),
    t("live.left_out", { leftOut: number(leftOut) }),
  ]);
}

/** @param {number} ms */
const lateWords = (ms) =>
  ms < 1000 ? t("live.ms", { ms: Math.max(Math.round(ms / 10) * 10, 0) }) : behindWords(ms);

/** @param {number} ms */
const behindWords = (ms) => (ms < 60_000 ? `${tenths(ms / 1000)} s` : roughly(ms));

/** @param {Api.LiveCamera} camera */
export const isRunning = ({ state }) => state !== "ended" && state !== "failed";

/** A camera's state in one word, for its icon. @param {Api.LiveCamera} camera */
export function standing({ state, away_since_ms: away, late }) {
  if (state === "ended" || state === "failed" || state === "stopping") return state;
  if (away !== null) return "gone";
  if (state === "running") return late ? "late" : "live";
  return "waiting";
}

/** "Live, 0.1 s behind", "Disconnected since 14:00:12" @param {Api.LiveCamera} camera */
export function cameraWords(camera) {
  const { lag_ms: captured, shown_lag_ms: shown, away_since_ms: away } = camera;
  const behind =
    captured === null ? "" : t("live.behind", { captured: behindWords(Math.max(captured, shown ?? 0, 0)) });
  switch (standing(camera)) {
    case "live":
      return t("live.live_by", { behind });
    case "late":
      return t("live.late_by", { behind });
    case "gone":
      return t("live.gone_since", { away: timeSince(away ?? 0) });
    case "ended":
      return t("live.stopped");
    default:
      return STATES[camera.state];
  }
}

/**
 * Which part is late: "captured 0.1 s behind, shown 25.2 s behind". Empty if the camera is on time.
 * @param {Api.LiveCamera} camera
 */
export function lateWhy({ late, lag_ms: captured, shown_lag_ms: shown }) {
  if (!late) return "";
  const [taken, seen] = [captured, shown].map((ms) => behindWords(Math.max(ms ?? 0, 0)));
  return joined(
    [
      captured === null ? "" : t("live.captured_behind", { ms: taken }),
      shown === null ? "" : t("live.shown_behind", { ms: seen }),
    ],
    ", ",
  );
}

/** "9.8 frames/s · last frame 14:00:12 · 3 packets lost" @param {Api.LiveCamera} camera */
export function cameraFacts(camera) {
  const { frames_per_s: rate, captured_at_ms: last, drift_ms: drift } = camera;
  const { packets_lost: packets, frames_lost: frames } = camera;
  const { leaves_out: leavesOut, taken_per_s: taken, offered_per_s: offered } = camera;
  const of = { taken: tenths(taken ?? 0), offered: tenths(offered ?? 0) };
  const part = (drift ?? 0) > 0 ? t("live.ahead") : t("live.behind_word");
  const off = Math.abs(drift ?? 0);
  return joined([
    standing(camera) === "late" && lateWhy(camera),
    rate !== null && t("live.frames_s", { rate: tenths(rate) }),
    leavesOut && t("live.taken_of_s", of),
    last !== null && t("live.last_frame", { last: timeSince(last) }),
    off >= 1000 && t("live.its_clock_is_s", { drift: tenths(off / 1000), part }),
    packets && t("live.lost", { packets: t("live.count_packets", { count: packets }) }),
    frames && t("live.frames_lost", { frames: t("web.count_frames", { count: frames }) }),
  ]);
}
