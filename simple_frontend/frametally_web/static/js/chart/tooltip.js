// The chart in words: a bar, a gap, and the tooltip.

import { el, swatch } from "../shared/dom.js";
import { duration, roughly, span, within } from "../shared/format.js";
import { fromStartWords, knownWords, untrackedWords, WHY_NOT } from "../shared/metrics.js";
import { estimateWords, intervalIn, rangeWords } from "../shared/checked.js";
import { NOTHING, allKnownIn, isMeasuredInPart, isPartial, knownIn, shareWords } from "../shared/series.js";
import { joined, t } from "../shared/texts.js";

/**
 * What the bars measure: a sum is per interval; a mean and a peak are per frame.
 * @param {Page.Metric} metric
 * @param {number} interval  seconds
 */
export const axisWords = (metric, interval) =>
  metric.perInterval ? t("web.per", { axis: metric.axis, interval: duration(interval) }) : metric.axis;

/** The text below the chart's title. @param {Page.View} view @param {string|null} zone  of the picture */
export const rangeOf = ({ range, interval }, zone) =>
  t("web.in_intervals_of", { span: span(...range), interval: duration(interval), zone: within(zone) });

/** A series' total. @param {Page.Metric} metric @param {Page.Series} series */
export const totalWords = (metric, { total, interval }) =>
  knownWords(metric, total) + rangeWords(metric, interval);

/**
 * A stretch without bars, and the reason; `at` is the moment in it under the pointer.
 * @typedef {{span: Page.Span, at: number, kind: string}} Hole
 */

/** All gaps in order of time. @param {Pick<Page.View, "gaps"|"notAnalysed"|"nothing">} view @returns {Hole[]} */
export function holesOf({ gaps, notAnalysed, nothing }) {
  const holes = (/** @type {Page.Span[]} */ spans, /** @type {Hole["kind"]} */ kind) =>
    spans.map((one) => ({ span: one, at: one[0], kind }));
  return [
    ...holes(gaps, t("web.no_footage")),
    ...holes(notAnalysed, t("web.filmed_not_analysed")),
    ...nothing.map((one) => ({ ...one, at: one.span[0] })),
  ].sort((a, b) => a.at - b.at);
}

/**
 * What a screen reader reads instead of the chart; the table has the numbers.
 * @param {Page.View} view
 * @param {Pick<import("./plot.js").ChartEvents, "bar"|"hole">} on
 */
export function summary({ series, metric, interval, gaps, notAnalysed, nothing, from, to }, on) {
  const named =
    series
      .map((one) =>
        one.total.value === null && !metric.perInterval ? one.name : `${one.name} ${totalWords(metric, one)}`,
      )
      .join(", ") || t("web.nothing_found");
  const waiting =
    (notAnalysed.length ? t("web.some_of_the_footage_is_not") : "") +
    (nothing.length ? t("web.some_of_the_footage_shows_nothing") : "");
  return t("web.chart_of_arrow_keys_go_from", {
    metric: axisWords(metric, interval),
    from: span(from, to),
    named,
    stretches: gaps.length ? t("web.stretches_without_footage", { count: gaps.length }) : "",
    waiting,
    enter: on.hole ? t("web.enter_shows_frames_or_why_none") : on.bar ? t("web.enter_shows_frames") : "",
    table: document.getElementById("view-table") ? t("web.the_table_button_shows_the_numbers") : "",
  });
}

/** A bar in words. @param {Page.View} view @param {Page.Row} row */
export function describe(view, row) {
  const { series, metric, other } = view;
  const parts = series.flatMap(({ name, label }) => {
    const known = knownIn(row, label, metric);
    const estimate = estimateWords(metric, intervalIn(row, label, metric));
    return known.value === 0 ? [] : `${name} ${knownWords(metric, known)}${estimate}`;
  });
  return joined(
    [
      `${span(row.start, row.end)}: ${parts.join(", ") || t("web.nothing")}`,
      series.length > 1 ? t("web.together", { row: knownWords(metric, allKnownIn(row, metric)) }) : "",
      other ? `${other.name} ${besideIn(view, row)}` : "",
      t("web.frames_analysed", { count: row.frames }),
      ...partsOf(view, row),
    ],
    "; ",
  );
}

/** A gap in words. @param {Pick<Hole, "span"|"kind">} hole */
export const describeHole = ({ span: [from, to], kind }) => `${span(from, to)}: ${kind}`;

/** The compared value for a row. @param {Page.View} view @param {Page.Row} row */
function besideIn({ rows, metric, other }, row) {
  const known = other?.values[rows.indexOf(row)];
  return known === undefined ? t("web.no_footage") : knownWords(metric, known);
}

/** The compared value at a moment without a bar. @param {Page.View} view @param {number} ms */
function besideHole({ metric, other }, ms) {
  const row = other?.rows.find(({ start, end }) => start <= ms && ms < end);
  return other && row ? `${other.name}: ${knownWords(metric, row.known)}.` : "";
}

/** "26% of 3 × 30 min filmed"; empty if everything was filmed or the share is unknown. @param {Page.Row} row */
export function filmedPart(row) {
  const part = row.filmed.part ?? 1;
  return isPartial(row) ? t("web.filmed", { share: shareWords({ ...row.filmed, part }) }) : "";
}

/** "5 days of 1 week in the range", for a bar at the end of the range. @param {Page.View} view @param {Page.Row} row */
function cutPart({ cut, range: [from, to] }, { start, end }) {
  if (!cut.some(([first]) => first === start)) return "";
  return t("web.of_in_the_range", {
    end: roughly(Math.min(end, to) - Math.max(start, from)),
    end2: roughly(end - start),
  });
}

/**
 * How a bar is incomplete: less footage than its interval, or numbers for less than its footage.
 * @param {Page.View} view
 * @param {Page.Row} row
 */
export const partsOf = (view, row) =>
  [
    fromStartWords(view.metric, row.all),
    untrackedWords(view.metric, row.all),
    filmedPart(row),
    ...nothingIn(view, row),
    cutPart(view, row),
    measuredPart(view, row),
  ].filter(Boolean);

/** "5 min black": footage that a bar leaves out. @param {Page.View} view @param {Page.Row} row */
const nothingIn = ({ leftOut }, row) =>
  leftOut.filter((one) => one.start_ms === row.start).map((one) => nothingWords(one));

/** @param {{reason: Api.ShowsNothing["reason"], covered_s: number, frames: number}} one */
export const nothingWords = ({ reason, covered_s: seconds, frames }) =>
  `${seconds ? roughly(seconds * 1000) : t("web.count_frames", { count: frames })} ${NOTHING[reason]}`;

/** @param {Page.View} view @param {Page.Row} row */
export function measuredPart({ metric }, row) {
  if (!isMeasuredInPart(row, metric)) return "";
  return row.missing
    ? t("web.measured_in_part_of_the_footage", { WHY_NOT: WHY_NOT[row.missing] })
    : t("web.some_labels_are_not_measured", { why: whyNotIn(row, row.all) });
}

/** What you can do with the chart on this device. */
export const handWords = () =>
  matchMedia("(hover: hover)").matches
    ? t("web.click_a_bar_for_its_frames")
    : t("web.tap_a_bar_for_its_frames");

/** Why a bar of a row is unknown. @param {Page.Row} row @param {Api.CountBucket|undefined} bar */
function whyNotIn(row, bar) {
  const missing = row.missing ?? bar?.objects_missing;
  return missing ? WHY_NOT[missing] : t("web.not_measured");
}

/**
 * A series' value in a row, or why it is unknown.
 * @param {Page.View} view
 * @param {Page.Row} row
 * @param {number} order  position of the series
 * @param {Page.Interval|null} checked
 */
function wordsIn({ series, metric }, row, order, checked) {
  const { label } = series[order];
  const known = knownIn(row, label, metric);
  if (known.value === null && !known.part) return whyNotIn(row, row.byLabel.get(label));
  return knownWords(metric, known) + estimateWords(metric, checked);
}

const EDGE_PX = 8;

export class Tooltip {
  /** @param {import("./plot.js").TimeChart} chart */
  constructor(chart) {
    this.chart = chart;
    // Screen readers read #spoken instead.
    this.box = el("div.chart-tip", { "aria-hidden": "true", hidden: true });
    chart.canvas.after(this.box);
  }

  hide() {
    this.box.hidden = true;
  }

  /** @param {Page.Row} row @param {number} x  CSS pixels from the left edge of the canvas */
  showRow(row, x) {
    const { view } = this.chart;
    if (view) this.#place(x, span(row.start, row.end), this.#lines(view, row), footer(view, row));
  }

  /** @param {Hole} hole @param {number} x */
  showHole({ span: [from, to], kind, at }, x) {
    const { view } = this.chart;
    const sources = view?.sources ?? [];
    const whose =
      sources.length > 3
        ? t("web.from_any_of", { length: t("web.count_sources", { count: sources.length }) })
        : sources.length
          ? t("web.from", { sources: sources.join(", ") })
          : "";
    const words =
      kind === t("web.no_footage")
        ? t("web.no_footage_sentence", { whose })
        : kind === t("web.filmed_not_analysed")
          ? t("web.filmed_not_analysed_not_in_the")
          : t("web.left_out", { kind });
    const beside = view ? besideHole(view, at) : "";
    const lines = [words, beside].filter(Boolean).map((text) => el("p", text));
    this.#place(x, span(from, to), lines, t("web.click_for_the_reason_sentence"));
  }

  /** @param {Page.View} view @param {Page.Row} row */
  #lines(view, row) {
    const position = view.rows.indexOf(row);
    return this.chart
      .drawn()
      .map(({ name, color, dashed, values, intervals }, order) => {
        if (!dashed && values[position] === 0) return null;
        const words = dashed ? besideIn(view, row) : wordsIn(view, row, order, intervals[position]);
        return el("p.tip-line", swatch(color), el("span", `${name}: ${words}`));
      })
      .filter((line) => line !== null)
      .reverse();
  }

  /** @param {number} x @param {string} title @param {HTMLElement[]} lines @param {string} foot */
  #place(x, title, lines, foot) {
    const { box, chart } = this;
    box.replaceChildren(el("p.strong", title), ...lines, el("p.tip-foot", foot));
    box.hidden = false;
    const room = chart.canvas.clientWidth;
    const left = x + 14 + box.offsetWidth > room ? x - 14 - box.offsetWidth : x + 14;
    box.style.left = `${chart.canvas.offsetLeft + Math.min(Math.max(left, 0), Math.max(room - box.offsetWidth, 0))}px`;
    box.style.top = `${chart.canvas.offsetTop + EDGE_PX}px`;
  }
}

/** @param {Page.View} view @param {Page.Row} row */
function footer(view, row) {
  const { metric, series } = view;
  const total =
    series.length > 1 ? t("web.row_together", { row: knownWords(metric, allKnownIn(row, metric)) }) : "";
  const parts = partsOf(view, row).map((part) => `, ${part}`);
  return t("web.analysed_click_to_see_them", {
    total,
    frames: t("web.count_frames", { count: row.frames }),
    parts: parts.join(""),
  });
}
