// All that is measured, in a row: a button per metric, which chooses it, and what the numbers rest on.

import { el } from "../shared/dom.js";
import { bigNumber, number, percent, plural, shortSpan, span } from "../shared/format.js";
import { brief, joined, METRICS, WHY_NOT } from "../shared/metrics.js";
import { allIn, totalIn } from "../shared/series.js";
import { absentOf, isAdded, objectsOf } from "./tiles.js";

/**
 * @param {HTMLElement} area
 * @param {Pick<Page.Answers, "counts"|"summary">} answers
 * @param {Page.View|null} view  null where there is no footage
 * @param {Api.SourceRange[]} sources  those selected
 * @param {(metric: Api.Metric) => void} onMetric
 */
export function showMeasures(area, { counts, summary }, view, sources, onMetric) {
  const chosen = counts.metric;
  const absent = absentOf(counts);
  const metrics = Object.values(METRICS).map((metric) => {
    const { value, where } =
      metric.id === "objects" && isAdded(summary)
        ? objectsOf(summary)
        : { value: view && allIn(counts, metric), where: null };
    const measured = view && value !== null;
    return el(
      "button",
      {
        type: "button",
        class: "measure",
        title: metric.explanation,
        "aria-pressed": String(metric.id === chosen),
        onclick: () => onMetric(metric.id),
      },
      el("span", { class: "tile-name", text: metric.name }),
      el("span", {
        class: measured ? "value" : "value words",
        text: view ? brief(metric, value) : "–",
        title: metric.format(value),
      }),
      el("span", { class: "detail muted", text: view ? (where ?? detailOf(metric, counts, view)) : absent }),
    );
  });
  area.replaceChildren(...metrics, framesTile(counts), sourcesTile(counts, view, sources));
}

/**
 * @param {Page.Metric} metric
 * @param {Api.Counts} counts
 * @param {Page.View} view
 */
function detailOf(metric, counts, view) {
  const { totals } = counts;
  if (metric.id === "objects" && allIn(counts, metric) === null) {
    const missing = [...counts.coverage, ...totals].find((one) => one.objects_missing)?.objects_missing;
    if (missing) return WHY_NOT[missing];
  }
  const top = totals
    .filter(({ label }) => label !== null)
    .reduce(
      (best, one) => ((metric.of(one) ?? 0) > (best ? (metric.of(best) ?? 0) : 0) ? one : best),
      /** @type {Api.Total|null} */ (null),
    );
  if (!top) return "nothing was found";
  if (metric.id === "peak") return `${top.label}${busiest(metric, view)}`;
  const all = joined(metric, totals) ?? 0;
  const several = totals.filter((one) => metric.of(one)).length > 1;
  return several ? `${percent((metric.of(top) ?? 0) / all)} ${top.label}` : top.label;
}

/**
 * When the greatest value was.
 * @param {Page.Metric} metric
 * @param {Page.View} view
 */
function busiest(metric, { rows }) {
  const row = rows.reduce((best, one) =>
    (totalIn(one, metric) ?? 0) > (totalIn(best, metric) ?? 0) ? one : best,
  );
  return `, ${shortSpan(row.start, row.end)}`;
}

/** @param {Api.Counts} counts */
function framesTile(counts) {
  return tile("Frames analysed", bigNumber(counts.frames), "what all this rests on", number(counts.frames));
}

/**
 * @param {Api.Counts} counts
 * @param {Page.View|null} view
 * @param {Api.SourceRange[]} sources
 */
function sourcesTile(counts, view, sources) {
  if (!view) return tile("Sources", "–", counts.not_analysed?.length ? "not analysed" : "no footage here");
  const filming = sources.filter(
    (one) => one.first_interval_ms < view.to && one.next_interval_ms > view.from,
  );
  const range = span(counts.from_ms ?? view.from, counts.to_ms ?? view.to);
  if (filming.length === 1) return tile("Source", filming[0].name, range, filming[0].name, "words");
  return tile("Sources", plural(filming.length, "source"), range, String(filming.length), "words");
}

/**
 * @param {string} name
 * @param {string} value
 * @param {string} detail
 * @param {string} [exact]
 * @param {string} [kind]
 */
function tile(name, value, detail, exact = value, kind = "") {
  return el(
    "div",
    { class: "measure" },
    el("span", { class: "tile-name", text: name }),
    el("span", { class: `value ${kind}`, text: value, title: exact }),
    el("span", { class: "detail muted", text: detail, title: detail }),
  );
}
