// Everything that an answer of /api/counts becomes: tiles, legend, chart or table, and the words around them.

import { TimeChart } from "./chart.js";
import { byId, el, swatch } from "./dom.js";
import { duration, number, plural, span, zone } from "./format.js";
import { filmingSources, gapsOf, rowsOf, seriesOf } from "./series.js";
import { showTable } from "./table.js";
import { showTiles, showTileSkeletons } from "./tiles.js";

export class Results {
  /**
   * @param {Object} on
   * @param {(start: number) => void} on.bar  a bar was chosen
   * @param {(labels: string[]) => void} on.labels  a label was chosen in the legend; [] for all
   * @param {() => void} on.reset
   */
  constructor(on) {
    this.on = on;
    this.chart = new TimeChart(byId("chart"), on.bar);
    this.rows = [];
  }

  /** Grey shapes where the results will be. */
  showLoading() {
    showTileSkeletons(byId("tiles"));
    byId("chart-area").classList.add("skeleton");
  }

  /**
   * @param {Object} state
   * @param {Object} answers  of the API: labels, sources, counts
   * @param {(label: string|null) => string} colorOf
   */
  show(state, { counts, sources }, colorOf) {
    byId("chart-area").classList.remove("skeleton");
    const filmed = counts.coverage.length > 0;
    this.rows = filmed ? rowsOf(counts) : [];
    const selected = sources.filter((one) => !state.sources.length || state.sources.includes(one.source));
    const filming = filmingSources(this.rows, selected);
    showTiles(byId("tiles"), counts, this.rows, filming);
    const view = {
      rows: this.rows,
      series: seriesOf(counts, colorOf),
      gaps: gapsOf(this.rows),
      interval: counts.interval_s,
      at: state.at,
    };
    this.#showTitle(counts, filmed);
    this.#showLegend(view, state);
    this.#showChartOrTable(view, state, filmed);
    this.#showMessage(counts, filmed);
    showTimeWarning(filming);
    byId("explanation").textContent = explain(counts);
  }

  #showTitle(counts, filmed) {
    byId("chart-subtitle").textContent = filmed
      ? `${span(this.rows[0].start, this.rows.at(-1).end)}, in intervals of ${duration(counts.interval_s)}`
      : "";
  }

  #showLegend({ series, gaps }, state) {
    const keys = series.map((one) => {
      const content = [
        swatch(one.color),
        el("span", { class: "name", text: one.name }),
        el("span", { class: "count", text: number(one.detections) }),
      ];
      if (one.labels.length > 1) return el("span", { class: "key", title: one.labels.join(", ") }, ...content);
      const alone = state.labels.length === 1 && state.labels[0] === one.name;
      return el(
        "button",
        {
          type: "button",
          class: "key",
          "aria-pressed": String(alone),
          title: alone ? "Show all labels again" : `Show only ${one.name}`,
          onclick: () => this.on.labels(alone ? [] : one.labels),
        },
        ...content,
      );
    });
    if (gaps.length) {
      keys.push(
        el(
          "span",
          { class: "key", title: "Nothing was filmed there: that is not the same as nothing there." },
          el("span", { class: "swatch gap", "aria-hidden": "true" }),
          el("span", { class: "name", text: "no footage" }),
        ),
      );
    }
    byId("legend").replaceChildren(...keys);
  }

  #showChartOrTable(view, state, filmed) {
    const asTable = state.view === "table" && filmed;
    byId("view-chart").setAttribute("aria-pressed", String(state.view !== "table"));
    byId("view-table").setAttribute("aria-pressed", String(state.view === "table"));
    byId("chart-area").hidden = asTable;
    byId("table-area").hidden = !asTable;
    byId("chart").hidden = !filmed;
    if (asTable) showTable(byId("table-area"), view, this.on.bar);
    else byId("table-area").replaceChildren();
    if (filmed && !asTable) this.chart.show(view);
  }

  #showMessage(counts, filmed) {
    const message = byId("chart-message");
    const empty = filmed && !counts.totals.some((total) => total.detections > 0);
    message.hidden = filmed && !empty;
    message.classList.toggle("over-chart", filmed);
    if (!filmed) {
      message.replaceChildren(
        el("p", { class: "strong", text: "No footage in this selection" }),
        el("p", { class: "muted", text: "Nothing was filmed there by these sources, so there is nothing to count." }),
        el("button", { type: "button", class: "button primary", text: "Show everything", onclick: this.on.reset }),
      );
    } else if (empty) {
      message.replaceChildren(el("p", { text: `Nothing was detected in ${plural(counts.frames, "frame")}.` }));
    }
  }

  /** Starts of the neighbouring intervals with footage; null where there is none. */
  neighboursOf(start) {
    const filmed = this.rows.filter((row) => row.frames !== null).map((row) => row.start);
    return {
      previous: filmed.findLast((one) => one < start) ?? null,
      next: filmed.find((one) => one > start) ?? null,
    };
  }
}

function showTimeWarning(sources) {
  const names = sources.filter((one) => one.timed_by_file).map((one) => one.name);
  const warning = byId("time-warning");
  warning.hidden = !names.length;
  const shown = names.slice(0, 5).join(", ") + (names.length > 5 ? ` and ${names.length - 5} more` : "");
  warning.textContent =
    `Some times of ${shown} are the dates of the files, not times that a camera wrote: they may be wrong.`;
}

function explain(counts) {
  const at = counts.from_ms ?? Date.now();
  const sentences = [
    `Times are shown in your time zone, ${zone(at)}.`,
    "A count is the number of boxes found in the frames analysed in an interval: one car seen in ten frames counts ten times.",
    "The peak is the most of one label in a single frame.",
  ];
  if (counts.interval_s >= 7200) {
    sentences.push(`Intervals of ${duration(counts.interval_s)} start at whole multiples in UTC.`);
  }
  return sentences.join(" ");
}
