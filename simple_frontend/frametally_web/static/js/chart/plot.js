// The time chart: stacked bars or lines per label over event time.

import Chart from "chart.js/auto";

import { themeColor } from "../shared/palette.js";
import { valueIn } from "../shared/series.js";
import { backdrop } from "./backdrop.js";
import { ChartGestures } from "./gestures.js";
import { chartOptions } from "./options.js";
import { summary } from "./words.js";

export class TimeChart {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Object} on
   * @param {(start: number) => void} on.bar  a bar was chosen, by its start
   * @param {(from: number, to: number) => void} on.zoom  a range was drawn, in ms
   * @param {() => void} on.unzoom
   */
  constructor(canvas, on) {
    this.canvas = canvas;
    /** @type {Page.View|null} */
    this.view = null;
    /** @type {import("chart.js").Chart<any, any, any>|null} */
    this.chart = null;
    this.gestures = new ChartGestures(this, on);
  }

  /** @param {Page.View} view */
  show(view) {
    this.view = view;
    const data = { datasets: datasetsOf(view) };
    const options = chartOptions(view);
    if (this.chart) {
      this.chart.data = data;
      this.chart.options = options;
      this.chart.update("none");
    } else {
      this.chart = new Chart(this.canvas, {
        type: "bar",
        data,
        options,
        plugins: [backdrop(() => /** @type {Page.View} */ (this.view))],
      });
    }
    Object.assign(this.canvas, { chart: this.chart }); // where tests find it
    this.canvas.setAttribute("aria-label", summary(view));
    this.gestures.refresh();
  }

  /**
   * The row at a place of the canvas; null beside them, and where nothing was filmed.
   * @param {number} x  CSS pixels from the canvas's left edge
   */
  rowAt(x) {
    const ms = this.momentAt(x);
    return ms === null ? null : (this.view?.rows.find((row) => row.start <= ms && ms < row.end) ?? null);
  }

  /**
   * Why there is no row at a place of the canvas; nothing where there is one.
   * @param {number} x  CSS pixels from the canvas's left edge
   */
  absenceAt(x) {
    const ms = this.momentAt(x);
    if (ms === null || !this.view) return "";
    const lies = (/** @type {Page.Span} */ [start, end]) => start <= ms && ms < end;
    if (this.view.notAnalysed.some(lies))
      return "Filmed, not analysed: not in the counts yet, or never readable.";
    return this.view.gaps.some(lies) ? "No footage." : "";
  }

  /**
   * @param {number} x  CSS pixels from the canvas's left edge
   * @returns {number|null} ms; null beside the chart
   */
  momentAt(x) {
    if (!this.chart?.chartArea) return null;
    const { left, right } = this.chart.chartArea;
    return x < left || x > right ? null : Number(this.chart.scales.x.getValueForPixel(x));
  }
}

/**
 * @param {Page.View} view
 * @returns {any[]}
 */
function datasetsOf(view) {
  const { rows, series, metric, kind } = view;
  const places = placesOf(view);
  const lines = kind === "lines";
  const many = rows.length > 150;
  const datasets = series.map((one) => ({
    type: lines ? "line" : "bar",
    label: one.name,
    order: 1,
    backgroundColor: one.color,
    hoverBackgroundColor: one.color,
    borderColor: lines ? one.color : themeColor("surface"),
    borderWidth: lines ? 2 : many || !metric.stacks ? 0 : { top: 1 },
    pointRadius: lines ? pointRadius(places, many) : undefined,
    pointHoverRadius: 4,
    data: places.map(({ x, row }) => ({ x, row, y: row && valueIn(row, one.labels, metric) })),
  }));
  return view.other ? [...datasets, otherDataset(view, places, many)] : datasets;
}

/**
 * @param {Page.View} view
 * @param {Place[]} places
 * @param {boolean} many
 */
function otherDataset({ rows, other }, places, many) {
  const values = new Map(rows.map((row, position) => [row, other?.values[position] ?? null]));
  return {
    type: "line",
    label: other?.name,
    order: 0,
    stack: "other",
    backgroundColor: themeColor("ink"),
    borderColor: themeColor("ink"),
    borderWidth: 2,
    borderDash: [5, 4],
    pointRadius: pointRadius(places, many),
    data: places.map(({ x, row }) => ({ x, row, y: row && (values.get(row) ?? null) })),
  };
}

/** @typedef {{x: number, row: Page.Row|null}} Place */

/**
 * Where values stand: in the middle of their intervals. Gaps break lines by a place without a row; a neighbour
 * on each side tells the width of a single bar.
 * @param {Page.View} view
 * @returns {Place[]}
 */
function placesOf({ rows, kind, interval }) {
  const step = interval * 1000;
  /** @type {Place[]} */
  const places = [{ x: rows[0].start - step / 2, row: null }];
  rows.forEach((row, position) => {
    const before = rows[position - 1];
    if (kind === "lines" && before && before.end < row.start) {
      places.push({ x: (before.end + row.start) / 2, row: null });
    }
    places.push({ x: (row.start + row.end) / 2, row });
  });
  places.push({ x: rows[rows.length - 1].end + step / 2, row: null });
  return places;
}

/**
 * Points where there are few of them, and where one stands alone and would be no line.
 * @param {Place[]} places
 * @param {boolean} many
 */
function pointRadius(places, many) {
  return places.map((_, position) => {
    const alone = !places[position - 1]?.row && !places[position + 1]?.row;
    return alone ? 3 : many ? 0 : 2;
  });
}
