// What was counted between the first and the last frame of a video, from the same counts as all charts.

import { forgetAnswers, get } from "frametally/js/shared/api.js";
import { METRICS } from "frametally/js/shared/metrics.js";
import { colorsOf } from "frametally/js/shared/palette.js";
import { rowsOf, seriesOf } from "frametally/js/shared/series.js";
import { zoneInUse } from "frametally/js/shared/time.js";

/** @typedef {{rows: Page.Row[], series: Page.Series[], colorOf: Page.ColorOf, labels: string[]}} Counted */

/** What bars are counted in mostly divides this. */
const USUAL_MS = 60_000;

/** @type {Counted} */
export const UNCOUNTED = { rows: [], series: [], colorOf: colorsOf([], []), labels: [] };

/**
 * Whether a video has a stretch of time that may be counted.
 * @param {Page.Video} video
 */
const isTimed = ({ started_at_ms: from, ended_at_ms: until }) => from !== null && until !== null;

/**
 * What its counts hang on: while it stays the same, they do.
 * @param {Page.Video} video
 */
export const countsKey = ({ id, source, started_at_ms, ended_at_ms, state, frames, labels }) =>
  JSON.stringify([id, source, started_at_ms, ended_at_ms, state, frames.counted, labels]);

/**
 * @param {Page.Video} video
 * @param {AbortSignal} signal
 * @returns {Promise<Counted>}
 */
export async function askCounted(video, signal) {
  if (!isTimed(video) || !video.frames.counted) return UNCOUNTED;
  forgetAnswers(); // of when fewer frames were counted
  const { started_at_ms: from, ended_at_ms: until } = video;
  let counts = await get("counts", countsQuery(video, USUAL_MS), signal);
  const baseMs = (counts.base_interval_s ?? 0) * 1000;
  if (USUAL_MS % baseMs) counts = await get("counts", countsQuery(video, baseMs), signal);
  const ranked = Object.entries(video.labels).sort((one, other) => other[1] - one[1]);
  const colorOf = colorsOf(
    counts.labels.length ? counts.labels : ranked.map(([label]) => label),
    counts.labels,
  );
  return {
    rows: rowsOf(counts).filter(({ start, end }) => end > (from ?? 0) && start <= (until ?? 0)),
    series: seriesOf(counts, METRICS.detections, colorOf),
    colorOf,
    labels: counts.labels,
  };
}

/**
 * The bars of a video, and those beside it up to a round time: what was counted before a range begins is not in it,
 * though its bar reaches into it.
 * @param {Page.Video} video
 * @param {number} roundMs
 */
const countsQuery = ({ source, started_at_ms: from, ended_at_ms: until }, roundMs) =>
  new URLSearchParams({
    source,
    from: String(Math.floor((from ?? 0) / roundMs) * roundMs),
    to: String((Math.floor((until ?? 0) / roundMs) + 1) * roundMs),
    timezone: zoneInUse(),
    metric: "detections",
  });
