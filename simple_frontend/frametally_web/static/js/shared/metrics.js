// What can be counted, and how labels are put together: sums for most, the maximum for the peak.

import { bigNumber, mean, number } from "./format.js";

/** @param {number[]} values */
const sum = (values) => values.reduce((total, value) => total + value, 0);
/** @param {number[]} values */
const greatest = (values) => values.reduce((most, value) => Math.max(most, value), 0);

/** @type {Record<Api.Metric, Page.Metric>} */
export const METRICS = {
  detections: {
    id: "detections",
    name: "Detections",
    title: "Detections over time",
    axis: "detections",
    perInterval: true,
    explanation: "Boxes found in the frames analysed: one car seen in ten frames counts ten times.",
    of: (measures) => measures.detections,
    join: sum,
    format: (value) => (value === null ? "–" : number(value)),
    stacks: true,
  },
  mean_per_frame: {
    id: "mean_per_frame",
    name: "Mean per frame",
    title: "Mean per frame over time",
    axis: "detections per frame",
    perInterval: false,
    explanation: "Detections divided by the frames analysed: how many were in the picture at a time.",
    of: (measures) => measures.mean_per_frame ?? 0,
    join: sum,
    format: mean,
    stacks: true,
  },
  peak: {
    id: "peak",
    name: "Peak in one frame",
    title: "Peak in one frame over time",
    axis: "most in one frame",
    perInterval: false,
    explanation: "The most of one label in a single frame: a maximum, never a sum.",
    of: (measures) => measures.peak,
    join: greatest,
    format: (value) => (value === null ? "–" : number(value)),
    stacks: false,
  },
  objects: {
    id: "objects",
    name: "Unique objects",
    title: "Unique objects over time",
    axis: "unique objects",
    perInterval: true,
    explanation: "Objects followed from frame to frame, each counted once, where it was first seen.",
    of: (measures) => measures.objects,
    join: sum,
    format: (value) => (value === null ? "not measured" : number(value)),
    stacks: true,
  },
};

/** Why unique objects are not known. @type {Record<Api.ObjectsMissing, string>} */
export const WHY_NOT = {
  not_tracked: "objects were not followed",
  too_slow: "too few frames a second",
  too_weak: "seen, but too weakly to follow",
};

/**
 * Several labels together; null where the metric of one of them was not measured.
 * @param {Page.Metric} metric
 * @param {Api.Measures[]} measures
 * @returns {number|null}
 */
export function joined(metric, measures) {
  if (metric.id === "objects") return objectsOf(measures);
  const values = measures.map(metric.of);
  const known = values.filter((value) => value !== null);
  return known.length < values.length ? null : metric.join(known);
}

/**
 * Objects of several labels: known if half of all their boxes lie in tracks, as `rules/objects.py` has it of one.
 * @param {Api.Measures[]} measures
 * @returns {number|null}
 */
function objectsOf(measures) {
  const followed = measures.flatMap((one) => one.objects ?? one.followed_objects ?? []);
  if (followed.length < measures.length) return null;
  const tracked = measures.flatMap((one) => one.tracked_detections ?? []);
  const isNoted = tracked.length === measures.length;
  const detections = sum(measures.map((one) => one.detections));
  return isNoted && 2 * sum(tracked) < detections ? null : sum(followed);
}

/**
 * For a tile: short, however large.
 * @param {Page.Metric} metric
 * @param {number|null} value
 */
export function brief(metric, value) {
  return value !== null && metric.id !== "mean_per_frame" ? bigNumber(value) : metric.format(value);
}
