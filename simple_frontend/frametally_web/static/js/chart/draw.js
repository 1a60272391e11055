// Draws the time chart: axes, bars as wide as their intervals, lines that break without footage, and marks behind the
// bars (no footage, not analysed, not measured, the chosen bar, files' dates, overlaps).

import { intervalIn } from "../shared/checked.js";
import { themeColor } from "../shared/palette.js";
import { valueIn } from "../shared/series.js";
import { FONT, LINE_PX } from "./layout.js";
import { drawWhisker } from "./whiskers.js";
import { t } from "../shared/texts.js";

const LEAST_TEXT_PX = 84;
const PART_PX = 6;
/** Height of a mark below the axis or at the top. */
const MARK_PX = 5;
const ABOVE_PX = 7;

/** @typedef {import("./layout.js").Layout} Layout */

/** @param {Pen} pen @param {Page.View} view */
function drawBackdrop(pen, view) {
  for (const span of view.outside) pen.fill(span, themeColor("outside"));
  for (const gap of view.gaps) pen.hatch(gap, "gap", "gap-line", t("web.no_footage"));
  for (const span of view.notAnalysed)
    pen.hatch(span, "unanalysed", "unanalysed-line", t("web.filmed_not_analysed"));
  for (const { span, kind } of view.nothing) pen.hatch(span, "nothing", "nothing-line", kind);
  for (const span of view.unmeasured) pen.hatch(span, "unmeasured", "unmeasured-line", t("web.not_measured"));
  for (const span of view.measuredInPart) pen.hatch(span, "unmeasured", "unmeasured-line", "", PART_PX);
  for (const span of view.partial) pen.hatch(span, "gap", "gap-line", "", PART_PX);
  const chosen = view.rows.find((row) => row.start === view.at);
  if (chosen) pen.frame([chosen.start, chosen.end]);
  for (const span of view.fileTimes) pen.mark(span, "bottom");
  for (const span of view.overlaps) pen.mark(span, "top");
  for (const gap of view.other?.gaps ?? []) pen.above(gap);
}

/** Fades the part outside the range, over the bars at its ends. @param {Pen} pen @param {Page.View} view */
function drawCuts(pen, { cut, range: [from, to] }) {
  for (const [start, end] of cut) {
    if (start < from) pen.veil([start, from]);
    if (end > to) pen.veil([to, end]);
  }
}

class Pen {
  /** @param {CanvasRenderingContext2D} ctx @param {Layout} layout */
  constructor(ctx, { area, x }) {
    this.ctx = ctx;
    this.area = area;
    this.x = x;
    this.height = area.bottom - area.top;
  }

  /** @param {Page.Span} span @returns {[left: number, width: number]} */
  #across([start, end]) {
    const left = Math.max(this.x(start), this.area.left);
    const right = Math.min(this.x(end), this.area.right);
    return [left, Math.max(right - left, 1)];
  }

  /**
   * @param {Page.Span} span
   * @param {string} ground
   * @param {string} line
   * @param {string} text
   * @param {number} [height]  from the top
   * @param {number} [top]
   */
  hatch(span, ground, line, text, height = this.height, top = this.area.top) {
    const [left, width] = this.#across(span);
    const { ctx } = this;
    for (const style of [themeColor(ground), hatching(ctx, themeColor(line))]) {
      ctx.fillStyle = style;
      ctx.fillRect(left, top, width, height);
    }
    if (text && width >= LEAST_TEXT_PX) this.#write(text, left + width / 2, top + height / 2, width);
  }

  /** A strip above the bars, in the colour of the compared line. @param {Page.Span} span */
  above(span) {
    if (this.x(span[1]) <= this.area.left || this.x(span[0]) >= this.area.right) return;
    this.hatch(span, "surface", "ink", "", ABOVE_PX - 1, this.area.top - ABOVE_PX);
  }

  /** Two strokes where the axis is broken. @param {Page.Span} span */
  tear(span) {
    const [left, width] = this.#across(span);
    const { ctx, area } = this;
    ctx.strokeStyle = themeColor("ink");
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    for (const by of [-3, 3]) {
      ctx.moveTo(left + width / 2 + by - 3, area.bottom + 7);
      ctx.lineTo(left + width / 2 + by + 3, area.bottom - 7);
    }
    ctx.stroke();
  }

  /** @param {Page.Span} span @param {string|CanvasPattern} style */
  fill(span, style) {
    const [left, width] = this.#across(span);
    this.ctx.fillStyle = style;
    this.ctx.fillRect(left, this.area.top, width, this.height);
  }

  /** @param {Page.Span} span */
  veil(span) {
    const { ctx } = this;
    ctx.globalAlpha = 0.6;
    this.fill(span, themeColor("surface"));
    ctx.globalAlpha = 0.35;
    this.fill(span, hatching(ctx, themeColor("muted")));
    ctx.globalAlpha = 1;
  }

  /** @param {Page.Span} span */
  frame(span) {
    const [left, width] = this.#across(span);
    const { ctx, area, height } = this;
    this.fill(span, themeColor("chosen"));
    ctx.strokeStyle = themeColor("accent");
    ctx.lineWidth = 2;
    ctx.strokeRect(left, area.top, width, height);
  }

  /** A band along the axis or the top. @param {Page.Span} span @param {"bottom" | "top"} edge */
  mark(span, edge) {
    if (this.x(span[1]) < this.area.left || this.x(span[0]) > this.area.right) return;
    const [left, width] = this.#across(span);
    this.ctx.fillStyle = themeColor("warning-line");
    this.ctx.fillRect(left, this.area[edge], width, MARK_PX);
  }

  /**
   * Writes text in the middle, if there is room.
   * @param {string} text
   * @param {number} x
   * @param {number} y
   * @param {number} room  pixels
   */
  #write(text, x, y, room) {
    const { ctx } = this;
    ctx.font = "12px system-ui, sans-serif";
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    const width = ctx.measureText(text).width + 14;
    if (width > room) return;
    ctx.fillStyle = themeColor("surface");
    ctx.beginPath();
    ctx.roundRect(x - width / 2, y - 11, width, 22, 5);
    ctx.fill();
    ctx.fillStyle = themeColor("muted");
    ctx.fillText(text, x, y);
  }
}

/** @param {CanvasRenderingContext2D} ctx @param {string} color */
function hatching(ctx, color) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const pen = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
  pen.strokeStyle = color;
  pen.lineWidth = 1;
  pen.beginPath();
  for (const offset of [-8, 0, 8]) {
    pen.moveTo(offset, 8);
    pen.lineTo(offset + 8, 0);
  }
  pen.stroke();
  return /** @type {CanvasPattern} */ (ctx.createPattern(tile, "repeat"));
}

/** From this width, bars are drawn with a gap. */
const APART_PX = 4;
const MANY_ROWS = 150;
const WIDEST_PX = 240;

/**
 * One colour of the chart, with a value per row; the compared side (dashed) has its own rows.
 * @typedef {{name: string, color: string, dashed: boolean, rows: {start: number, end: number}[], values:
 *   (number|null)[], intervals: (Page.Interval|null)[]}} Drawn
 */

/** @param {Page.View} view @returns {Drawn[]}  values are `null` if unknown */
export function drawnOf({ rows, series, metric, other }) {
  const own = series.map((one) => ({
    name: one.name,
    color: one.color,
    dashed: false,
    rows,
    values: rows.map((row) => valueIn(row, one.label, metric)),
    intervals: rows.map((row) => intervalIn(row, one.label, metric)),
  }));
  if (!other) return own;
  const values = other.rows.map(({ known }) => known.value);
  const beside = { name: other.name, color: themeColor("ink"), dashed: true, rows: other.rows, values };
  return [...own, { ...beside, intervals: [] }];
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
  const marks = new Pen(pen, layout);
  drawBackdrop(marks, view);
  const drawn = drawnOf(view);
  const bars = view.kind === "bars" ? drawn.filter((one) => !one.dashed) : [];
  drawBars(pen, view, layout, bars);
  drawCuts(marks, view);
  for (const one of drawn.filter((each) => !bars.includes(each))) drawLine(pen, layout, one);
  pen.restore();
  for (const gap of layout.breaks) marks.tear(gap);
}

/** @param {CanvasRenderingContext2D} pen @param {Layout} layout */
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
 * Draws stacked bars, or bars next to each other if their sum has no meaning.
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
    // The interval of stacked bars is above all bars of the row; otherwise each bar has its own.
    sum = 0;
    series.forEach(({ values, intervals }, order) => {
      const interval = intervals[position];
      const base = metric.stacks ? sum : 0;
      sum += values[position] ?? 0;
      if (!interval) return;
      const place = metric.stacks ? (order + 1) / (series.length + 1) : (order + 0.5) / series.length;
      const room = (right - left) / (series.length + 1);
      drawWhisker(pen, left + (right - left) * place, y(base + interval.high), y(base + interval.low), room);
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
 * Draws a line through the middles of the intervals; it breaks at missing values and gaps in the footage.
 * @param {CanvasRenderingContext2D} pen
 * @param {Layout} layout
 * @param {Drawn} series
 */
function drawLine(pen, { x, y }, { color, dashed, rows, values, intervals }) {
  rows.forEach(({ start, end }, position) => {
    const interval = intervals[position];
    if (interval)
      drawWhisker(pen, x((start + end) / 2), y(interval.high), y(interval.low), (x(end) - x(start)) / 2);
  });
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
 * Consecutive rows that have values, without a gap: a line for each stretch.
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
