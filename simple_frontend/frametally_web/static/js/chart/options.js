// How the time chart looks: axes, ticks, tooltip.

import { isOneDay, LOCALE, day, duration, number, plural, span, zoneName } from "../shared/format.js";
import { themeColor } from "../shared/palette.js";
import { totalIn } from "../shared/series.js";
import { ticksFor, tickText } from "./ticks.js";
import { besideIn, filmedPart, whyNotIn } from "./words.js";

/**
 * @param {Page.View} view
 * @returns {any} of Chart.js
 */
export function chartOptions(view) {
  const { rows, kind, metric } = view;
  const stacked = kind === "bars" && metric.stacks;
  const many = rows.length > 150;
  return {
    animation: false,
    parsing: false,
    normalized: true,
    locale: LOCALE,
    maintainAspectRatio: false,
    interaction: { mode: "index", intersect: false },
    datasets: { bar: { barPercentage: 1, categoryPercentage: many ? 1 : 0.9, maxBarThickness: 240 } },
    scales: { x: xAxis(view, stacked), y: yAxis(view, stacked) },
    plugins: { legend: { display: false }, tooltip: tooltip(view) },
  };
}

/**
 * @param {Page.View} view
 * @param {boolean} stacked
 */
function xAxis({ rows, interval, from, to }, stacked) {
  const ink = themeColor("muted");
  const first = Math.min(from, rows[0].start);
  const last = Math.max(to, rows[rows.length - 1].end);
  const oneDay = isOneDay(first, last);
  /** @type {import("./ticks.js").Ticks} */
  let ticks = { values: [], unit: "second" };
  return {
    type: "linear",
    stacked,
    offset: false, // the bars fill their intervals already
    min: first,
    max: last,
    title: {
      display: true,
      text: oneDay ? `${day(first)}, ${zoneName(first)}` : zoneName(first),
      color: ink,
    },
    // The ticks are our own: Chart.js knows nothing of the zone's midnights, nor of years left to guess.
    afterBuildTicks: (/** @type {any} */ axis) => {
      ticks = ticksFor(first, last, axis.chart.width, interval);
      axis.ticks = ticks.values.map((value) => ({ value }));
    },
    ticks: {
      color: ink,
      maxRotation: 0,
      autoSkip: false,
      callback: (/** @type {number} */ _, /** @type {number} */ position) =>
        tickText(ticks, position, oneDay),
    },
    grid: { display: false },
    border: { color: themeColor("line") },
  };
}

/**
 * @param {Page.View} view
 * @param {boolean} stacked
 */
function yAxis({ metric, interval }, stacked) {
  const ink = themeColor("muted");
  const whole = metric.id !== "mean_per_frame";
  return {
    stacked,
    beginAtZero: true,
    suggestedMax: whole ? 4 : undefined,
    title: { display: true, text: `${metric.axis} per ${duration(interval)}`, color: ink },
    ticks: whole
      ? { color: ink, precision: 0, callback: (/** @type {number} */ value) => number(value) }
      : { color: ink },
    grid: { color: themeColor("line") },
    border: { display: false },
  };
}

/** @param {Page.View} view */
function tooltip(view) {
  const { metric, series } = view;
  return {
    backgroundColor: themeColor("tooltip"),
    titleColor: "#fff",
    bodyColor: "#fff",
    footerColor: "#cfd8e0",
    footerFont: { weight: "normal" },
    padding: 10,
    boxPadding: 4,
    filter: (/** @type {any} */ item) =>
      item.raw.row && (item.raw.y > 0 || item.raw.y === null || item.datasetIndex >= series.length),
    itemSort: (/** @type {any} */ a, /** @type {any} */ b) => b.datasetIndex - a.datasetIndex,
    callbacks: {
      title: (/** @type {any[]} */ items) => {
        const row = items[0]?.raw.row;
        return row ? span(row.start, row.end) : "";
      },
      label: (/** @type {any} */ { dataset, datasetIndex, raw }) => {
        const one = series[datasetIndex];
        const missing = one ? whyNotIn(raw.row, one.labels) : besideIn(view, raw.row);
        return ` ${dataset.label}: ${raw.y === null ? missing : metric.format(raw.y)}`;
      },
      footer: (/** @type {any[]} */ items) => {
        const row = items[0]?.raw.row;
        if (!row) return "";
        const total = series.length > 1 ? `${metric.format(totalIn(row, metric))} together. ` : "";
        const part = filmedPart(view, row);
        return `${total}${plural(row.frames, "frame")} analysed${part && `, ${part}`}. Click to see them.`;
      },
    },
  };
}
