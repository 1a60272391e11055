// What stands behind the bars (no footage, not analysed, not measured, filmed in part, hours not asked for, the bar that was chosen,
// times that are files' dates, media that overlap), over them where the range cuts one, and above all where the other side
// of a comparison has no footage.

import { themeColor } from "../shared/palette.js";

const LEAST_TEXT_PX = 84;
const PART_PX = 6;
/** Below the axis, or from the top down. */
export const MARK_PX = 5;
const ABOVE_PX = 7;

/** @typedef {import("./layout.js").Layout} Layout */

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {Page.View} view
 * @param {Layout} layout
 */
export function drawBackdrop(ctx, view, layout) {
  const pen = new Pen(ctx, layout);
  for (const span of view.outside) pen.fill(span, "outside");
  for (const gap of view.gaps) pen.hatch(gap, "gap", "gap-line", "no footage");
  for (const span of view.notAnalysed)
    pen.hatch(span, "unanalysed", "unanalysed-line", "filmed, not analysed");
  for (const span of view.unmeasured) pen.hatch(span, "unmeasured", "unmeasured-line", "not measured");
  for (const span of view.measuredInPart) pen.hatch(span, "unmeasured", "unmeasured-line", "", PART_PX);
  for (const span of view.partial) pen.hatch(span, "gap", "gap-line", "", PART_PX);
  const chosen = view.rows.find((row) => row.start === view.at);
  if (chosen) pen.frame([chosen.start, chosen.end]);
  for (const span of view.fileTimes) pen.mark(span, "bottom");
  for (const span of view.overlaps) pen.mark(span, "top");
  for (const gap of view.other?.gaps ?? []) pen.above(gap);
}

/**
 * Over the bars: where the range cuts one, what lies beyond is veiled.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Page.View} view
 * @param {Layout} layout
 */
export function drawCuts(ctx, { cut, range: [from, to] }, layout) {
  const pen = new Pen(ctx, layout);
  for (const [start, end] of cut) {
    if (start < from) pen.veil([start, from]);
    if (end > to) pen.veil([to, end]);
  }
}

class Pen {
  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {Layout} layout
   */
  constructor(ctx, { area, x }) {
    this.ctx = ctx;
    this.area = area;
    this.x = x;
    this.height = area.bottom - area.top;
  }

  /**
   * @param {Page.Span} span
   * @returns {[left: number, width: number]}
   */
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
    ctx.save();
    ctx.fillStyle = themeColor(ground);
    ctx.fillRect(left, top, width, height);
    ctx.fillStyle = hatching(ctx, themeColor(line));
    ctx.fillRect(left, top, width, height);
    if (text && width >= LEAST_TEXT_PX) this.#write(text, left + width / 2, top + height / 2);
    ctx.restore();
  }

  /**
   * A strip above the bars, in the colour of the other side's line.
   * @param {Page.Span} span
   */
  above(span) {
    if (this.x(span[1]) <= this.area.left || this.x(span[0]) >= this.area.right) return;
    this.hatch(span, "surface", "ink", "", ABOVE_PX - 1, this.area.top - ABOVE_PX);
  }

  /**
   * @param {Page.Span} span
   * @param {string} color
   */
  fill(span, color) {
    const [left, width] = this.#across(span);
    this.ctx.fillStyle = themeColor(color);
    this.ctx.fillRect(left, this.area.top, width, this.height);
  }

  /** @param {Page.Span} span */
  veil(span) {
    const { ctx } = this;
    ctx.save();
    ctx.globalAlpha = 0.6;
    this.fill(span, "surface");
    ctx.restore();
    const [left, width] = this.#across(span);
    ctx.save();
    ctx.fillStyle = hatching(ctx, themeColor("muted"));
    ctx.globalAlpha = 0.35;
    ctx.fillRect(left, this.area.top, width, this.height);
    ctx.restore();
  }

  /** @param {Page.Span} span */
  frame(span) {
    const [left, width] = this.#across(span);
    const { ctx, area, height } = this;
    ctx.save();
    ctx.fillStyle = themeColor("chosen");
    ctx.fillRect(left, area.top, width, height);
    ctx.strokeStyle = themeColor("accent");
    ctx.lineWidth = 2;
    ctx.strokeRect(left, area.top, width, height);
    ctx.restore();
  }

  /**
   * A band along the axis, or along the top.
   * @param {Page.Span} span
   * @param {"bottom" | "top"} edge
   */
  mark(span, edge) {
    if (this.x(span[1]) < this.area.left) return;
    if (this.x(span[0]) > this.area.right) return;
    const [left, width] = this.#across(span);
    this.ctx.save();
    this.ctx.fillStyle = themeColor("warning-line");
    this.ctx.fillRect(left, this.area[edge], width, MARK_PX);
    this.ctx.restore();
  }

  /**
   * @param {string} text
   * @param {number} x
   * @param {number} y
   */
  #write(text, x, y) {
    const { ctx } = this;
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
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {string} color
 */
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
