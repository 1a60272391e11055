// What is told of the place in the chart under the pointer, or under the keyboard: a bar, or why there is none.

import { el, swatch } from "../shared/dom.js";
import { plural, span } from "../shared/format.js";
import { totalIn } from "../shared/series.js";
import { besideHole, besideIn, partsOf, whyNotIn } from "./words.js";

const EDGE_PX = 8;

export class Tooltip {
  /** @param {import("./plot.js").TimeChart} chart */
  constructor(chart) {
    this.chart = chart;
    // Those who hear the page are told by #spoken.
    this.box = el("div", { class: "chart-tip", "aria-hidden": "true", hidden: true });
    chart.canvas.after(this.box);
  }

  hide() {
    this.box.hidden = true;
  }

  /**
   * @param {Page.Row} row
   * @param {number} x  CSS pixels from the canvas's left edge
   */
  showRow(row, x) {
    const { view } = this.chart;
    if (view) this.#place(x, span(row.start, row.end), this.#lines(view, row), footer(view, row));
  }

  /**
   * @param {import("./words.js").Hole} hole
   * @param {number} x
   */
  showHole({ span: [from, to], kind, at }, x) {
    const { view } = this.chart;
    const sources = view?.sources ?? [];
    const whose =
      sources.length > 3
        ? ` from any of ${plural(sources.length, "source")}`
        : sources.length
          ? ` from ${sources.join(", ")}`
          : "";
    const words =
      kind === "no footage"
        ? `No footage${whose}.`
        : "Filmed, not analysed: not in the counts yet, or never readable.";
    const beside = view ? besideHole(view, at) : "";
    const lines = [words, beside].filter(Boolean).map((text) => el("p", { text }));
    this.#place(x, span(from, to), lines, "Click for the reason.");
  }

  /**
   * @param {Page.View} view
   * @param {Page.Row} row
   */
  #lines(view, row) {
    const position = view.rows.indexOf(row);
    return this.chart
      .drawn()
      .map(({ name, color, dashed, values }, order) => {
        const value = dashed ? null : values[position];
        if (value === 0) return null;
        const absent = dashed ? besideIn(view, row) : whyNotIn(row, view.series[order].labels);
        const words = value === null ? absent : view.metric.format(value);
        return el("p", { class: "tip-line" }, swatch(color), el("span", { text: `${name}: ${words}` }));
      })
      .filter((line) => line !== null)
      .reverse();
  }

  /**
   * @param {number} x
   * @param {string} title
   * @param {HTMLElement[]} lines
   * @param {string} foot
   */
  #place(x, title, lines, foot) {
    const { box, chart } = this;
    box.replaceChildren(
      el("p", { class: "strong", text: title }),
      ...lines,
      el("p", { class: "tip-foot", text: foot }),
    );
    box.hidden = false;
    const room = chart.canvas.clientWidth;
    const left = x + 14 + box.offsetWidth > room ? x - 14 - box.offsetWidth : x + 14;
    box.style.left = `${chart.canvas.offsetLeft + Math.min(Math.max(left, 0), Math.max(room - box.offsetWidth, 0))}px`;
    box.style.top = `${chart.canvas.offsetTop + EDGE_PX}px`;
  }
}

/**
 * @param {Page.View} view
 * @param {Page.Row} row
 */
function footer(view, row) {
  const { metric, series } = view;
  const total = series.length > 1 ? `${metric.format(totalIn(row, metric))} together. ` : "";
  const parts = partsOf(view, row).map((part) => `, ${part}`);
  return `${total}${plural(row.frames, "frame")} analysed${parts.join("")}. Click to see them.`;
}
