// Words about intervals for the list, the desk and the result.

import { labelName, number } from "frametally/js/shared/format.js";
import { get } from "frametally/js/shared/api.js";
import { LOCALE, t } from "frametally/js/shared/texts.js";

/**
 * Names of the sources that a model counts, by slug; of all sources without a model.
 * @param {string} [model]
 * @returns {Promise<Map<string, string>>}
 */
export async function sourceNames(model) {
  const asked = new URLSearchParams(model ? { model } : {});
  const { sources } = await get("catalogue", asked).catch(() => ({ sources: [] })); // this model no longer has counts
  return new Map(sources.map(({ source, name }) => [source, name]));
}

/** @param {number} width  half-width as a part of the total */
export const wide = (width) =>
  `±${Math.max(width, 0.001).toLocaleString(LOCALE, { style: "percent", maximumFractionDigits: width < 0.1 ? 1 : 0 })}`;

/** @typedef {Api.CheckSummary["metric"]} Metric */

/** Whether people check single frames, not clips of footage. @param {Metric} metric */
export const isOfFrames = (metric) => metric === "detections";

/** How skipped units affect the intervals; empty if there are none. @param {number} count */
export const missingWords = (count) => (count ? t("accuracy.count_missing", { count }) : "");

/**
 * Why the estimate does not include some answers yet (earlier units of the sample are open); empty if it includes
 * all.
 * @param {Pick<Api.NextUnits, "answered"|"missing"|"used"|"next_at">} progress
 * @param {Metric} metric
 */
export function waitingWords({ answered, missing, used, next_at: nextAt }, metric) {
  const judged = answered + missing;
  return judged > used && judged >= nextAt
    ? t("accuracy.answers_wait", { count: judged - used, unit: unitNames(metric) })
    : "";
}

/** "frame", for use within a sentence. @param {Metric} metric */
export const unitName = (metric) => (isOfFrames(metric) ? t("accuracy.frame") : t("accuracy.piece"));

/** "frames", for use within a sentence. @param {Metric} metric */
export const unitNames = (metric) => (isOfFrames(metric) ? t("accuracy.frames") : t("accuracy.pieces"));

/** "2 frames" @param {number} count @param {Metric} metric */
export const countUnits = (count, metric) =>
  isOfFrames(metric) ? t("web.count_frames", { count }) : t("accuracy.count_pieces", { count });

/** The counted metric, for use within a sentence. @param {Pick<Api.CheckSummary, "metric"|"place">} check */
export const countedWords = ({ metric, place }) =>
  place
    ? t("accuracy.crossings_of_the_line", { name: place.name })
    : metric === "visits"
      ? t("accuracy.visits")
      : t("web.detections");

/**
 * The display name of a label; for crossings, with the direction's name.
 * @param {string} label
 * @param {Api.EventPlace|null} place
 */
export function labelWords(label, place) {
  const at = label.lastIndexOf("/");
  if (!place || at < 0) return labelName(label);
  const way = label.slice(at + 1);
  return `${labelName(label.slice(0, at))} ${place.directions[way] ?? way}`;
}

/** @param {"fixed"|"at_will"} method */
export const methodWords = (method) =>
  method === "fixed"
    ? t("accuracy.this_is_the_interval_for_a")
    : t("accuracy.this_is_the_interval_that_stays");

/** @param {number|null} low @param {number|null} high */
export const between = (low, high) =>
  t("accuracy.low_to_high", { low: number(Math.round(low ?? 0)), high: number(Math.round(high ?? 0)) });
