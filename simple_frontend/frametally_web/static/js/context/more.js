// The less common choices: the metric, the length of bars, the comparison, the zone of the picture, the model.

import { comparisonsFor } from "../shared/compare.js";
import { el, field, fillSelect } from "../shared/dom.js";
import { duration } from "../shared/format.js";
import { METRICS } from "../shared/metrics.js";
import { Panel } from "./popover.js";
import { inSentence, t } from "../shared/texts.js";

/**
 * The zones of the chosen sources by name, including the chosen zone even without counts.
 * @param {Page.State} state
 * @param {Api.SourceRange[]} sources
 */
export function zonesOf(state, sources) {
  const shown = sources.filter(({ source }) => !state.sources.length || state.sources.includes(source));
  const names = [
    ...new Set([...shown.flatMap(({ zones }) => zones), ...(state.zone ? [state.zone] : [])]),
  ].sort();
  return names.map((name) => {
    const where = shown.filter(({ zones }) => zones.includes(name)).map((one) => one.name);
    return { id: name, name: sources.length > 1 && where.length ? `${name} (${where.join(", ")})` : name };
  });
}

/**
 * A choice of sources; it clears a zone that none of them has.
 * @param {string[]} chosen  empty means all
 * @param {Page.State} state
 * @param {Api.SourceRange[]} sources
 * @returns {Partial<Page.State>}
 */
export function withSources(chosen, state, sources) {
  const stays = sources.some(
    ({ source, zones }) =>
      (!chosen.length || chosen.includes(source)) && zones.some((name) => name === state.zone),
  );
  return state.zone && !stays ? { sources: chosen, zone: null } : { sources: chosen };
}

const OTHER = "other";
/** @type {[seconds: number, name: string][]} */
const UNITS = [
  [1, t("web.unit_seconds")],
  [60, t("web.unit_minutes")],
  [3600, t("web.unit_hours")],
  [86_400, t("web.unit_days")],
  [604_800, t("web.unit_weeks")],
];

class IntervalField {
  /** @param {(interval: number|null) => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    this.select = el("select", { id: "interval" });
    this.count = el("input", {
      ...{ type: "number", id: "interval-count", min: 1, step: 1, value: 1 },
      "aria-label": t("web.length_of_the_interval"),
    });
    this.unit = el(
      "select",
      { id: "interval-unit", "aria-label": t("web.unit_of_the_interval") },
      ...UNITS.map(([value, text]) => el("option", { value }, text)),
    );
    this.own = el("div.field-row", { id: "interval-own", hidden: true }, this.count, this.unit);
    this.element = field(t("web.interval"), this.select, this.own);
    this.select.addEventListener("change", () => {
      const other = this.select.value === OTHER;
      this.own.hidden = !other;
      if (other) this.count.focus();
      else onChange(Number(this.select.value) || null);
    });
    for (const part of [this.count, this.unit]) part.addEventListener("change", () => this.#take());
  }

  #take() {
    const seconds = Number(this.count.value) * Number(this.unit.value);
    if (Number.isSafeInteger(seconds) && seconds > 0) this.onChange(seconds);
  }

  /** @param {Page.State} state @param {Api.Counts|null} counts */
  show({ interval }, counts) {
    const offered = [...(counts?.interval_choices_s ?? [])];
    if (interval !== null && !offered.includes(interval)) offered.push(interval);
    offered.sort((a, b) => a - b);
    const automatic =
      interval === null && counts?.interval_s
        ? t("web.auto", { interval_s: duration(counts.interval_s) })
        : t("web.auto_word");
    const choices = offered.map((one) => [String(one), duration(one)]);
    const opened = this.select.value === OTHER && interval === null;
    fillSelect(
      this.select,
      [["", automatic], ...choices, [OTHER, t("web.other")]],
      opened ? OTHER : String(interval ?? ""),
    );
    if (!opened) this.own.hidden = true;
  }
}

export class More {
  /** @param {(change: Partial<Page.State>) => void} onChange */
  constructor(onChange) {
    const select = (/** @type {string} */ id, /** @type {(value: string) => Partial<Page.State>} */ part) => {
      const made = el("select", { id });
      made.addEventListener("change", () => onChange(part(made.value)));
      return made;
    };
    this.metric = select("metric", (value) => ({ metric: /** @type {Api.Metric} */ (value) || null }));
    this.compare = select("compare", (value) => ({ compare: value || null }));
    this.zone = select("picture-zone", (value) => ({ zone: value || null }));
    this.model = select("model", (value) => ({ model: value || null }));
    this.interval = new IntervalField((interval) => onChange({ interval }));
    this.zoneField = field(t("web.within_the_zone"), this.zone);
    this.modelField = field(t("web.model"), this.model);
    this.panel = new Panel("more-panel", t("web.more_title"), { focus: () => this.metric });
    this.panel.body.append(
      el(
        "div.fields",
        field(t("web.metric"), this.metric),
        this.interval.element,
        field(t("web.compare_with"), this.compare),
        this.zoneField,
        this.modelField,
      ),
    );
  }

  /** @param {Page.State} state @param {import("./bar.js").Known} known */
  show(state, { models, sources, counts }) {
    const metric = counts && inSentence(METRICS[counts.metric].name);
    const usual = state.metric || !metric ? t("web.auto_word") : t("web.auto_metric", { metric });
    fillWith(this.metric, usual, Object.values(METRICS), state.metric);
    this.interval.show(state, counts);
    const others = counts ? comparisonsFor(state, { models, sources, counts }) : [];
    fillWith(this.compare, t("web.nothing_title"), others, state.compare);
    this.#showZones(state, sources);
    this.modelField.hidden = models.length < 2;
    const [newest, ...older] = models.map(({ model }) => ({ id: model, name: model }));
    const chosen = state.model === newest?.id ? null : state.model;
    fillWith(this.model, t("web.newest", { model: newest?.id }), older, chosen);
  }

  /** @param {Page.State} state @param {Api.SourceRange[]} sources */
  #showZones(state, sources) {
    const zones = zonesOf(state, sources);
    this.zoneField.hidden = !zones.length;
    fillWith(this.zone, t("web.none_the_whole_picture"), zones, state.zone);
  }
}

/**
 * @param {HTMLSelectElement} select
 * @param {string} usual  text of the default
 * @param {{id: string, name: string}[]} others
 * @param {string|null} chosen
 */
const fillWith = (select, usual, others, chosen) =>
  fillSelect(select, [["", usual], ...others.map(({ id, name }) => [id, name])], chosen ?? "");
