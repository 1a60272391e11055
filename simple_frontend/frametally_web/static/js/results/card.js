// Shows an answer of /api/counts, with the text around it.

import { GapPanel, makeRoomForLanes } from "../chart/lanes.js";
import { showLegend, TimeChart } from "../chart/plot.js";
import { handWords, rangeOf } from "../chart/tooltip.js";
import { showChecks } from "../shared/checked.js";
import { Zooms } from "../chart/gestures.js";
import { chartView } from "../shared/compare.js";
import { byId, control, el } from "../shared/dom.js";
import { labelName, span, zoneName } from "../shared/format.js";
import { knownWords, METRICS } from "../shared/metrics.js";
import { allIn, allKnownIn, nothingOf } from "../shared/series.js";
import { lacksUsualZone, usualZoneOf } from "../shared/time.js";
import { speak } from "../status/notices.js";
import { showBreakdown } from "./sources.js";
import { Exports, pinned, questionLine } from "./export.js";
import { showBusiest, showFramesWarning } from "./heatmap.js";
import { showHeadline, showMetrics } from "./headline.js";
import { showTable } from "./table.js";
import { LOCALE, t } from "../shared/texts.js";

export class Results {
  /** @param {import("./headline.js").Leads & {look: (row: Page.Row|null) => void, reset: () => void}} on */
  constructor(on) {
    this.on = on;
    this.zooms = new Zooms(on.change);
    this.chart = new TimeChart(control("chart", HTMLCanvasElement), {
      bar: on.bar,
      look: on.look,
      hole: (hole) => this.showHole(this.sources, hole),
      zoom: (from, to) => this.zooms.into(from, to),
      unzoom: () => this.zooms.out(),
    });
    byId("unzoom").addEventListener("click", () => this.zooms.out());
    this.exports = new Exports();
    this.gap = new GapPanel();
    /** The answer's sources. @type {string[]} */
    this.sources = [];
    /** @type {{state: Page.State, looks: Page.Looks, base: number|null}|null} */
    this.shown = null;
    /** @type {Page.View|null} */
    this.view = null;
    this.told = "";
  }

  /**
   * Explains a gap.
   * @param {string[]} sources  sources with the gap
   * @param {import("../chart/tooltip.js").Hole} hole
   */
  showHole(sources, hole) {
    if (!this.shown) return;
    this.gap.show(hole, sources, this.shown.state, this.shown.base, this.shown.looks);
  }

  /** Opens the bar at a moment. @param {number} ms */
  openAt(ms) {
    const row = this.view?.rows.find(({ start, end }) => start <= ms && ms < end);
    if (row) this.on.bar(row.start);
  }

  /**
   * Shows the answers in parts: first the chart or the table.
   * @param {Page.State} state
   * @param {Page.Answers} answers
   * @param {Page.Looks} looks
   */
  *parts(state, { counts, summary, sources, other }, looks) {
    byId("chart-area").classList.remove("skeleton");
    const metric = METRICS[counts.metric];
    const { colorOf, nameOf } = looks;
    const view = chartView(state, { counts, other }, colorOf);
    makeRoomForLanes(view ? counts.sources.length : 0);
    this.view = view;
    const selected = selectedOf(state, sources);
    if (view) view.sources = selected.map(({ name }) => name);
    this.sources = selected.map(({ source }) => source);
    this.shown = { state, looks, base: counts.base_interval_s };
    byId("question").textContent = questionLine(state, counts, nameOf, metric);
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
    /** @type {Page.ShownChart} */
    const detail = { state: pinned(state, counts), view, chart: this.chart, change: this.on.change };
    document.dispatchEvent(new CustomEvent("frametally:chart", { detail })); // so that plug-ins can add to it
    showFileTimes(counts, nameOf, view);
    showOverlaps(counts, view);
    showChecks(byId("checks"), counts, metric);
    byId("objects-note").hidden = !(counts.metric === "objects" && counts.objects_note);
    byId("objects-note").textContent = noteOf(counts);
    byId("explanation").replaceChildren(
      explain(metric, counts, state),
      el("span.no-print", ` ${handWords()}`),
    );
  }

  /**
   * Shows the summary of the chart, or says that it is unavailable.
   * @param {Page.State} state
   * @param {Pick<Page.Answers, "counts"|"summary"|"sources">} answers
   */
  showSummary(state, { counts, summary, sources }) {
    const selected = selectedOf(state, sources);
    showHeadline(byId("headline"), byId("facts"), { counts, summary }, selected, state, this.on);
    showMetrics(byId("measures"), { counts, summary }, this.view !== null, (chosen) =>
      this.on.change({ metric: chosen }),
    );
    showBusiest(byId("busiest"), { counts, summary }, this.on);
    showFramesWarning(byId("frames-warning"), summary, this.on.change);
  }

  /** @param {Page.State} state @param {Api.Counts} counts @param {Page.Metric} metric */
  #showTitle(state, counts, metric) {
    const { view } = this;
    byId("chart-title").textContent = metric.title;
    byId("breakdown-title").textContent = t("web.name_by_label", { name: metric.name });
    byId("chart-subtitle").textContent = view && rangeOf(view, counts.zone);
    byId("unzoom").hidden = state.from === null && state.to === null;
  }

  /** @param {Page.State} state */
  #showLegend(state) {
    if (this.view)
      showLegend(byId("legend"), this.view, state.labels, (labels) => this.on.change({ labels }));
    else byId("legend").replaceChildren();
  }

  /** @param {Page.State} state @param {Api.Counts} counts */
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
    const empty = filmed && !counts.totals.some(({ detections }) => detections);
    message.hidden = filmed && !empty;
    message.classList.toggle("over-chart", filmed);
    const frames = t("web.count_frames", { count: counts.frames });
    if (filmed) return message.replaceChildren(el("p", t("web.nothing_was_detected_in", { frames })));
    const [nothing] = nothingOf(counts);
    const [title, words] = counts.not_analysed?.length
      ? [t("web.filmed_not_analysed_title"), t("web.there_is_footage_but_it_is_not_counted")]
      : nothing
        ? [nothing.kind, t("web.left_out_of_all_numbers")]
        : [t("web.no_footage_in_this_selection"), t("web.nothing_was_filmed_there_by_these")];
    const isFilmed = counts.not_analysed?.length || nothing;
    message.replaceChildren(
      el("p.strong", title),
      el("p.muted", words),
      isFilmed ? "" : el("button.button.primary", { onclick: this.on.reset }, t("web.show_everything")),
    );
  }

  /**
   * Reads the result to screen readers.
   * @param {Api.Counts} counts
   * @param {boolean} quietly  whether nobody asked: the numbers grow while the reader listens to something else
   */
  announce(counts, quietly) {
    const absent = counts.not_analysed?.length
      ? t("web.filmed_not_analysed_sentence")
      : (nothingOf(counts)[0]?.kind ?? t("web.no_footage_in_this_selection_sentence"));
    const words = this.view ? resultOf(this.view, counts) : absent;
    if (words !== this.told && !quietly) speak(words);
    this.told = words;
  }

  /** Starts of the previous and next interval with footage; `null` if there is none. @param {number} start */
  neighboursOf(start) {
    const starts = (this.view?.rows ?? []).map((row) => row.start);
    return {
      previous: starts.findLast((one) => one < start) ?? null,
      next: starts.find((one) => one > start) ?? null,
    };
  }
}

/** "Detections: 140 bicycle in 575 intervals, 8 – 14 Nov." @param {Page.View} view @param {Api.Counts} counts */
function resultOf({ metric, series, rows, range }, counts) {
  const parts = series.map((one) => `${knownWords(metric, one.total)} ${one.name}`);
  const total = knownWords(metric, allIn(counts, metric));
  const measured = rows.filter((row) => allKnownIn(row, metric).value !== null).length;
  return t("web.in", {
    name: metric.name,
    together: parts.length > 1 ? t("web.total_together", { total }) : "",
    parts: parts.join(", ") || t("web.nothing_found"),
    length: t("web.within_intervals", { count: rows.length }),
    known: measured < rows.length ? t("web.comma_measured_in", { measured }) : "",
    span: span(...range),
  });
}

/** @param {Page.State} state @param {Api.SourceRange[]} sources */
const selectedOf = (state, sources) =>
  sources.filter(({ source }) => !state.sources.length || state.sources.includes(source));

/**
 * The stretches that are at least partly in view.
 * @template {{from_ms: number, to_ms: number}} Stretch
 * @param {Stretch[]|null|undefined} stretches
 * @param {Page.View|null} view
 */
const seenIn = (stretches, view) =>
  (stretches ?? []).filter((one) => view && one.from_ms < view.to && one.to_ms > view.from);

/** @param {Api.Counts} counts @param {Page.Looks["nameOf"]} nameOf @param {Page.View|null} view */
function showFileTimes(counts, nameOf, view) {
  const warning = byId("time-warning");
  const names = [...new Set(seenIn(counts.file_times, view).map((one) => one.source))].map(nameOf);
  const shown =
    names.slice(0, 5).join(", ") + (names.length > 5 ? t("web.and_more", { length: names.length - 5 }) : "");
  warning.hidden = !names.length;
  warning.textContent = t("web.where_the_axis_is_marked_the", { shown });
}

/** @param {Api.Counts} counts @param {Page.View|null} view */
function showOverlaps(counts, view) {
  const [first, ...others] = seenIn(counts.overlaps, view);
  byId("overlap-warning").hidden = !first;
  if (!first) return;
  const { from_ms: from, to_ms: to, counted, not_counted } = first;
  const more = others.length + counts.overlaps_left_out;
  byId("overlap-warning").textContent =
    t("web.where_the_top_is_marked_media", { from_ms: span(from, to), counted, not_counted }) +
    (more > 0 ? t("web.more_likewise", { more }) : ".");
}

/** @param {Page.Metric} metric @param {Api.Counts} counts @param {Page.State} state */
function explain(metric, counts, state) {
  const usual = usualZoneOf(state.sources);
  const why = lacksUsualZone(state) ? t("web.bars_of_cannot_be_made_of", { OWN_ZONE: usual }) : "";
  const zone = t("web.times_are_in", { from_ms: zoneName(counts.from_ms ?? Date.now()), why });
  const noSeconds = counts.seconds_missing ? ` ${t("web.no_bars_of_a_second")}` : "";
  return `${metric.name}: ${metric.explanation} ${zone}${noSeconds}`;
}

/** Why objects are unknown, in the page's language; the server's sentence is English. @param {Api.Counts} counts */
function noteOf({ objects_note: note, totals }) {
  if (!note || LOCALE === "en-GB") return note ?? "";
  const [weak, fast] = ["too_weak", "too_fast"].map((why) =>
    totals.flatMap(({ label, objects_missing: missing }) =>
      label && missing === why ? labelName(label) : [],
    ),
  );
  if (weak.length) return t("web.objects_seen_too_rarely", { labels: weak.join(", ") });
  if (fast.length) return t("web.objects_too_fast", { labels: fast.join(", ") });
  return t("web.objects_were_followed_in_some_of");
}
