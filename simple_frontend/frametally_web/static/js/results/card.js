// Everything that an answer of /api/counts becomes, and the words around it.

import { GapPanel } from "../chart/gap_panel.js";
import { showLegend } from "../chart/legend.js";
import { TimeChart } from "../chart/plot.js";
import { handWords } from "../chart/words.js";
import { Zooms } from "../chart/zooms.js";
import { otherSide } from "../shared/compare.js";
import { byId, control, el } from "../shared/dom.js";
import { duration, plural, span, within, zoneName } from "../shared/format.js";
import { METRICS } from "../shared/metrics.js";
import { allIn, viewOf } from "../shared/series.js";
import { hasOwnZone, OWN_ZONE } from "../shared/zones.js";
import { announce } from "../status/spoken.js";
import { showBreakdown } from "./breakdown.js";
import { Exports } from "./export.js";
import { showBusiest, showFramesWarning } from "./busiest.js";
import { showMeasures } from "./measures.js";
import { questionLine } from "./print_line.js";
import { showTable } from "./table.js";
import { showTiles } from "./tiles.js";

export class Results {
  /**
   * @param {Object} on
   * @param {(start: number) => void} on.bar  a bar was chosen
   * @param {(start: number, image: string) => void} on.peak  a bar was chosen, for this frame in it
   * @param {(change: Partial<Page.State>) => void} on.change
   * @param {() => void} on.reset
   */
  constructor(on) {
    this.on = on;
    this.zooms = new Zooms(on.change);
    this.chart = new TimeChart(control("chart", HTMLCanvasElement), {
      bar: on.bar,
      hole: (hole) => this.showHole(this.sources, hole),
      zoom: (from, to) => this.zooms.into(from, to),
      unzoom: () => this.zooms.out(),
    });
    byId("unzoom").addEventListener("click", () => this.zooms.out());
    this.exports = new Exports();
    this.gap = new GapPanel();
    /** The sources of the answer. @type {string[]} */
    this.sources = [];
    /** @type {{state: Page.State, names: Map<string, string>, colorOf: Page.ColorOf}|null} */
    this.shown = null;
    /** @type {Page.View|null} */
    this.view = null;
  }

  /**
   * Says why there is no bar.
   * @param {string[]} sources  that have the hole
   * @param {import("../chart/words.js").Hole} hole
   */
  showHole(sources, hole) {
    if (!this.shown) return;
    const { state, names, colorOf } = this.shown;
    const named = sources.map((source) => ({ source, name: names.get(source) ?? source }));
    this.gap.show(hole, named, state, colorOf);
  }

  /**
   * Opens the bar of a moment.
   * @param {number} ms
   */
  openAt(ms) {
    const row = this.view?.rows.find(({ start, end }) => start <= ms && ms < end);
    if (row) this.on.bar(row.start);
  }

  /**
   * Shows the answers, part by part: the chart, or the table, first.
   * @param {Page.State} state
   * @param {Page.Answers} answers
   * @param {Page.ColorOf} colorOf
   */
  *parts(state, { counts, summary, sources, other }, colorOf) {
    byId("chart-area").classList.remove("skeleton");
    const metric = METRICS[counts.metric];
    const view = counts.coverage.length ? viewOf(state, counts, metric, colorOf) : null;
    if (view && other) {
      view.other = otherSide(view, other.counts, other.comparison);
    }
    this.view = view;
    const selected = selectedOf(state, sources);
    if (view) view.sources = selected.map(({ name }) => name);
    this.sources = selected.map(({ source }) => source);
    this.shown = { state, colorOf, names: new Map(sources.map(({ source, name }) => [source, name])) };
    byId("question").textContent = questionLine(state, counts, this.shown.names, metric);
    this.gap.closeUnless(`${counts.from_ms} ${counts.to_ms} ${this.sources}`);
    this.zooms.show(state, counts, selected);
    this.#showTitle(state, counts, metric);
    this.#showLegend(state);
    this.#showChartOrTable(state, counts);
    this.#showMessage(counts);
    yield;
    this.showSummary(state, { counts, summary, sources });
    yield;
    showBreakdown(byId("breakdown"), counts, metric, colorOf, (label) => this.on.change({ labels: [label] }));
    this.exports.show(state, counts, view);
    showFileTimes(counts, sources, view);
    showOverlaps(counts, view);
    byId("objects-note").hidden = !(counts.metric === "objects" && counts.objects_note);
    byId("objects-note").textContent = counts.objects_note ?? "";
    byId("explanation").textContent = explain(metric, counts);
  }

  /**
   * Shows what is added up for the chart, or says that it is not there.
   * @param {Page.State} state
   * @param {Pick<Page.Answers, "counts"|"summary"|"sources">} answers
   */
  showSummary(state, { counts, summary, sources }) {
    const selected = selectedOf(state, sources);
    showTiles(byId("tiles"), { counts, summary }, selected, state, this.on);
    showMeasures(byId("measures"), { counts, summary }, this.view, selected, (chosen) =>
      this.on.change({ metric: chosen }),
    );
    showBusiest(byId("busiest"), { counts, summary }, this.on);
    showFramesWarning(byId("frames-warning"), summary, this.on.change);
  }

  /**
   * @param {Page.State} state
   * @param {Api.Counts} counts
   * @param {Page.Metric} metric
   */
  #showTitle(state, counts, metric) {
    const { view } = this;
    byId("chart-title").textContent = metric.title;
    byId("breakdown-title").textContent = `${metric.name} by label`;
    byId("chart-subtitle").textContent = view
      ? `${span(counts.from_ms ?? view.from, counts.to_ms ?? view.to)}, in intervals of ${duration(view.interval)}${within(counts.zone)}`
      : "";
    byId("unzoom").hidden = state.from === null && state.to === null;
  }

  /** @param {Page.State} state */
  #showLegend(state) {
    if (this.view)
      showLegend(byId("legend"), this.view, state.labels, (labels) => this.on.change({ labels }));
    else byId("legend").replaceChildren();
  }

  /**
   * @param {Page.State} state
   * @param {Api.Counts} counts
   */
  #showChartOrTable(state, counts) {
    const { view } = this;
    const asTable = state.view === "table" && view !== null;
    for (const [id, pressed] of Object.entries({
      "view-bars": state.view === "chart" && state.chart === "bars",
      "view-lines": state.view === "chart" && state.chart === "lines",
      "view-table": state.view === "table",
    })) {
      byId(id).setAttribute("aria-pressed", String(pressed));
    }
    byId("chart-area").hidden = asTable;
    byId("table-area").hidden = !asTable;
    byId("chart").hidden = !view;
    if (asTable) showTable(byId("table-area"), view, counts, this.on.bar);
    else byId("table-area").replaceChildren();
    if (view && !asTable) this.chart.show(view);
  }

  /** @param {Api.Counts} counts */
  #showMessage(counts) {
    const message = byId("chart-message");
    const filmed = this.view !== null;
    const empty = filmed && !counts.totals.some((total) => total.detections > 0);
    message.hidden = filmed && !empty;
    message.classList.toggle("over-chart", filmed);
    if (!filmed && counts.not_analysed?.length) {
      message.replaceChildren(
        el("p", { class: "strong", text: "Filmed, not analysed" }),
        el("p", { class: "muted", text: "There is footage, but it is not in the counts: not yet, or it cannot be read. The books below say which." }),
      ); // prettier-ignore
    } else if (!filmed) {
      message.replaceChildren(
        el("p", { class: "strong", text: "No footage in this selection" }),
        el("p", { class: "muted", text: "Nothing was filmed there by these sources, so there is nothing to count." }),
        el("button", { type: "button", class: "button primary", text: "Show everything", onclick: this.on.reset }),
      ); // prettier-ignore
    } else if (empty) {
      message.replaceChildren(
        el("p", { text: `Nothing was detected in ${plural(counts.frames, "frame")}.` }),
      );
    }
  }

  /**
   * Says what is shown to those who hear it.
   * @param {Api.Counts} counts
   * @param {boolean} quietly
   */
  announce(counts, quietly) {
    const metric = METRICS[counts.metric];
    const absent = counts.not_analysed?.length ? "Filmed, not analysed." : "No footage in this selection.";
    announce(this.view, metric.format(allIn(counts, metric)), absent, quietly);
  }

  /**
   * Starts of the neighbouring intervals with footage; null where there is none.
   * @param {number} start
   */
  neighboursOf(start) {
    const starts = (this.view?.rows ?? []).map((row) => row.start);
    return {
      previous: starts.findLast((one) => one < start) ?? null,
      next: starts.find((one) => one > start) ?? null,
    };
  }
}

/**
 * @param {Page.State} state
 * @param {Api.SourceRange[]} sources
 */
const selectedOf = (state, sources) =>
  sources.filter(({ source }) => !state.sources.length || state.sources.includes(source));

/**
 * @param {Api.Counts} counts
 * @param {Api.SourceRange[]} sources
 * @param {Page.View|null} view
 */
function showFileTimes(counts, sources, view) {
  const warning = byId("time-warning");
  const marked = (counts.file_times ?? []).filter(
    (one) => view && one.from_ms < view.to && one.to_ms > view.from,
  );
  const slugs = [...new Set(marked.map((one) => one.source))];
  const names = slugs.map((slug) => sources.find((one) => one.source === slug)?.name ?? slug);
  const shown = names.slice(0, 5).join(", ") + (names.length > 5 ? ` and ${names.length - 5} more` : "");
  warning.hidden = !names.length;
  warning.textContent =
    `Where the axis is marked, the times of ${shown} are guessed from a file's date or the upload: ` +
    "they may be wrong.";
}

/**
 * @param {Api.Counts} counts
 * @param {Page.View|null} view
 */
function showOverlaps(counts, view) {
  const shown = (counts.overlaps ?? []).filter(
    (one) => view && one.from_ms < view.to && one.to_ms > view.from,
  );
  const more = shown.length - 1 + counts.overlaps_left_out;
  byId("overlap-warning").hidden = !shown.length;
  byId("overlap-warning").textContent = shown
    .slice(0, 1)
    .map(
      (one) =>
        `Where the top is marked, media of one source overlap, and one of them counts: ` +
        `${span(one.from_ms, one.to_ms)} it is ${one.counted}, not ${one.not_counted}` +
        (more > 0 ? `; ${more} more likewise.` : "."),
    )
    .join("");
}

/**
 * @param {Page.Metric} metric
 * @param {Api.Counts} counts
 */
function explain(metric, counts) {
  const why = hasOwnZone() ? "" : ` Bars of ${OWN_ZONE} cannot be made of the intervals that are stored.`;
  const zone = `Times are in ${zoneName(counts.from_ms ?? Date.now())}.${why}`;
  return `${metric.name}: ${metric.explanation} ${zone} ${handWords()}`;
}
