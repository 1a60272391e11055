// The rest of the page, which may load later: the hours of the week, and each source. A part that fails shows its own
// error; the chart stays.

import { breaksOf } from "../chart/fold.js";
import { lanesOf, showLanes } from "../chart/lanes.js";
import { showComparison } from "../compare/card.js";
import { ApiError, get, selectionQuery } from "../shared/api.js";
import { byId, el } from "../shared/dom.js";
import { METRICS } from "../shared/metrics.js";
import { pinned } from "./export.js";
import { showHeatmap } from "./heatmap.js";
import { showSources } from "./sources.js";
import { t } from "../shared/texts.js";

// The most bars, over all sources, in one answer; beyond that, bars get longer.
const MOST_BARS = 12_000;
// A heat map of a shorter range would be nearly empty.
const LEAST_WEEK_MS = 2 * 86_400_000;

/** @typedef {Page.Answers & {view: Page.View|null}} Shown */

export class Extras {
  /**
   * @param {Object} on
   * @param {(change: Partial<Page.State>) => void} on.change
   * @param {(sources: string[], hole: import("../chart/tooltip.js").Hole) => void} on.hole
   * @param {(ms: number) => void} on.moment  called when you choose a position with footage in a lane
   * @param {(start: number) => void} on.bar  called when you choose a bar
   */
  constructor(on) {
    this.on = on;
    /** The version that each card shows. @type {Map<string, string>} */
    this.shown = new Map();
  }

  /** @param {Page.State} state @param {Shown} shown @param {Page.Looks} looks @param {AbortSignal} signal */
  async show(state, shown, looks, signal) {
    const { counts, sources, view, other, otherFault } = shown;
    const { nameOf } = looks;
    const metric = METRICS[counts.metric];
    const isSeveral = sources.length > 1 && state.sources.length !== 1 && view !== null;
    const { totals, frames, interval_s: interval } = counts;
    const names = sources.map((one) => one.name); // the name of a new source loads after its counts
    const asked = String(selectionQuery(state));
    const version = JSON.stringify([asked, metric.id, totals, frames, interval, names]);
    byId("sources-card").hidden = !isSeveral;
    const isWeek = view !== null && view.to - view.from >= LEAST_WEEK_MS;
    byId("heatmap-card").hidden = !isWeek;
    byId("compare-area").hidden = !(view && (other || otherFault));
    if (otherFault) {
      this.shown.delete("compare-area");
      const words = t("web.the_comparison_cannot_be_shown", { message: otherFault.message });
      byId("compare-area").replaceChildren(el("p.muted", words));
    }
    const query = apartQuery(state, counts, state.sources.length || sources.length);
    const apart = () => get("counts", query, signal);
    await Promise.all([
      isWeek &&
        this.#card("heatmap", version, async (area) => {
          const answer = await get("heatmap", selectionQuery(state), signal);
          showHeatmap(area, answer, metric, (hour) => this.on.change(hourOf(hour)));
          byId("heatmap-title").textContent = t("web.name_by_hour_and_weekday", { name: metric.name });
        }),
      view &&
        this.#card("lanes", version, async (area) => {
          showLanes(area, lanesOf(await apart(), state, [view.from, view.to]), view, nameOf, {
            hole: (source, hole) => this.on.hole([source], hole),
            moment: this.on.moment,
          });
        }),
      view &&
        other &&
        this.#card(
          "compare-area",
          version + JSON.stringify([state.compare, other.counts.totals]),
          async (area) =>
            showComparison(area, await get("differences", differencesQuery(state, counts), signal), {
              sides: sidesOf(state, counts, other),
              ...looks,
              onLabel: (label) => this.on.change({ labels: [label] }),
              onBar: this.on.bar,
            }),
        ),
      isSeveral &&
        this.#card("sources", version, async (area) =>
          showSources(area, await apart(), metric, [...view.outside, ...breaksOf(view)], nameOf, (source) => {
            this.on.change({ sources: [source] });
            byId("answer").scrollIntoView();
          }),
        ),
    ]);
  }

  /**
   * Fills a card, unless it already shows this version.
   * @param {string} id
   * @param {string} version
   * @param {(area: HTMLElement) => Promise<void>} fill
   */
  async #card(id, version, fill) {
    if (this.shown.get(id) === version) return;
    try {
      await fill(byId(id));
      this.shown.set(id, version);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.shown.delete(id);
      byId(id).replaceChildren(el("p.muted", t("web.this_cannot_be_shown", { message: error.message })));
    }
  }

  /** Forces a redraw, because colours have changed. */
  forget() {
    this.shown.clear();
  }
}

/**
 * Counts by source with all labels together, in the chart's bars, or in longer ones if there are very many sources.
 * @param {Page.State} state
 * @param {Api.Counts} counts
 * @param {number} sources  number of sources
 */
function apartQuery(state, counts, sources) {
  const { interval_s: own, interval_choices_s: choices, from_ms: from, to_ms: to } = counts;
  const isFew = (/** @type {number} */ interval) =>
    (sources * ((to ?? 0) - (from ?? 0))) / 1000 / interval <= MOST_BARS;
  const interval = own && (isFew(own) ? own : (choices.find((one) => one > own && isFew(one)) ?? own));
  const bars = { ...state, metric: counts.metric, interval };
  return selectionQuery(bars, { bars: true }, { by: "source", top: 0 });
}

/** @param {Page.State} state @param {Api.Counts} counts */
const differencesQuery = (state, counts) =>
  selectionQuery(pinned(state, counts), { bars: true }, { compare: state.compare });

/**
 * @param {Page.State} state
 * @param {Api.Counts} counts
 * @param {NonNullable<Page.Answers["other"]>} other
 * @returns {[import("../compare/card.js").Side, import("../compare/card.js").Side]}
 */
function sidesOf(state, counts, { counts: there, comparison }) {
  const isOtherModel = there.model !== counts.model;
  const name = (isOtherModel && counts.model) || t("web.here");
  return [
    { name, state: pinned(state, counts), base: counts.base_interval_s },
    { name: comparison.name, state: comparison.state, base: there.base_interval_s },
  ];
}

/**
 * The address parameters of an hour of the week.
 * @param {import("./heatmap.js").Hour} hour
 * @returns {Partial<Page.State>}
 */
function hourOf({ weekday, hour }) {
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  return { weekdays: [weekday], hours: `${two(hour)}:00-${two(hour + 1)}:00` };
}
