// The context bar: the current question as chips. Each chip opens a panel to change it.

import { withValues } from "../shared/address.js";
import { get } from "../shared/api.js";
import { byId, el, iconButton } from "../shared/dom.js";
import { bigNumber, duration, labelName, span } from "../shared/format.js";
import { METRICS } from "../shared/metrics.js";
import { rove } from "../shell/navigation.js";
import { DEFAULT, EVERYTHING, isUnfiltered } from "../shared/state.js";
import { comparisonsFor } from "../shared/compare.js";
import { Chip } from "./popover.js";
import { Chooser } from "./chooser.js";
import { hoursText, RangePanel } from "./range.js";
import { More, withSources, zonesOf } from "./more.js";
import { nameOf, overlaps, presentEnd, shifted } from "./ranges.js";
import { joined, t } from "../shared/texts.js";

/** @typedef {import("./ranges.js").Range} Range */
/**
 * What is known about the data; without counts if they are unavailable.
 * @typedef {Pick<Page.Answers, "models"|"labels"|"sources"> & {counts: Api.Counts|null}} Known
 */

export class ContextBar {
  /**
   * @param {Object} on
   * @param {(change: Partial<Page.State>) => void} on.change  called with the changed parts of the state
   * @param {() => void} on.widen  zooms out by one step
   */
  constructor(on) {
    const onChange = on.change;
    this.onChange = onChange;
    /** @type {Page.State} */
    this.state = DEFAULT;
    /** The range of all footage. @type {Range|null} */
    this.data = null;
    /** All sources. @type {Api.SourceRange[]} */
    this.all = [];
    /** The range in view. @type {Range|null} */
    this.range = null;
    this.sources = new Chooser("sources", {
      change: (sources) => onChange(withSources(sources, this.state, this.all)),
      draft: (sources) => this.chips.sources.show(this.sources.summary(sources), sources.length > 0),
    });
    this.labels = new Chooser("labels", {
      change: (labels) => onChange({ labels }),
      draft: (labels) => this.chips.labels.show(this.labels.summary(labels), labels.length > 0),
    });
    this.times = new RangePanel(on);
    this.more = new More(onChange);
    const chip = (/** @type {string} */ id, /** @type {string} */ name, /** @type {string} */ cross, /** @type {Partial<Page.State>} */ part) =>
      new Chip(`${id}-chip`, name, cross, () => onChange(part)); // prettier-ignore
    this.chips = {
      sources: chip("sources", t("web.sources"), t("web.all_sources"), { sources: [] }),
      labels: chip("labels", t("web.labels"), t("web.all_labels"), { labels: [] }),
      range: chip("range", t("web.time"), t("web.all_the_footage"), { from: null, to: null }),
      hours: chip("hours", t("web.hours"), t("web.all_hours_and_weekdays"), { hours: null, weekdays: [] }),
      // It loads with the catalogue, so it follows the chips that are there from the start and does not move them.
      pictureZone: chip("picture-zone", t("web.zone"), t("web.the_whole_picture"), { zone: null }),
      metric: chip("metric", t("web.metric"), t("web.the_metric_that_suits"), { metric: null }),
      interval: chip("interval", t("web.bars_of_title"), t("web.the_interval_that_suits"), {
        interval: null,
      }),
      compare: chip("compare", t("web.compared_with_title"), t("web.compare_with_nothing"), {
        compare: null,
      }),
      model: chip("model", t("web.model"), t("web.the_newest_model"), { model: null }),
      zone: chip("zone", t("web.time_zone"), t("web.your_own_time_zone"), { timezone: null }),
    };
    const move = (/** @type {-1|1} */ direction) => () => this.#move(direction);
    this.before = iconButton(t("web.the_time_before"), "‹", move(-1), { class: "chip-side" });
    this.after = iconButton(t("web.the_time_after"), "›", move(1), { class: "chip-side" });
    this.moreButton = el("button.chip-alone", { id: "more-chip" }, t("web.more_button"));
    this.everything = el(
      "button.chip-alone",
      { id: "reset", hidden: true, onclick: () => onChange(EVERYTHING) },
      t("web.show_everything"),
    );
    this.#build();
  }

  #build() {
    const { chips, sources, labels, times, more } = this;
    chips.range.element.prepend(this.before);
    chips.range.cross.before(this.after);
    sources.panel.openedBy(chips.sources.button);
    labels.panel.openedBy(chips.labels.button);
    times.panel.openedBy(chips.range.button);
    times.panel.openedBy(chips.hours.button, () => times.hours.from);
    times.panel.openedBy(chips.zone.button, () => times.zone.input);
    more.panel.openedBy(chips.metric.button, () => more.metric);
    more.panel.openedBy(chips.interval.button, () => more.interval.select);
    more.panel.openedBy(chips.compare.button, () => more.compare);
    more.panel.openedBy(chips.pictureZone.button, () => more.zone);
    more.panel.openedBy(chips.model.button, () => more.model);
    more.panel.openedBy(this.moreButton);
    const bar = byId("context");
    bar.replaceChildren(
      ...Object.values(chips).map(({ element }) => element),
      this.moreButton,
      this.everything,
    );
    bar.after(...[sources, labels, times, more].map(({ panel }) => panel.element));
    rove(bar);
    this.#words();
  }

  /** @param {Page.State} state @param {Known} known @param {Page.ColorOf} colorOf */
  show(state, known, colorOf) {
    this.state = state;
    const { labels, sources, counts } = known;
    this.all = sources;
    this.data = sources.length
      ? {
          from: Math.min(...sources.map((one) => one.first_interval_ms)),
          to: Math.max(...sources.map((one) => one.next_interval_ms)),
          last: presentEnd(sources, Date.now()),
        }
      : null;
    const from = state.from ?? counts?.from_ms ?? this.data?.from ?? null;
    const to = state.to ?? counts?.to_ms ?? this.data?.to ?? null;
    this.range = from === null || to === null ? null : { from, to };
    const labelOptions = labels.map(({ label: value, detections }) => {
      return { value, name: labelName(value), detail: bigNumber(detections), color: colorOf(value) };
    });
    this.labels.show(labelOptions, state.labels);
    const sourceOptions = sources.map(({ source: value, name, frames, timed_by_file: byFile }) => {
      const detail = t("web.count_frames", { count: frames < 1_000_000 ? frames : bigNumber(frames) });
      return { value, name, detail, remark: byFile ? t("web.file_dates") : null };
    });
    this.sources.show(sourceOptions, state.sources);
    this.times.show(state, this.data);
    this.more.show(state, known);
    this.#words(known);
  }

  /**
   * Shows the choices if the question has no answer, so that you can change them.
   * @param {Page.State} state
   * @param {Page.ColorOf} colorOf
   */
  async showWithoutCounts(state, colorOf) {
    const { models, labels, sources } = await get("catalogue", withValues("", { model: state.model }))
      .catch(() => get("catalogue")) // an unknown model has no labels or sources
      .catch(() => ({ models: [], labels: [], sources: [] }));
    this.show(state, { models, labels, sources, counts: null }, colorOf);
  }

  /** @param {Known} [known] */
  #words(known) {
    const { chips, state, range } = this;
    chips.sources.show(this.sources.summary(state.sources), state.sources.length > 0);
    chips.labels.show(this.labels.summary(state.labels), state.labels.length > 0);
    this.#showZone();
    const hasRange = state.from !== null || state.to !== null;
    const dates = range && range.from < range.to ? span(range.from, range.to) : "";
    const name = hasRange && range ? nameOf(range, Date.now()) : "";
    chips.range.show(hasRange ? joined([name, dates], ", ") : t("web.all_word"), hasRange);
    const hours = hoursText(state);
    chips.hours.show(hours || t("web.all_word"), hours !== "");
    this.#showOptional(known);
    this.everything.hidden = isUnfiltered(state);
    this.before.disabled = !this.#neighbour(-1);
    this.after.disabled = !this.#neighbour(1);
    const metric = known?.counts && METRICS[known.counts.metric].name;
    const of = state.labels.length ? this.labels.summary(state.labels) : "";
    const where = state.sources.length ? this.sources.summary(state.sources) : "";
    const what = metric && of ? t("web.of", { metric, of }) : metric || of;
    document.title = joined([what, where, state.zone, name || dates, hours, "frametally"]);
  }

  /** Shows the zone chip if there are zones. */
  #showZone() {
    const { chips, state, all } = this;
    chips.pictureZone.element.hidden = !zonesOf(state, all).length;
    chips.pictureZone.show(state.zone ?? t("web.whole_picture"), state.zone !== null);
  }

  /** Shows the chips of optional choices only while they are set. @param {Known} [known] */
  #showOptional(known) {
    const { chips, state } = this;
    const simulated = document.getElementById("simulated");
    if (simulated) {
      simulated.hidden = state.model !== simulated.dataset.model;
      byId("to-simulated").hidden = !simulated.hidden;
    }
    const comparisons = known?.counts ? comparisonsFor(state, { ...known, counts: known.counts }) : [];
    const other = comparisons.find(({ id }) => id === state.compare)?.name ?? state.compare;
    for (const [chip, text] of /** @type {[Chip, string|null][]} */ ([
      [chips.metric, state.metric && METRICS[state.metric].name],
      [chips.interval, state.interval && duration(state.interval)],
      [chips.compare, other],
      [chips.model, state.model],
      [chips.zone, state.timezone],
    ])) {
      chip.element.hidden = !text;
      chip.show(text ?? "", Boolean(text));
    }
  }

  /** The previous or next range, if there is footage. @param {-1|1} direction */
  #neighbour(direction) {
    const { range, data, state } = this;
    if (!range || !data || range.from >= range.to || (state.from === null && state.to === null)) return null;
    const next = shifted(range, direction);
    // There may be more footage after a gap.
    const reach = direction > 0 ? { from: next.from, to: Infinity } : { from: -Infinity, to: next.to };
    return overlaps(reach, data) ? next : null;
  }

  /** @param {-1|1} direction */
  #move(direction) {
    const next = this.#neighbour(direction);
    if (next) this.onChange(next);
  }
}
