// The rest of the page, which may come a moment later: the week by hours, and the sources one by one.

import { ApiError, get, selectionQuery } from "../shared/api.js";
import { byId, el } from "../shared/dom.js";
import { METRICS } from "../shared/metrics.js";
import { showHeatmap } from "./heatmap.js";
import { showSources } from "./sources.js";

// Bars of a small multiple are narrow: about as many as fit.
const NARROW_BARS = 4;

export class Extras {
  /** @param {(change: Partial<Page.State>) => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    this.shown = "";
  }

  /**
   * @param {Page.State} state
   * @param {Page.Answers} answers
   * @param {(source: string) => string} nameOf
   * @param {AbortSignal} signal
   */
  async show(state, { counts, sources }, nameOf, signal) {
    const query = selectionQuery(state);
    const wanted = JSON.stringify([
      String(query),
      counts.metric,
      counts.totals,
      counts.frames,
      counts.interval_s,
      sources.map((one) => one.name), // a new source has its name a moment after its counts
    ]);
    if (wanted === this.shown) return;
    const several = sources.length > 1 && state.sources.length !== 1 && counts.coverage.length > 0;
    byId("sources-card").hidden = !several;
    try {
      await this.#showHeatmap(METRICS[counts.metric], query, signal);
      if (several) await this.#showSources(state, counts, sources.length, nameOf, signal);
      this.shown = wanted;
    } catch (error) {
      // The chart stands; what comes beside it says for itself that it is missing.
      if (!(error instanceof ApiError)) throw error;
      for (const id of ["heatmap", "sources"]) {
        byId(id).replaceChildren(el("p", { class: "muted", text: `This cannot be shown. ${error.message}` }));
      }
    }
  }

  /**
   * @param {Page.Metric} metric
   * @param {URLSearchParams} query
   * @param {AbortSignal} signal
   */
  async #showHeatmap(metric, query, signal) {
    showHeatmap(byId("heatmap"), await get("heatmap", query, signal), metric);
    byId("heatmap-title").textContent = `${metric.name} by hour and weekday`;
  }

  /**
   * @param {Page.State} state
   * @param {Api.Counts} counts
   * @param {number} sources  how many there are
   * @param {(source: string) => string} nameOf
   * @param {AbortSignal} signal
   */
  async #showSources(state, counts, sources, nameOf, signal) {
    const query = selectionQuery(
      { ...state, metric: counts.metric, interval: state.interval ?? coarser(counts, sources) },
      { bars: true },
    );
    query.set("by", "source");
    const apart = await get("counts", query, signal);
    showSources(byId("sources"), apart, METRICS[counts.metric], nameOf, (source) =>
      this.onChange({ sources: [source] }),
    );
  }

  /** Colours have changed: draw again. */
  forget() {
    this.shown = "";
  }
}

/**
 * A length for bars of each source: the chart's own, or with very many sources a longer one.
 * @param {Api.Counts} counts
 * @param {number} sources
 */
function coarser({ interval_s: interval, interval_choices_s: choices }, sources) {
  if (sources <= NARROW_BARS || interval === null) return interval;
  return choices.find((one) => one > interval) ?? interval;
}
