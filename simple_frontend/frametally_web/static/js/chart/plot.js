// The time chart in the page: its canvas, the legend above it, and its events.

import { afterFrame, el, swatch } from "../shared/dom.js";
import { onMoment } from "../shared/moment.js";
import { draw, drawnOf } from "./draw.js";
import { ChartGestures } from "./gestures.js";
import { FONT, layoutOf } from "./layout.js";
import { holesOf, summary, Tooltip, totalWords } from "./tooltip.js";
import { hasIntervals } from "../shared/checked.js";
import { t } from "../shared/texts.js";

/**
 * @param {HTMLElement} area
 * @param {Page.View} view
 * @param {string[]} chosen  the labels in the filter
 * @param {(labels: string[]) => void} onLabels  [] for all
 */
export function showLegend(area, view, chosen, onLabels) {
  const { metric, other } = view;
  const keys = view.series.map((one) => {
    const content = [
      swatch(one.color),
      el("span.name", one.name),
      el("span.count.muted", totalWords(metric, one)),
    ];
    if (one.title) return el("span.key", { title: one.title }, ...content);
    const alone = chosen.length === 1 && chosen[0] === one.name;
    return el(
      "button.key",
      {
        "aria-pressed": String(alone),
        title: alone ? t("web.show_all_labels_again") : t("web.show_only", { name: one.name }),
        onclick: () => onLabels(alone ? [] : [one.name]),
      },
      ...content,
    );
  });
  /** @param {unknown} isShown @param {string} kind @param {string} name @param {string} title */
  const mark = (isShown, kind, name, title) =>
    isShown
      ? el("span.key", { title }, el(`span.swatch.${kind}`, { "aria-hidden": "true" }), el("span.name", name))
      : "";
  const inRange = (/** @type {Page.Span[]} */ spans) =>
    spans.some(([from, to]) => from < view.to && to > view.from);
  area.replaceChildren(
    ...keys,
    mark(hasIntervals(view), "whisker", t("web.confidence_interval"), t("web.people_checked_frames_of_this_bar")),
    mark(other, "other", other?.name ?? "", t("web.all_labels_together_for_comparison")),
    mark(other?.gaps.length, "other-gap", t("web.name_no_footage", { name: other?.name }), t("web.nothing_was_filmed_there_on_the")),
    mark(view.gaps.length, "gap", t("web.no_footage"), t("web.nothing_was_filmed_there_not_the")),
    mark(view.notAnalysed.length, "unanalysed", t("web.filmed_not_analysed"), t("web.there_is_footage_but_it_is")),
    ...[...new Set(view.nothing.map((one) => one.kind))].map((kind) => mark(true, "nothing", kind, t("web.left_out_of_all_numbers"))),
    mark(view.partial.length, "partial", t("web.filmed_in_part"), t("web.there_was_footage_for_a_part")),
    mark(view.unmeasured.length, "unmeasured", t("web.not_measured"), t("web.there_is_footage_but_objects_were")),
    mark(view.measuredInPart.length, "in-part", t("web.measured_in_part"), t("web.objects_were_followed_in_some_of")),
    mark(inRange(view.fileTimes), "file-time", t("web.time_guessed"), t("web.no_camera_wrote_these_times_they")),
    mark(inRange(view.overlaps), "overlap", t("web.media_overlap"), t("web.one_of_them_is_counted_there")),
  ); // prettier-ignore
}

/** The chart's size on paper: the width of an A4 page at print resolution. The style sheet scales it. */
const PAPER = { width: 720, height: 320, ratio: 3 };

/**
 * @typedef {Object} ChartEvents
 * @property {(start: number) => void} [bar]  called with the start of a chosen bar
 * @property {(row: Page.Row|null) => void} [look]  called with the bar under the pointer or the focus, or with `null`
 * @property {(hole: import("./tooltip.js").Hole) => void} [hole]  called when a gap is chosen
 * @property {(from: number, to: number) => void} zoom  called with a selected range, in ms
 * @property {() => void} unzoom
 */

export class TimeChart {
  /** @param {HTMLCanvasElement} canvas @param {ChartEvents} on */
  constructor(canvas, on) {
    this.canvas = canvas;
    this.pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    /** @type {Page.View|null} */
    this.view = null;
    /** @type {import("./layout.js").Layout|null} */
    this.layout = null;
    this.tooltip = new Tooltip(this);
    this.gestures = new ChartGestures(this, on);
    this.cursor = el("div.moment-line", { hidden: true });
    canvas.after(this.cursor);
    /** @type {number|null} */
    this.moment = null;
    onMoment((ms) => {
      this.moment = ms;
      this.#showMoment();
    });
    new ResizeObserver(() => this.#draw()).observe(canvas);
    this.isOnPaper = false;
    for (const [event, isOnPaper] of Object.entries({ beforeprint: true, afterprint: false })) {
      addEventListener(event, () => {
        this.isOnPaper = isOnPaper;
        document.documentElement.classList.toggle("on-paper", isOnPaper); // paper is white
        this.#draw();
      });
    }
    // Gives access to the chart through its canvas.
    Object.assign(canvas, { timeChart: this });
  }

  /** @param {Page.View} view */
  show(view) {
    this.view = view;
    this.canvas.setAttribute("aria-label", summary(view, this.gestures.on));
    afterFrame(() => {
      this.#draw();
      this.gestures.refresh();
    });
  }

  /** The colours of the chart, with a value per row. */
  drawn() {
    return this.view ? drawnOf(this.view) : [];
  }

  #draw() {
    const { canvas, pen, view } = this;
    const { width, height, ratio } = this.isOnPaper
      ? PAPER
      : { width: canvas.clientWidth, height: canvas.clientHeight, ratio: devicePixelRatio };
    if (!view || !width || !height) return;
    pen.font = FONT;
    this.layout = layoutOf(view, width, height, (text) => pen.measureText(text).width);
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    pen.scale(ratio, ratio);
    draw(pen, view, this.layout);
    this.#showMoment();
    canvas.dispatchEvent(new Event("drawn"));
    // Other elements along the time axis align with the chart.
    const { left, right } = this.layout.area;
    const card = canvas.closest("section");
    card?.style.setProperty("--plot-left", `${left / width}`);
    card?.style.setProperty("--plot-width", `${(right - left) / width}`);
  }

  /** Draws a line at the time of the current frame. */
  #showMoment() {
    const { cursor, layout, view, moment, canvas } = this;
    cursor.hidden = moment === null || !layout || !view || moment < view.from || moment > view.to;
    if (cursor.hidden || !layout) return;
    cursor.style.left = `${canvas.offsetLeft + layout.x(moment ?? 0)}px`;
    cursor.style.top = `${canvas.offsetTop + layout.area.top}px`;
    cursor.style.height = `${layout.area.bottom - layout.area.top}px`;
  }

  /**
   * The row at a position of the canvas; `null` outside the rows and in gaps.
   * @param {number} x  CSS pixels from the left edge of the canvas
   * @param {number} [reach]  accept the nearest bar within this many pixels, for fingers
   */
  rowAt(x, reach = 0) {
    const ms = this.momentAt(x);
    if (ms === null || !this.view || !this.layout) return null;
    const { rows } = this.view;
    const under = rows.find((row) => row.start <= ms && ms < row.end) ?? null;
    const scale = this.layout.x;
    if (!reach || (under && scale(under.end) - scale(under.start) >= reach)) return under;
    const away = (/** @type {Page.Row} */ row) => Math.max(scale(row.start) - x, x - scale(row.end), 0);
    const near = rows.filter((row) => away(row) <= reach && row.byLabel.size > 0);
    return near.sort((a, b) => away(a) - away(b))[0] ?? under;
  }

  /** The gap at a position. @param {number} x @returns {import("./tooltip.js").Hole|null} */
  holeAt(x) {
    const at = this.momentAt(x);
    if (at === null || !this.view) return null;
    const hole = holesOf(this.view).find(({ span: [start, end] }) => start <= at && at < end);
    return hole ? { ...hole, at: Math.floor(at) } : null;
  }

  /** @param {number} x @returns {number|null}  ms; `null` outside the chart */
  momentAt(x) {
    if (!this.layout) return null;
    const { left, right } = this.layout.area;
    return x < left || x > right ? null : this.layout.ms(x);
  }
}
