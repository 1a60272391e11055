// The card below the chart: the busiest frame per label, or all frames behind the chosen bar.

import { ApiError, get, selectionQuery } from "../shared/api.js";
import { byId, control } from "../shared/dom.js";
import { span } from "../shared/format.js";
import { knownWords, METRICS } from "../shared/metrics.js";
import { allKnownIn } from "../shared/series.js";
import { Proof } from "./bar.js";
import { severalDays } from "./kinds.js";
import { showEvidence, showFailure, showMessage } from "./list.js";
import { Sight } from "./sight.js";
import { inSentence, t } from "../shared/texts.js";

const NARROWING = ["hours", "weekdays", "zone", "line"];

/** @typedef {{state: Page.State, counts: Api.Counts, names: string[], looks: Page.Looks}} Asked */

export class FramesCard {
  /**
   * @param {Object} on
   * @param {(start: number|null) => void} on.bar
   * @param {(change: Partial<Page.State>) => void} on.change
   * @param {(key: string) => void} on.frame  called when the viewer opens a frame of the bar
   * @param {() => void} on.load
   */
  constructor(on) {
    this.on = on;
    this.area = byId("frames");
    this.proof = new Proof(this.area, { frame: on.frame, empty: (empty) => on.change({ empty }) });
    this.sight = new Sight();
    this.shown = "";
    this.goesThere = false;
    this.hasHistory = false;
    byId("bar-close").addEventListener("click", () => this.#close());
    byId("frames-card").addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !byId("bar-tools").hidden) this.#close();
    });
  }

  #close() {
    this.goesThere = false;
    this.on.bar(null);
    byId("chart").focus({ preventScroll: true });
  }

  /** Forces a redraw, because colours have changed. */
  forget() {
    this.shown = "";
    this.proof.close();
  }

  /** Scrolls to the card, and moves the focus to its frames once they load. */
  goThere() {
    this.goesThere = true;
    const reduced = matchMedia("(prefers-reduced-motion: reduce)").matches;
    byId("frames-card").scrollIntoView({ block: "nearest", behavior: reduced ? "auto" : "smooth" });
  }

  /**
   * @param {Page.State} state
   * @param {Page.Answers} answers
   * @param {import("../results/card.js").Results} results
   */
  showHead(state, { counts, models }, results) {
    const bar = barOf(state, counts);
    const stored = models.find((one) => one.model === counts.model)?.base_intervals_s ?? [];
    this.hasHistory = stored.includes(counts.base_interval_s ?? 0);
    const metric = METRICS[counts.metric];
    byId("bar-tools").hidden = !bar;
    byId("answer").toggleAttribute("data-open", bar !== null);
    const title = byId("frames-title");
    const subtitle = byId("frames-subtitle");
    subtitle.classList.toggle("no-print", !bar);
    if (!bar) {
      title.textContent = t("web.busiest_frame_per_label");
      subtitle.textContent = counts.coverage.length ? t("web.choose_a_bar_by_mouse_or") : "";
      return;
    }
    title.textContent =
      metric.id === "objects" ? t("web.the_objects_behind_this_bar") : t("web.the_frames_behind_this_bar");
    const row = results.view?.rows.find((one) => one.start === state.at);
    const what = row
      ? t("web.analysed", {
          name: inSentence(metric.name),
          row: knownWords(metric, allKnownIn(row, metric)),
          frames: t("web.count_frames", { count: row.frames }),
        })
      : "";
    subtitle.textContent = span(...bar) + what;
    const { previous, next } = results.neighboursOf(bar[0]);
    this.#step("bar-previous", previous);
    this.#step("bar-next", next);
    const zoom = control("bar-zoom", HTMLButtonElement);
    zoom.disabled = (counts.interval_s ?? 0) <= 1;
    zoom.onclick = () => this.on.change({ from: bar[0], to: bar[1], interval: null });
  }

  /** @param {string} id @param {number|null} start */
  #step(id, start) {
    const button = control(id, HTMLButtonElement);
    button.disabled = start === null;
    button.onclick = () => this.on.bar(start);
  }

  /**
   * @param {Page.State} state
   * @param {Page.Answers} answers
   * @param {Page.Looks} looks
   * @param {AbortSignal} signal
   */
  async load(state, { counts, sources }, looks, signal) {
    const bar = barOf(state, counts);
    // The name of a new source loads after its counts.
    const asked = { state, counts, names: sources.map((one) => one.name), looks };
    try {
      if (bar) await this.#prove(asked, bar);
      else await this.#showEvidence(asked, signal);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.shown = "";
      showFailure(this.area, error, this.on.load);
    }
    if (!this.goesThere || !bar) return;
    this.goesThere = false;
    this.proof.focus();
    this.proof.play();
  }

  /** @param {Asked} asked @param {Page.Span} bar */
  async #prove({ state, counts, names, looks }, [from, to]) {
    this.shown = "";
    const { model, buckets, coverage, base_interval_s: base } = counts;
    const version = JSON.stringify([
      buckets.filter((one) => one.start_ms === state.at),
      coverage.filter((one) => one.start_ms === state.at),
      names,
    ]);
    const query = selectionQuery({ ...state, model, from, to }, { base });
    showHistory(query, this.hasHistory);
    const metric = METRICS[counts.metric];
    const { frame, empty } = state;
    await this.proof.show({ query, metric, version, frame, empty, looks });
  }

  /** @param {Asked} asked @param {AbortSignal} signal */
  async #showEvidence(asked, signal) {
    const { state, counts, names, looks } = asked;
    this.proof.close();
    if (!counts.coverage.length) {
      const what = counts.not_analysed?.length
        ? t("web.the_footage_here_is_not_analysed")
        : counts.shows_nothing.length
          ? t("web.the_footage_here_shows_nothing")
          : counts.not_within.length
            ? t("web.the_footage_here_is_not_in")
            : t("web.there_is_no_footage_here");
      showMessage(this.area, t("web.so_there_are_no_frames", { what }));
      this.sight.rest([], asked);
      this.shown = "";
      return;
    }
    const { model, base_interval_s: base } = counts;
    const query = selectionQuery({ ...state, model }, { base });
    const wanted = JSON.stringify([String(query), counts.totals, names]);
    if (wanted === this.shown) return;
    const evidence = await get("evidence", query, signal);
    this.sight.rest(showEvidence(this.area, evidence, severalDays(counts), looks), asked);
    this.shown = wanted;
  }
}

/**
 * Links to the runs behind the bar; a history covers whole pictures, all hours and stored intervals.
 * @param {URLSearchParams} query
 * @param {boolean} isStored
 */
function showHistory(query, isStored) {
  const link = control("bar-history", HTMLAnchorElement);
  const isShown = isStored && !NARROWING.some((name) => query.has(name));
  link.style.visibility = isShown ? "visible" : "hidden"; // hide it without moving other elements
  link.href = `/history?${query}`;
}

/**
 * The chosen bar's range, within the chart's range; `null` if none is chosen.
 * @param {Page.State} state
 * @param {Api.Counts} counts
 * @returns {Page.Span|null}
 */
function barOf({ at }, { coverage, interval_s: interval, from_ms: from, to_ms: to }) {
  if (at === null || interval === null) return null;
  const end = coverage.find((one) => one.start_ms === at)?.end_ms ?? at + interval * 1000;
  return [Math.max(at, from ?? at), Math.min(end, to ?? end)];
}
