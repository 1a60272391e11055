// Gestures on the chart: click a bar, drag to zoom, and move through bars with the keyboard.

import { byId, el } from "../shared/dom.js";
import { span } from "../shared/format.js";
import { describe, describeHole, holesOf } from "./tooltip.js";
import { t } from "../shared/texts.js";

const WIDER = 1; // the range grows by its own length on each side

/** @typedef {Pick<Page.State, "from"|"to"|"interval">} Range */

export class Zooms {
  /** @param {(range: Range) => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    /** Previous zooms, each with the range before it. @type {{into: Range, before: Range}[]} */
    this.steps = [];
    /** @type {Range} */
    this.here = { from: null, to: null, interval: null };
    /** @type {Page.Span} */
    this.shown = [0, 0];
    /** @type {Page.Span} */
    this.all = [0, 0];
  }

  /**
   * @param {Page.State} state
   * @param {Api.Counts} counts
   * @param {Api.SourceRange[]} sources  the chosen sources
   */
  show({ from, to, interval }, counts, sources) {
    this.here = { from, to, interval };
    this.all = [
      Math.min(...sources.map((one) => one.first_interval_ms)),
      Math.max(...sources.map((one) => one.next_interval_ms)),
    ];
    this.shown = [counts.from_ms ?? this.all[0], counts.to_ms ?? this.all[1]];
  }

  /** @param {number} from  ms @param {number} to */
  into(from, to) {
    const into = { from, to, interval: null };
    this.steps.push({ into, before: this.here });
    this.onChange(into);
  }

  /** Returns to the range before the last zoom; without a zoom, widens the range on each side. */
  out() {
    const { from, to } = this.here;
    if (from === null && to === null) return;
    const last = this.steps.pop();
    if (last && last.into.from === from && last.into.to === to) return this.onChange(last.before);
    this.steps = [];
    this.onChange(widened(this.shown, this.all));
  }
}

/** @param {Page.Span} shown @param {Page.Span} all @returns {Range} */
function widened([from, to], [first, last]) {
  const more = WIDER * (to - from);
  const isAll = from - more <= first && to + more >= last;
  if (isAll) return { from: null, to: null, interval: null };
  return { from: Math.max(from - more, first), to: Math.min(to + more, last), interval: null };
}

const DRAG_PX = 6;
/** How far a finger may be from its target. */
const FINGER_PX = 24;

export class ChartGestures {
  /** @param {import("./plot.js").TimeChart} chart @param {import("./plot.js").ChartEvents} on */
  constructor(chart, on) {
    this.chart = chart;
    this.on = on;
    /** @type {number|null} */
    this.pressedAt = null;
    this.dragged = false;
    /** Start of the bar with the keyboard focus. @type {number|null} */
    this.cursor = null;
    /** The range selected with Shift and the arrow keys, from its anchor to its moving end. @type {Page.Span|null} */
    this.marked = null;
    this.selection = el("div.zoom-selection", { hidden: true });
    const { canvas } = chart;
    canvas.after(this.selection);
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#release(event));
    canvas.addEventListener("pointercancel", () => this.#forget());
    canvas.addEventListener("pointerleave", () => this.#leave());
    canvas.addEventListener("click", (event) => this.#click(event));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => {
      this.cursor = null;
      this.#unmark();
      this.on.look?.(null);
      chart.tooltip.hide();
    });
  }

  /** Updates the focus after a redraw, because its bar may be gone. */
  refresh() {
    if (this.cursor !== null) this.#point(this.cursor);
    else this.chart.tooltip.hide();
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (event.button !== 0 || this.chart.momentAt(event.offsetX) === null) return;
    this.pressedAt = event.offsetX;
    this.dragged = false;
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const { canvas } = this.chart;
    this.#tell(event.offsetX);
    if (this.pressedAt === null) return;
    if (!this.dragged && Math.abs(event.offsetX - this.pressedAt) < DRAG_PX) return;
    if (!this.dragged) canvas.setPointerCapture(event.pointerId);
    this.dragged = true;
    this.#draw(this.pressedAt, event.offsetX);
  }

  /**
   * @param {number} from  x of one end
   * @param {number} to  x of the other end, which may be outside the chart
   */
  #draw(from, to) {
    const { canvas } = this.chart;
    const { left, right, top, bottom } = this.#area();
    const x = Math.min(Math.max(to, left), right);
    const { style } = this.selection;
    style.left = `${canvas.offsetLeft + Math.min(from, x)}px`;
    style.width = `${Math.abs(from - x)}px`;
    style.top = `${canvas.offsetTop + top}px`;
    style.height = `${bottom - top}px`;
    this.selection.hidden = false;
  }

  /** Shows the tooltip at the pointer. @param {number} x */
  #tell(x) {
    const { canvas, tooltip } = this.chart;
    const row = this.chart.rowAt(x);
    const hole = row ? null : this.chart.holeAt(x);
    canvas.classList.toggle("clickable", row !== null || hole !== null);
    this.on.look?.(row);
    if (row) tooltip.showRow(row, x);
    else if (hole) tooltip.showHole(hole, x);
    else tooltip.hide();
  }

  #leave() {
    this.on.look?.(null);
    this.refresh();
  }

  /** @param {PointerEvent} event */
  #release(event) {
    const { pressedAt, dragged } = this;
    this.#forget();
    this.dragged = dragged; // for the click event that follows
    if (pressedAt === null || !dragged) return;
    const { left, right } = this.#area();
    const x = Math.min(Math.max(event.offsetX, left), right);
    const [from, to] = this.#bars(Math.min(pressedAt, x), Math.max(pressedAt, x));
    if (to > from) this.on.zoom(from, to);
  }

  #forget() {
    this.pressedAt = null;
    this.dragged = false;
    this.selection.hidden = true;
  }

  #area() {
    return /** @type {import("./layout.js").Layout} */ (this.chart.layout).area;
  }

  /**
   * Whole bars between two positions; without footage there, whole seconds.
   * @param {number} left
   * @param {number} right
   */
  #bars(left, right) {
    const from = this.chart.rowAt(left)?.start ?? Math.floor((this.chart.momentAt(left) ?? 0) / 1000) * 1000;
    const to = this.chart.rowAt(right)?.end ?? Math.ceil((this.chart.momentAt(right) ?? 0) / 1000) * 1000;
    return [from, to];
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const { dragged } = this;
    this.dragged = false;
    if (dragged || event.detail > 1) return; // the first click of a double-click already opened it
    const isFinger = event instanceof PointerEvent && event.pointerType === "touch";
    const row = this.chart.rowAt(event.offsetX, isFinger ? FINGER_PX : 0);
    const hole = this.chart.holeAt(event.offsetX);
    this.#open(row, hole);
  }

  /** @param {Page.Row|null|undefined} row @param {import("./tooltip.js").Hole|null|undefined} hole */
  #open(row, hole) {
    if (row) this.on.bar?.(row.start);
    else if (hole) this.on.hole?.(hole);
  }

  /** The keyboard stops in order of time: bars, and stretches without any. */
  #stops() {
    const { view } = this.chart;
    if (!view) return [];
    const bars = view.rows.map((row) => ({ start: row.start, end: row.end, row, hole: null }));
    const holes = holesOf(view).map((hole) => ({ start: hole.span[0], end: hole.span[1], row: null, hole }));
    return [...bars, ...holes].sort((a, b) => a.start - b.start);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const stops = this.#stops();
    const here = stops.findIndex((stop) => stop.start === this.cursor);
    const isOn = event.key === "Enter" || event.key === " ";
    /** @type {Record<string, number>} */
    const targets = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: stops.length - 1 };
    if (event.shiftKey && here >= 0 && /^Arrow/.test(event.key)) {
      this.#mark(stops[here], targets[event.key] - here);
    } else if (event.key in targets) {
      this.#unmark();
      this.#point(stops[Math.min(Math.max(targets[event.key], 0), stops.length - 1)]?.start ?? null);
    } else if (isOn && this.marked) {
      const { marked } = this;
      this.#unmark();
      this.on.zoom(Math.min(...marked), Math.max(...marked));
    } else if (isOn && here >= 0) {
      this.#open(stops[here].row, stops[here].hole);
    } else if (event.key === "Escape") {
      if (this.marked) this.#unmark();
      else this.on.unzoom();
    } else {
      return;
    }
    event.preventDefault();
  }

  /**
   * Extends the selection by one bar, at most to the next edge, so that you can also select a part of a gap.
   * @param {{start: number, end: number}} stop  the current stop
   * @param {number} by  1 or -1
   */
  #mark(stop, by) {
    const { layout, view, tooltip } = this.chart;
    if (!layout || !view || !by) return;
    const [anchor, head] = this.marked ?? (by > 0 ? [stop.start, stop.start] : [stop.end, stop.end]);
    const edges = [...view.rows.flatMap(({ start, end }) => [start, end]), view.from, view.to];
    const ahead = edges.map((edge) => by * (edge - head)).filter((distance) => distance > 0);
    this.marked = [anchor, head + by * Math.min(...ahead, ahead.length ? view.interval * 1000 : 0)];
    const [from, to] = [...this.marked].sort((a, b) => a - b);
    tooltip.hide();
    this.#draw(layout.x(from), layout.x(to));
    byId("spoken").textContent = t("web.enter_zooms_in", { range: span(from, to) });
  }

  #unmark() {
    this.marked = null;
    this.selection.hidden = true;
  }

  /** Shows the tooltip of a bar or gap, and reads it to screen readers. @param {number|null} start */
  #point(start) {
    const { layout, view, tooltip } = this.chart;
    if (!layout || !view) return;
    const stop = this.#stops().find((one) => one.start === start);
    this.cursor = stop?.start ?? null;
    this.on.look?.(stop?.row ?? null);
    const x = stop ? layout.x((stop.start + stop.end) / 2) : 0;
    if (stop?.row) tooltip.showRow(stop.row, x);
    else if (stop?.hole) tooltip.showHole(stop.hole, x);
    else tooltip.hide();
    byId("spoken").textContent = stop ? this.#spokenAt(stop.row, stop.hole, view) : "";
  }

  /** @param {Page.Row|null} row @param {import("./tooltip.js").Hole|null} hole @param {Page.View} view */
  #spokenAt(row, hole, view) {
    const said = row ? describe(view, row) : hole ? describeHole(hole) : "";
    if (row && this.on.bar) return t("web.enter_shows_the_frames", { view: said });
    return hole && this.on.hole ? t("web.enter_says_why", { hole: said }) : said;
  }
}
