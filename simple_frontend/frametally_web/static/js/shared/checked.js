// Checked counts: the interval of each, as text too, and its sample.

import { el, refill } from "./dom.js";
import { day } from "./format.js";
import { t } from "./texts.js";

/**
 * A measure's interval; `null` if no check covers it.
 * @param {{low?: number|null, high?: number|null, estimate?: number|null}|undefined} measure
 * @param {Page.Metric} metric
 * @param {number} frames  0 for several sources, because their mean is not the mean of all frames
 * @returns {Page.Interval|null}
 */
export function intervalOf(measure, { id }, frames) {
  if (id === "peak" || (id === "mean_per_frame" && !frames)) return null;
  const { low, high, estimate } = measure ?? {};
  if (typeof low !== "number" || typeof high !== "number" || typeof estimate !== "number") return null;
  const by = id === "mean_per_frame" ? frames : 1;
  return { low: low / by, high: high / by, estimate: estimate / by };
}

/**
 * The interval of one label in a row, or of the labels that the answer combines.
 * @param {Page.Row} row
 * @param {string|null} label
 * @param {Page.Metric} metric
 */
export const intervalIn = (row, label, metric) =>
  intervalOf(row.byLabel.get(label), metric, row.ofOne ? row.frames : 0);

/**
 * The interval of all labels of a row; known only if there is a single one.
 * @param {Page.Row} row
 * @param {Page.Metric} metric
 */
export function intervalOfAll(row, metric) {
  const [label, ...more] = row.byLabel.keys();
  return more.length ? null : intervalIn(row, label, metric);
}

/** Whether any bar has an interval. @param {Pick<Page.View, "rows"|"series"|"metric">} view */
export const hasIntervals = ({ rows, series, metric }) =>
  rows.some((row) => series.some(({ label }) => intervalIn(row, label, metric)));

/**
 * " (2,190 to 2,480)"; empty without an interval.
 * @param {Page.Metric} metric
 * @param {Page.Interval|null} interval
 */
export const rangeWords = (metric, interval) =>
  interval
    ? t("web.metric_to_metric", {
        metric: rounded(metric, interval.low),
        metric2: rounded(metric, interval.high),
      })
    : "";

/** ", estimate 2,341 (2,190 to 2,480)". @param {Page.Metric} metric @param {Page.Interval|null} interval */
export const estimateWords = (metric, interval) =>
  interval
    ? t("web.estimate", { metric: rounded(metric, interval.estimate), metric2: rangeWords(metric, interval) })
    : "";

/** @param {Page.Metric} metric @param {number} value */
const rounded = (metric, value) => metric.format(metric.id === "mean_per_frame" ? value : Math.round(value));

/**
 * The checks behind an answer's intervals, and which of them are outdated.
 * @param {{checks?: Api.CountCheck[]}} counts
 * @param {Page.Metric} metric
 * @returns {{text: string, isStale: boolean}[]}
 */
export function checkLines({ checks = [] }, { id }) {
  if (id === "peak") return [];
  return checks.map(
    ({ name, stale, metric, persons, units: count, confidence, last_answer_ms: at, model }) => {
      if (stale.length)
        return {
          text: t("web.the_accuracy_check_is_stale_so", { name, stale: stale.join(" ") }),
          isStale: true,
        };
      const by = persons.length ? t("web.by", { persons: persons.join(t("web.and")) }) : "";
      const units =
        metric === "detections" ? t("web.count_frames", { count }) : t("web.count_pieces", { count });
      const sure = t("web.confidence_interval_percent", { confidence: Math.round(confidence * 100) });
      return {
        text: t("web.checked_on_frames_model", { sure, by, at: day(at), units, model }),
        isStale: false,
      };
    },
  );
}

/**
 * Shows these lines on the page; hidden without checks.
 * @param {HTMLElement} area
 * @param {Parameters<typeof checkLines>} of
 */
export function showChecks(area, ...of) {
  const lines = checkLines(...of);
  area.hidden = !lines.length;
  refill(area, ...lines.map(({ text, isStale }) => el(isStale ? "p.time-warning" : "p", text)));
}
