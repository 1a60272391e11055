// Where everything stands in the time chart: its area, its two scales, and their ticks. In CSS pixels.

import { day, duration, isOneDay, LOCALE, zoneName } from "../shared/format.js";
import { totalIn, valueIn } from "../shared/series.js";
import { ticksFor, tickText } from "./ticks.js";
import { axisWords } from "./words.js";

export const FONT = "12px system-ui, sans-serif";
export const LINE_PX = 15;
const TICK_GAP_PX = 8;
const LEAST_TICK_PX = 44;
/** Lines below the area: two of ticks, one of the axis's title. */
const BELOW_PX = 3 * LINE_PX + 16;
const ABOVE_PX = 8;
const LEAST_COUNT = 4;

/**
 * @typedef {Object} Layout
 * @property {number} width
 * @property {number} height
 * @property {{left: number, right: number, top: number, bottom: number}} area
 * @property {(ms: number) => number} x
 * @property {(px: number) => number} ms
 * @property {(value: number) => number} y
 * @property {{at: number, lines: string[]}[]} xTicks  in px
 * @property {{at: number, text: string}[]} yTicks
 * @property {string} xTitle
 * @property {string} yTitle
 */

/**
 * @param {Page.View} view
 * @param {number} width
 * @param {number} height
 * @param {(text: string) => number} widthOf  a text's width in the chart's font
 * @returns {Layout}
 */
export function layoutOf(view, width, height, widthOf) {
  const { from, to, metric, interval } = view;
  const values = valueTicks(mostIn(view), (height - ABOVE_PX - BELOW_PX) / LEAST_TICK_PX, metric);
  const texts = values.map((value) => value.toLocaleString(LOCALE, { maximumSignificantDigits: 6 }));
  const left = LINE_PX + Math.ceil(Math.max(...texts.map(widthOf))) + 2 * TICK_GAP_PX;
  const area = { left, right: width - 6, top: ABOVE_PX, bottom: height - BELOW_PX };
  const x = (/** @type {number} */ ms) => left + ((ms - from) / (to - from)) * (area.right - left);
  const top = values[values.length - 1];
  const y = (/** @type {number} */ value) => area.bottom - (value / top) * (area.bottom - area.top);
  const oneDay = isOneDay(from, to);
  const ticks = ticksFor(from, to, area.right - left, interval);
  return {
    width,
    height,
    area,
    x,
    ms: (px) => from + ((px - left) / (area.right - left)) * (to - from),
    y,
    xTicks: ticks.values.map((ms, position) => ({
      at: x(ms),
      lines: [tickText(ticks, position, oneDay)].flat(),
    })),
    yTicks: values.map((value, position) => ({ at: y(value), text: texts[position] })),
    xTitle: [oneDay ? `${day(from)}, ${zoneName(from)}` : zoneName(from), cutWords(view)]
      .filter(Boolean)
      .join(" · "),
    yTitle: axisWords(metric, interval),
  };
}

/**
 * The highest value that is drawn.
 * @param {Page.View} view
 */
function mostIn({ rows, series, metric, kind, other }) {
  const isStack = kind === "bars" && metric.stacks;
  const inRow = (/** @type {Page.Row} */ row) =>
    isStack
      ? (totalIn(row, metric) ??
        series.reduce((sum, one) => sum + (valueIn(row, one.labels, metric) ?? 0), 0))
      : Math.max(0, ...series.map((one) => valueIn(row, one.labels, metric) ?? 0));
  const beside = other?.rows.map(({ value }) => value ?? 0) ?? [];
  return [...rows.map(inRow), ...beside].reduce((most, value) => Math.max(most, value), 0);
}

/**
 * Round values from 0 to the first that none exceeds.
 * @param {number} most
 * @param {number} room  how many there is room for
 * @param {Page.Metric} metric
 */
function valueTicks(most, room, metric) {
  const isWhole = metric.id !== "mean_per_frame";
  const up = isWhole ? Math.max(most, LEAST_COUNT) : most || 1;
  const least = up / Math.max(Math.floor(room), 2);
  const size = 10 ** Math.floor(Math.log10(least));
  const found = [1, 2, 5, 10].map((one) => one * size).find((one) => one >= least * (1 - 1e-9)) ?? 10 * size;
  const step = isWhole ? Math.max(found, 1) : found;
  return [...Array(Math.ceil(up / step - 1e-9) + 1).keys()].map((position) => position * step);
}

/**
 * What the axis says of bars that the range cuts: they hold less than their neighbours.
 * @param {Page.View} view
 */
export function cutWords({ cut, rows, interval }) {
  if (!cut.length) return "";
  const first = cut.some(([start]) => start === rows[0].start);
  const last = cut.some(([start]) => start === rows[rows.length - 1].start);
  const which = first && last && rows.length > 1 ? "first and last bar" : first ? "first bar" : "last bar";
  return `${which}: a part of ${duration(interval)} only`;
}
