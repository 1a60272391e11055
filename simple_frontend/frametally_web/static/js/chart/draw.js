// The drawing of the time chart: axes, bars of the width of their intervals, lines that break where nothing was filmed.

import { themeColor } from "../shared/palette.js";
import { valueIn } from "../shared/series.js";
import { drawBackdrop, drawCuts, MARK_PX } from "./backdrop.js";
import { FONT, LINE_PX } from "./layout.js";

/** Bars of at least this width stand apart. */
const APART_PX = 4;
const MANY_ROWS = 150;
const WIDEST_PX = 240;

/**
 * What one colour stands for, a value a row; the other side's (dashed) has rows of its own.
 * @typedef {{name: string, color: string, dashed: boolean, rows: {start: number, end: number}[],
 *   values: (number|null)[]}} Drawn
 */
/** @typedef {import("./layout.js").Layout} Layout */

/**
 * @param {Page.View} view
 * @returns {Drawn[]} null: not known
 */
export function drawnOf({ rows, series, metric, other }) {
  const own = series.map((one) => ({
    name: one.name,
    color: one.color,
    dashed: false,
    rows,
    values: rows.map((row) => valueIn(row, one.labels, metric)),
  }));
  if (!other) return own;
  const values = other.rows.map(({ value }) => value);
  return [...own, { name: other.name, color: themeColor("ink"), dashed: true, rows: other.rows, values }];
}

/**
 * @param {CanvasRenderingContext2D} pen  scaled to CSS pixels
 * @param {Page.View} view
 * @param {Layout} layout
 */
export function draw(pen, view, layout) {
  const { area } = layout;
  pen.clearRect(0, 0, layout.width, layout.height);
  drawAxes(pen, layout);
  pen.save();
  pen.beginPath();
  pen.rect(area.left, 0, area.right - area.left, area.bottom + MARK_PX);
  pen.clip();
  drawBackdrop(pen, view, layout);
  const drawn = drawnOf(view);
  const bars = view.kind === "bars" ? drawn.filter((one) => !one.dashed) : [];
  drawBars(pen, view, layout, bars);
  drawCuts(pen, view, layout);
  for (const one of drawn.filter((each) => !bars.includes(each))) drawLine(pen, layout, one);
  pen.restore();
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Layout} layout
 */
function drawAxes(pen, { area, xTicks, yTicks, xTitle, yTitle, width, height }) {
  pen.font = FONT;
  pen.fillStyle = themeColor("muted");
  pen.strokeStyle = themeColor("line");
  pen.lineWidth = 1;
  pen.beginPath();
  for (const { at } of yTicks) {
    const y = Math.round(at) + 0.5;
    pen.moveTo(area.left, y);
    pen.lineTo(area.right, y);
  }
  for (const { at } of xTicks) {
    const x = Math.round(at) + 0.5;
    pen.moveTo(x, area.bottom);
    pen.lineTo(x, area.bottom + 5);
  }
  pen.stroke();
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  for (const { at, text } of yTicks) pen.fillText(text, area.left - 8, at);
  pen.textBaseline = "top";
  for (const { at, lines } of xTicks) {
    const half = Math.max(...lines.map((line) => pen.measureText(line).width)) / 2;
    pen.textAlign = "center";
    const x = Math.min(Math.max(at, half), width - half);
    lines.forEach((line, position) => pen.fillText(line, x, area.bottom + 8 + position * LINE_PX));
  }
  pen.fillText(xTitle, (area.left + area.right) / 2, height - LINE_PX, area.right - area.left);
  pen.save();
  pen.translate(0, (area.top + area.bottom) / 2);
  pen.rotate(-Math.PI / 2);
  pen.fillText(yTitle, 0, 2, area.bottom - area.top);
  pen.restore();
}

/**
 * Bars on top of each other, or side by side where their sum would say nothing.
 * @param {CanvasRenderingContext2D} pen
 * @param {Page.View} view
 * @param {Layout} layout
 * @param {Drawn[]} series
 */
function drawBars(pen, { rows, metric }, { x, y }, series) {
  const isApart = rows.length <= MANY_ROWS;
  rows.forEach((row, position) => {
    const [left, right] = barOf(x(row.start), x(row.end), isApart);
    const width = metric.stacks ? right - left : (right - left) / series.length;
    let sum = 0;
    series.forEach(({ color, values }, order) => {
      const value = values[position];
      if (!value) return;
      const base = metric.stacks ? sum : 0;
      sum += value;
      pen.fillStyle = color;
      pen.fillRect(
        left + (metric.stacks ? 0 : order * width),
        y(base + value),
        Math.max(width, 0.5),
        y(base) - y(base + value),
      );
    });
  });
}

/**
 * @param {number} start
 * @param {number} end
 * @param {boolean} isApart
 * @returns {[left: number, right: number]}
 */
function barOf(start, end, isApart) {
  const width = Math.min(end - start, WIDEST_PX);
  const gap = isApart && width >= APART_PX ? width * 0.05 : 0;
  const middle = (start + end) / 2;
  return [middle - width / 2 + gap, middle + width / 2 - gap];
}

/**
 * Through the middles of the intervals; broken where there is no value, and where there was no footage between.
 * @param {CanvasRenderingContext2D} pen
 * @param {Layout} layout
 * @param {Drawn} series
 */
function drawLine(pen, { x, y }, { color, dashed, rows, values }) {
  pen.strokeStyle = pen.fillStyle = color;
  pen.lineWidth = 2;
  pen.lineJoin = "round";
  pen.setLineDash(dashed ? [5, 4] : []);
  for (const run of runsOf(rows, values)) {
    const points = run.map((position) => ({
      x: x((rows[position].start + rows[position].end) / 2),
      y: y(/** @type {number} */ (values[position])),
    }));
    pen.beginPath();
    points.forEach((at) => pen.lineTo(at.x, at.y));
    pen.stroke();
    if (points.length > 1 && rows.length > MANY_ROWS) continue;
    for (const at of points) {
      pen.beginPath();
      pen.arc(at.x, at.y, points.length > 1 ? 2 : 3, 0, 2 * Math.PI);
      pen.fill();
    }
  }
  pen.setLineDash([]);
}

/**
 * Stretches of rows that follow each other without a hole and have values: a line each.
 * @param {{start: number, end: number}[]} rows
 * @param {(number|null)[]} values
 */
export function runsOf(rows, values) {
  /** @type {number[][]} */
  const runs = [];
  rows.forEach((row, position) => {
    if (values[position] === null) return;
    const last = runs.at(-1);
    const before = last?.at(-1);
    if (last && before === position - 1 && rows[before].end === row.start) last.push(position);
    else runs.push([position]);
  });
  return runs;
}
