// The chart under hand: click a bar, drag to zoom, double click to go back, and all bars by the keyboard.

import { byId, el } from "../shared/dom.js";
import { describe } from "./words.js";

const DRAG_PX = 6;

export class ChartGestures {
  /**
   * @param {import("./plot.js").TimeChart} chart
   * @param {Object} on
   * @param {(start: number) => void} on.bar
   * @param {(from: number, to: number) => void} on.zoom
   * @param {() => void} on.unzoom
   */
  constructor(chart, on) {
    this.chart = chart;
    this.on = on;
    /** @type {number|null} */
    this.pressedAt = null;
    this.dragged = false;
    /** Start of the bar that the keyboard is on. @type {number|null} */
    this.cursor = null;
    this.selection = el("div", { class: "zoom-selection", hidden: true });
    const { canvas } = chart;
    canvas.after(this.selection);
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#release(event));
    canvas.addEventListener("pointercancel", () => this.#forget());
    canvas.addEventListener("click", (event) => this.#click(event));
    canvas.addEventListener("dblclick", () => on.unzoom());
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => this.#point(null));
  }

  /** The chart was drawn anew: the keyboard's bar may have gone. */
  refresh() {
    if (this.cursor !== null) this.#point(this.cursor);
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
    canvas.classList.toggle("clickable", this.chart.rowAt(event.offsetX) !== null);
    canvas.title = this.chart.absenceAt(event.offsetX);
    if (this.pressedAt === null) return;
    if (!this.dragged && Math.abs(event.offsetX - this.pressedAt) < DRAG_PX) return;
    if (!this.dragged) canvas.setPointerCapture(event.pointerId);
    this.dragged = true;
    const { left, right, top, bottom } = this.#area();
    const x = Math.min(Math.max(event.offsetX, left), right);
    const { style } = this.selection;
    style.left = `${canvas.offsetLeft + Math.min(this.pressedAt, x)}px`;
    style.width = `${Math.abs(this.pressedAt - x)}px`;
    style.top = `${canvas.offsetTop + top}px`;
    style.height = `${bottom - top}px`;
    this.selection.hidden = false;
  }

  /** @param {PointerEvent} event */
  #release(event) {
    const { pressedAt, dragged } = this;
    this.#forget();
    this.dragged = dragged; // for the click that follows
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
    return /** @type {any} */ (this.chart.chart).chartArea;
  }

  /**
   * Whole bars between two places; where nothing was filmed, whole seconds.
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
    if (this.dragged) {
      this.dragged = false;
      return;
    }
    const row = this.chart.rowAt(event.offsetX);
    if (row) this.on.bar(row.start);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const rows = this.chart.view?.rows ?? [];
    const here = rows.findIndex((row) => row.start === this.cursor);
    /** @type {Record<string, number>} */
    const targets = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: rows.length - 1 };
    if (event.key in targets) {
      const row = rows[Math.min(Math.max(targets[event.key], 0), rows.length - 1)];
      this.#point(row?.start ?? null);
    } else if ((event.key === "Enter" || event.key === " ") && here >= 0) {
      this.on.bar(rows[here].start);
    } else if (event.key === "Escape") {
      this.on.unzoom();
    } else {
      return;
    }
    event.preventDefault();
  }

  /**
   * Shows a bar's tooltip, and says it.
   * @param {number|null} start
   */
  #point(start) {
    const { chart, view } = this.chart;
    if (!chart || !view) return;
    const row = view.rows.find((one) => one.start === start) ?? null;
    this.cursor = row?.start ?? null;
    const index = row
      ? chart.data.datasets[0]?.data.findIndex((/** @type {any} */ point) => point.row === row)
      : -1;
    const active =
      row && index >= 0 ? chart.data.datasets.map((_, datasetIndex) => ({ datasetIndex, index })) : [];
    chart.setActiveElements(active);
    const x = row ? chart.scales.x.getPixelForValue((row.start + row.end) / 2) : 0;
    chart.tooltip?.setActiveElements(active, { x, y: chart.chartArea.top + 20 });
    chart.update("none");
    byId("spoken").textContent = row ? `${describe(view, row)}. Enter shows the frames.` : "";
  }
}
