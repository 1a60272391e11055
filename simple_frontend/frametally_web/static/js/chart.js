// The time chart: stacked bars per label over event time, stretches without footage hatched.

import { day, duration, isOneDay, mean, number, plural, span, zone } from "./format.js";
import { themeColor } from "./palette.js";
import { detectionsIn } from "./series.js";

const LEAST_GAP_TEXT_PX = 84;

export class TimeChart {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {(start: number) => void} onBar  called with the start of the bar that was clicked
   */
  constructor(canvas, onBar) {
    this.canvas = canvas;
    this.onBar = onBar;
    this.view = null;
    this.chart = null;
  }

  /**
   * @param {Object} view
   * @param {Row[]} view.rows
   * @param {Object[]} view.series
   * @param {number[][]} view.gaps
   * @param {number} view.interval  seconds
   * @param {number|null} view.at  start of the bar whose frames are shown
   */
  show(view) {
    this.view = view;
    const { rows, series } = view;
    const one = rows[0].end - rows[0].start;
    // A neighbour on each side, for a single bar has nothing else to tell its width from.
    const beyond = (start) => ({ x: start + one / 2, y: null });
    const data = {
      datasets: series.map((labels) => ({
        label: labels.name,
        backgroundColor: labels.color,
        hoverBackgroundColor: labels.color,
        borderColor: themeColor("surface"),
        borderWidth: rows.length > 150 ? 0 : { top: 1 },
        // Rows without footage stay in, as null, so that every bar is one interval wide.
        data: [
          beyond(rows[0].start - one),
          ...rows.map((row) => ({
            x: (row.start + row.end) / 2,
            y: row.frames === null ? null : detectionsIn(row, labels),
          })),
          beyond(rows.at(-1).end),
        ],
      })),
    };
    const options = this.#options();
    if (this.chart) {
      this.chart.data = data;
      this.chart.options = options;
      this.chart.update();
    } else {
      this.chart = new window.Chart(this.canvas, { type: "bar", data, options, plugins: [this.#backdrop()] });
    }
    this.canvas.setAttribute("aria-label", this.#summary());
  }

  #options() {
    const { rows, interval } = this.view;
    const ink = themeColor("muted");
    const grid = themeColor("line");
    const first = rows[0].start;
    const last = rows.at(-1).end;
    return {
      animation: false,
      parsing: false,
      normalized: true,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      onClick: (event, _, chart) => this.#click(event.x, chart),
      onHover: (event, _, chart) => {
        this.canvas.classList.toggle("clickable", Boolean(this.#rowAt(event.x, chart)?.frames));
      },
      datasets: { bar: { barPercentage: 1, categoryPercentage: rows.length > 150 ? 1 : 0.9, maxBarThickness: 240 } },
      scales: {
        x: {
          type: "time",
          stacked: true,
          offset: false, // the bars fill their intervals already
          min: first,
          max: last,
          time: {
            minUnit: unitOf(interval),
            displayFormats: {
              second: "HH:mm:ss",
              minute: "HH:mm",
              hour: "HH:mm",
              day: "d LLL",
              week: "d LLL",
              month: "LLL yyyy",
              quarter: "LLL yyyy",
            },
          },
          title: {
            display: true,
            text: isOneDay(first, last) ? `${day(first)}, ${zone(first)}` : zone(first),
            color: ink,
          },
          ticks: { color: ink, maxRotation: 0, autoSkipPadding: 18, ...this.#dayTicks(first, last) },
          grid: { display: false },
          border: { color: grid },
        },
        y: {
          stacked: true,
          beginAtZero: true,
          suggestedMax: 4,
          title: { display: true, text: `detections per ${duration(interval)}`, color: ink },
          ticks: { color: ink, precision: 0, callback: (value) => number(value) },
          grid: { color: grid },
          border: { display: false },
        },
      },
      plugins: {
        legend: { display: false },
        tooltip: this.#tooltip(),
      },
    };
  }

  // Over several days, the day stands below the hour where a day begins.
  #dayTicks(first, last) {
    if (isOneDay(first, last)) return {};
    const { DateTime } = window.luxon;
    return {
      callback(value, position, ticks) {
        const at = DateTime.fromMillis(value);
        const before = position > 0 ? DateTime.fromMillis(ticks[position - 1].value) : null;
        const text = this.getLabelForValue ? this.chart.scales.x.format(value) : String(value);
        const isTime = /^\d\d:/.test(text);
        return isTime && !before?.hasSame(at, "day") ? [text, at.toFormat("d LLL")] : text;
      },
    };
  }

  #tooltip() {
    const { rows, series } = this.view;
    const rowOf = (item) => (item ? rows[item.dataIndex - 1] : null); // one point stands before the first row
    return {
      backgroundColor: themeColor("tooltip"),
      titleColor: "#fff",
      bodyColor: "#fff",
      footerColor: "#cfd8e0",
      footerFont: { weight: "normal" },
      padding: 10,
      boxPadding: 4,
      filter: (item) => item.raw.y > 0,
      itemSort: (a, b) => b.datasetIndex - a.datasetIndex,
      callbacks: {
        title: (items) => {
          const row = rowOf(items[0]);
          return row ? span(row.start, row.end) : "";
        },
        label: (item) => {
          const one = series[item.datasetIndex];
          const only = one.labels.length === 1 ? rowOf(item).byLabel.get(one.labels[0]) : null;
          const detail = only ? ` (${mean(only.mean)} a frame, peak ${number(only.peak)})` : "";
          return ` ${one.name}: ${number(item.raw.y)}${detail}`;
        },
        footer: (items) => {
          const row = rowOf(items[0]);
          return row ? `${number(row.total)} in ${plural(row.frames, "frame")}. Click to see them.` : "";
        },
      },
    };
  }

  #rowAt(x, chart) {
    const { chartArea, scales } = chart;
    if (!chartArea || x < chartArea.left || x > chartArea.right) return null;
    const value = scales.x.getValueForPixel(x);
    return this.view.rows.find((row) => row.start <= value && value < row.end) ?? null;
  }

  #click(x, chart) {
    const row = this.#rowAt(x, chart);
    if (row?.frames) this.onBar(row.start);
  }

  #backdrop() {
    return {
      id: "backdrop",
      beforeDatasetsDraw: (chart) => {
        const { ctx, chartArea, scales } = chart;
        const height = chartArea.bottom - chartArea.top;
        const across = ([start, end]) => {
          const left = Math.max(scales.x.getPixelForValue(start), chartArea.left);
          const right = Math.min(scales.x.getPixelForValue(end), chartArea.right);
          return [left, Math.max(right - left, 1)];
        };
        ctx.save();
        const pattern = hatching(ctx);
        for (const gap of this.view.gaps) {
          const [left, width] = across(gap);
          ctx.fillStyle = themeColor("gap");
          ctx.fillRect(left, chartArea.top, width, height);
          ctx.fillStyle = pattern;
          ctx.fillRect(left, chartArea.top, width, height);
          if (width >= LEAST_GAP_TEXT_PX) writeGap(ctx, left + width / 2, chartArea.top + height / 2);
        }
        const chosen = this.view.rows.find((row) => row.start === this.view.at);
        if (chosen) {
          const [left, width] = across([chosen.start, chosen.end]);
          ctx.fillStyle = themeColor("chosen");
          ctx.fillRect(left, chartArea.top, width, height);
          ctx.strokeStyle = themeColor("accent");
          ctx.lineWidth = 2;
          ctx.strokeRect(left, chartArea.top, width, height);
        }
        ctx.restore();
      },
    };
  }

  // What a screen reader says in place of the picture; the table has the numbers.
  #summary() {
    const { rows, series, interval, gaps } = this.view;
    const named = series.map((one) => `${one.name} ${number(one.detections)}`).join(", ") || "no detections";
    const without = gaps.length ? ` ${plural(gaps.length, "stretch").replace("stretchs", "stretches")} without footage.` : "";
    return (
      `Stacked bar chart of detections per ${duration(interval)}, ${span(rows[0].start, rows.at(-1).end)}: ` +
      `${named}.${without} The button Table shows the numbers.`
    );
  }
}

// No tick between two bars: they would say nothing.
function unitOf(interval) {
  if (interval >= 86_400) return "day";
  if (interval >= 3600) return "hour";
  return interval >= 60 ? "minute" : "second";
}

function hatching(ctx) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const pen = tile.getContext("2d");
  pen.strokeStyle = themeColor("gap-line");
  pen.lineWidth = 1;
  pen.beginPath();
  for (const offset of [-8, 0, 8]) {
    pen.moveTo(offset, 8);
    pen.lineTo(offset + 8, 0);
  }
  pen.stroke();
  return ctx.createPattern(tile, "repeat");
}

function writeGap(ctx, x, y) {
  const text = "no footage";
  ctx.font = "12px system-ui, sans-serif";
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  const width = ctx.measureText(text).width + 14;
  ctx.fillStyle = themeColor("surface");
  ctx.beginPath();
  ctx.roundRect(x - width / 2, y - 11, width, 22, 5);
  ctx.fill();
  ctx.fillStyle = themeColor("muted");
  ctx.fillText(text, x, y);
}
