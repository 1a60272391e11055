// The detections in a video, requested in pieces while it plays.

import { withValues } from "frametally/js/shared/address.js";
import { forgetAnswers, get } from "frametally/js/shared/api.js";
import { METRICS } from "frametally/js/shared/metrics.js";
import { colorsOf } from "frametally/js/shared/palette.js";
import { rowsOf, seriesOf } from "frametally/js/shared/series.js";
import { zoneInUse } from "frametally/js/shared/time.js";
import { askDetections } from "../library/requests.js";
import { rankedLabels } from "../library/words.js";

/** @typedef {{rows: Page.Row[], series: Page.Series[], colorOf: Page.ColorOf, labels: string[]}} Counted */

/** Videos of ten minutes or less have counts per second. */
const SECOND_MS = 1000;

/** @type {Counted} */
export const UNCOUNTED = { rows: [], series: [], colorOf: colorsOf([], []), labels: [] };

/** Identifies a video's counts: they change only if this does. @param {Api.LibraryVideo} video */
export const countsKey = ({ id, source, started_at_ms, ended_at_ms, state, frames, labels }) =>
  JSON.stringify([id, source, started_at_ms, ended_at_ms, state, frames.counted, labels]);

/** @param {Api.LibraryVideo} video @param {AbortSignal} signal @returns {Promise<Counted>} */
export async function askCounted(video, signal) {
  const { started_at_ms: from, ended_at_ms: until } = video;
  if (from === null || until === null || !video.frames.counted) return UNCOUNTED;
  forgetAnswers(); // the stored answers are from before these frames were counted
  let counts = await get("counts", countsQuery(video, SECOND_MS), signal);
  const baseMs = (counts.base_interval_s ?? 0) * 1000;
  if (SECOND_MS % baseMs) counts = await get("counts", countsQuery(video, baseMs), signal);
  const known = counts.labels.length ? counts.labels : rankedLabels(video.labels).map(([label]) => label);
  const colorOf = colorsOf(known, counts.labels);
  return {
    rows: rowsOf(counts).filter(({ start, end }) => end > from && start <= until),
    series: seriesOf(counts, METRICS.detections, colorOf),
    colorOf,
    labels: counts.labels,
  };
}

/**
 * The counts of a video's range, extended to whole bars: otherwise its first and last bar would be incomplete.
 * @param {Api.LibraryVideo} video
 * @param {number} roundMs
 */
const countsQuery = ({ source, started_at_ms: from, ended_at_ms: until }, roundMs) =>
  withValues("", {
    source,
    from: Math.floor((from ?? 0) / roundMs) * roundMs,
    to: (Math.floor((until ?? 0) / roundMs) + 1) * roundMs,
    timezone: zoneInUse(),
    metric: "detections",
    top: 6,
  });

const PIECE_S = 30;
/** Requests the next piece this long before the current one ends. */
const AHEAD_S = 10;
const MOST_PIECES = 20;
/** A frame's boxes are shown at most this long. */
const HOLD_S = 1;
/** The API rounds positions to milliseconds. */
const ROUNDING_S = 0.001;
/** Waits this long after a failed request. */
const AGAIN_MS = 5_000;

/** @typedef {{frame: Api.BoxesAt, isExact: boolean}} Seen  isExact: the boxes belong to the frame in view */
/** @typedef {{frames: Api.BoxesAt[], askedAt: number, isHere: boolean}} Piece */

export class Found {
  /**
   * @param {string} id  the video's ID
   * @param {() => void} onMore  called when there are more detections
   */
  constructor(id, onMore) {
    this.id = id;
    this.onMore = onMore;
    /** @type {Map<number, Piece>} */
    this.pieces = new Map();
    /** Size of the picture that the boxes refer to. @type {{width: number, height: number}|null} */
    this.size = null;
    /** Labels in order of appearance. @type {Set<string>} */
    this.labels = new Set();
    this.asking = new AbortController();
  }

  /** Stops requesting. */
  end() {
    this.asking.abort();
  }

  /** Discards everything, because there may be new detections. */
  forget() {
    this.pieces.clear();
  }

  /**
   * The boxes at a position of the video: those of the last analysed frame up to it.
   * @param {number} positionS
   * @param {number} frameS  duration of one frame of the video
   * @param {boolean} isWithinFrame  whether the position is inside a frame, not at its start
   */
  at(positionS, frameS, isWithinFrame) {
    const piece = Math.floor(Math.max(positionS, 0) / PIECE_S);
    this.#need(piece);
    if (positionS > (piece + 1) * PIECE_S - AHEAD_S) this.#need(piece + 1);
    const known = [piece - 1, piece, piece + 1].flatMap((one) => this.pieces.get(one)?.frames ?? []);
    return seenAt(known, positionS, frameS, isWithinFrame);
  }

  /** @param {number} piece */
  #need(piece) {
    const known = this.pieces.get(piece);
    if (known && (known.isHere || performance.now() - known.askedAt < AGAIN_MS)) return;
    /** @type {Piece} */
    const asked = { frames: [], askedAt: performance.now(), isHere: false };
    this.pieces.set(piece, asked);
    const [oldest] = this.pieces.keys();
    if (this.pieces.size > MOST_PIECES) this.pieces.delete(oldest);
    this.#load(piece, asked).catch(() => {}); // requested again while this part is in view
  }

  /** @param {number} piece @param {Piece} asked */
  async #load(piece, asked) {
    const until = (piece + 1) * PIECE_S;
    /** @type {number|null} */
    let from = piece * PIECE_S;
    while (from !== null && from < until) {
      /** @type {Api.VideoDetections} */
      const answer = await askDetections(this.id, from, until, this.asking.signal);
      const { frames, width_px: width, height_px: height, next_s: next } = answer;
      if (this.pieces.get(piece) !== asked) return;
      if (width && height) this.size ??= { width, height };
      const [byX, byY] = [(this.size?.width ?? width) / width, (this.size?.height ?? height) / height];
      for (const frame of frames) {
        const boxes = frame.boxes.map(
          ([label, sure, x, y, wide, high]) =>
            /** @type {typeof frame.boxes[0]} */ ([label, sure, x * byX, y * byY, wide * byX, high * byY]),
        );
        asked.frames.push({ ...frame, boxes });
      }
      for (const [label] of frames.flatMap(({ boxes }) => boxes)) this.labels.add(label);
      from = next !== null && next > from ? next : null;
    }
    asked.isHere = true;
    this.onMore();
  }
}

/**
 * The boxes at a position of a video.
 * @param {Api.BoxesAt[]} frames  in order
 * @param {number} positionS
 * @param {number} frameS  duration of one frame of the video
 * @param {boolean} isWithinFrame  whether the position is inside a frame, not at its start
 * @returns {Seen|null}  `null` if no frame near it was analysed
 */
export function seenAt(frames, positionS, frameS, isWithinFrame) {
  // The browser and the API round frame starts differently.
  const slack = isWithinFrame ? ROUNDING_S : frameS / 2;
  let place = frames.findLastIndex(({ position_s: at }) => at <= positionS + slack);
  const farness = (/** @type {number} */ one) => Math.abs(frames[one].position_s - positionS);
  // With a variable frame rate, several frames may match: take the nearest.
  while (place > 0 && farness(place - 1) < farness(place)) place -= 1;
  const frame = frames[place];
  if (!frame || positionS - frame.position_s > HOLD_S + slack) return null;
  return { frame, isExact: positionS - frame.position_s < (isWithinFrame ? frameS : slack) };
}
