// The metrics: their names and formats.

import { bigNumber, mean, number } from "./format.js";
import { t } from "./texts.js";

/** @type {Record<Api.Metric, Page.Metric>} */
export const METRICS = {
  detections: {
    id: "detections",
    name: t("web.detections_title"),
    title: t("web.detections_over_time"),
    axis: t("web.detections"),
    perInterval: true,
    explanation: t("web.detections_explained"),
    of: (measures) => measures.detections,
    format: (value) => (value === null ? "–" : number(value)),
    stacks: true,
  },
  mean_per_frame: {
    id: "mean_per_frame",
    name: t("web.mean_per_frame_title"),
    title: t("web.mean_per_frame_over_time"),
    axis: t("web.detections_per_frame"),
    perInterval: false,
    explanation: t("web.mean_per_frame_explained"),
    of: (measures) => measures.mean_per_frame,
    format: mean,
    stacks: true,
  },
  peak: {
    id: "peak",
    name: t("web.peak_title"),
    title: t("web.peak_in_one_frame_over_time"),
    axis: t("web.most_in_one_frame"),
    perInterval: false,
    explanation: t("web.peak_explained"),
    of: (measures) => measures.peak,
    format: (value) => (value === null ? "–" : number(value)),
    stacks: false,
  },
  objects: {
    id: "objects",
    name: t("web.objects_title"),
    title: t("web.unique_objects_over_time"),
    axis: t("web.unique_objects"),
    perInterval: true,
    explanation: t("web.objects_explained"),
    of: (measures) => measures.objects,
    format: (value) => (value === null ? t("web.not_measured") : number(value)),
    stacks: true,
  },
};

/** Why a number is unknown. @type {Record<Api.Missing, string>} */
export const WHY_NOT = {
  no_footage: t("web.why_no_footage"),
  not_analysed: t("web.why_not_analysed"),
  shows_nothing: t("web.why_shows_nothing"),
  not_tracked: t("web.why_not_tracked"),
  too_slow: t("web.why_too_slow"),
  too_weak: t("web.why_too_weak"),
  too_fast: t("web.why_too_fast"),
  other_size: t("web.why_other_size"),
  not_drawn: t("web.why_not_drawn"),
  cut_path: t("web.why_cut_path"),
  too_few: t("web.why_too_few"),
};

/**
 * A measure from the server, or the known part of one.
 * @param {Page.Metric} metric
 * @param {Api.Measures} measures
 * @returns {Page.Known}
 */
export function knownOf(metric, measures) {
  const value = metric.of(measures);
  // "At least 0" would not be informative.
  return {
    value,
    part: value === null && metric.id === "objects" ? measures.measured_objects || null : null,
  };
}

/**
 * "of which 5 stood there when the footage began": objects that did not arrive in it.
 * @param {Page.Metric} metric
 * @param {{objects_from_start?: number|null}|undefined} measures
 */
export const fromStartWords = ({ id }, measures) =>
  id === "objects" && measures?.objects_from_start
    ? t("web.of_which_stood_there", { count: number(measures.objects_from_start) })
    : "";

/**
 * "2 of 30 boxes in no track": each may belong to an object that was not counted.
 * @param {Page.Metric} metric
 * @param {{objects: number|null, detections: number|null, tracked_detections: number|null}|undefined} measures
 */
export function untrackedWords({ id }, measures) {
  if (id !== "objects" || !measures || measures.objects === null) return "";
  const { detections, tracked_detections: tracked } = measures;
  if (detections === null || tracked === null || tracked >= detections) return "";
  return t("web.boxes_in_no_track", { boxes: number(detections - tracked), all: number(detections) });
}

/** The number for bars and sorting. @param {Page.Known} known */
export const amountOf = ({ value, part }) => value ?? part;

/**
 * The text of a number that may be known in part: "at least 82".
 * @param {Page.Metric} metric
 * @param {Page.Known} known
 * @param {(value: number|null) => string} [write]
 */
export const knownWords = (metric, { value, part }, write = metric.format) =>
  value === null && part ? t("web.at_least", { part: write(part) }) : write(value);

/** A number for a tile: short, however large. @param {Page.Metric} metric @param {number|null} value */
export function brief(metric, value) {
  return value !== null && metric.id !== "mean_per_frame" ? bigNumber(value) : metric.format(value);
}
