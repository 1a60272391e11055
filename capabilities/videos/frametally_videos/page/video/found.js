// The detections in a video, requested piece by piece while it plays.

import { withValues } from "frametally/js/shared/address.js";
import { forgetAnswers, get } from "frametally/js/shared/api.js";
import { METRICS } from "frametally/js/shared/metrics.js";
import { colorsOf } from "frametally/js/shared/palette.js";
import { rowsOf, seriesOf } from "frametally/js/shared/series.js";
import { zoneInUse } from "frametally/js/shared/time.js";
import { askDetections } from "../library/requests.js";
import { rankedLabels } from "../library/words.js";

/** @typedef {{rows: Page.Row[], series: Page.Series[], colorOf: Page.ColorOf, labels: string[]}} Counted */

/** Videos of ten minutes or less are counted by the second. */
const SECOND_MS = 1000;

/** @type {Counted} */
export const UNCOUNTED = { rows: [], series: [], colorOf: colorsOf([], []), labels: [] };

/** What its counts hang on: while it stays the same, they do. @param {Api.LibraryVideo} video */
export const countsKey = ({ id, source, started_at_ms, ended_at_ms, state, frames, labels }) =>
  JSON.stringify([id, source, started_at_ms, ended_at_ms, state, frames.counted, labels]);

/** @param {Api.LibraryVideo} video @param {AbortSignal} signal @returns {Promise<Counted>} */
export async function askCounted(video, signal) {
  const { started_at_ms: from, ended_at_ms: until } = video;
  if (from === null || until === null || !video.frames.counted) return UNCOUNTED;
  forgetAnswers(); // of when fewer frames were counted
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
 * The bars of a video, and those beside it up to a round time: what was counted before a range begins is not in it,
 * though its bar reaches into it.
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
/** So long before a piece ends the next one is asked for. */
const AHEAD_S = 10;
const MOST_PIECES = 20;
/** A frame's boxes say nothing of the picture so long after it. */
const HOLD_S = 1;
/** The API gives places in whole milliseconds. */
const ROUNDING_S = 0.001;
/** Who could not be asked is asked again after so long. */
const AGAIN_MS = 5_000;

/** @typedef {{frame: Api.BoxesAt, isExact: boolean}} Seen  isExact: of the very frame that is shown */
/** @typedef {{frames: Api.BoxesAt[], askedAt: number, isHere: boolean}} Piece */

export class Found {
  /**
   * @param {string} id  of the video
   * @param {() => void} onMore  there is more to show than before
   */
  constructor(id, onMore) {
    this.id = id;
    this.onMore = onMore;
    /** @type {Map<number, Piece>} */
    this.pieces = new Map();
    /** Of the picture whose pixels the boxes are in. @type {{width: number, height: number}|null} */
    this.size = null;
    /** Of all that was found so far, as they came. @type {Set<string>} */
    this.labels = new Set();
    this.asking = new AbortController();
  }

  /** Nothing more is asked for. */
  end() {
    this.asking.abort();
  }

  /** More may have been found since. */
  forget() {
    this.pieces.clear();
  }

  /**
   * The boxes that belong to a place of the video: those of the last frame that was analysed up to there.
   * @param {number} positionS
   * @param {number} frameS  how long a frame of the video is shown
   * @param {boolean} isWithinFrame  whether the place is somewhere within a frame, and not where that begins
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
    this.#load(piece, asked).catch(() => {}); // asked again while it is looked at
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
 * The boxes that belong to a place of a video.
 * @param {Api.BoxesAt[]} frames  in their order
 * @param {number} positionS
 * @param {number} frameS  how long a frame of the video is shown
 * @param {boolean} isWithinFrame  whether the place is somewhere within a frame, and not where that begins
 * @returns {Seen|null} null: nothing near it was analysed
 */
export function seenAt(frames, positionS, frameS, isWithinFrame) {
  // Where frames begin is rounded in different places.
  const slack = isWithinFrame ? ROUNDING_S : frameS / 2;
  let place = frames.findLastIndex(({ position_s: at }) => at <= positionS + slack);
  const farness = (/** @type {number} */ one) => Math.abs(frames[one].position_s - positionS);
  // Where the rate varies, several may be that near: the nearest is meant.
  while (place > 0 && farness(place - 1) < farness(place)) place -= 1;
  const frame = frames[place];
  if (!frame || positionS - frame.position_s > HOLD_S + slack) return null;
  return { frame, isExact: positionS - frame.position_s < (isWithinFrame ? frameS : slack) };
}
