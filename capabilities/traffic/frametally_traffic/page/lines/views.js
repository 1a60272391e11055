// Turns answers on lines and zones into series for the time chart.

import { byId, control, el, fillSelect, refill } from "frametally/js/shared/dom.js";
import { duration, fromInput, labelName, toInput } from "frametally/js/shared/format.js";
import { METRICS } from "frametally/js/shared/metrics.js";
import { gapsOf, isPartial, notAnalysedOf } from "frametally/js/shared/series.js";
import { together } from "frametally/js/shared/spans.js";
import { formatWhole } from "frametally/js/shared/state.js";
import { zoneOf } from "frametally/js/shared/time.js";
import { t } from "frametally/js/shared/texts.js";

/**
 * @typedef {Object} Column  what one colour stands for
 * @property {string} name
 * @property {string} color
 * @property {Map<number, number>} values  by start of the bar; absent is 0
 * @property {Map<number, Api.Missing>} [missing]  by start of the bar: why the value is not known
 * @property {Map<number|null, Page.Interval>} [intervals]  by start of the bar, where people checked; null: of all
 */

/** What every answer on lines and zones begins with. @typedef {Pick<Api.LineCrossings, "source"|"bars"|"from_ms"|"to_ms"|"interval_s"|"not_analysed">} Head */

/** @param {Api.FlowBar} bar @returns {Page.Span} */
const spanOf = ({ start_ms: start, end_ms: end }) => [start, end];

/**
 * @param {Head} answer  that has footage
 * @param {Column[]} columns
 * @param {{from_ms: number|null, to_ms: number|null}[]} shapes  that are counted: when they hold
 * @param {Pick<Page.Metric, "title"|"axis"|"perInterval"|"format"|"stacks">} words
 * @returns {Page.View}
 */
export function viewOf(answer, columns, shapes, words) {
  const from = answer.from_ms ?? answer.bars[0].start_ms;
  const to = answer.to_ms ?? answer.bars[answer.bars.length - 1].end_ms;
  const outside = notHolding(shapes, from, to);
  // Before there was a line nobody did not cross it.
  const bars = answer.bars.filter(
    (bar) => !outside.some(([first, end]) => first <= bar.start_ms && bar.end_ms <= end),
  );
  const notAnalysed = notAnalysedOf(answer);
  const rows = bars.map((bar) => rowOf(bar, columns, [from, to]));
  const metric = { ...METRICS.objects, ...words };
  return {
    rows,
    series: columns.map(({ name, color, values, intervals, missing }) => ({
      name,
      label: name,
      color,
      total: words.perInterval ? sumOf(values, missing) : { value: null, part: null },
      interval: intervals?.get(null) ?? null,
    })),
    gaps: gapsOf(rows, [...outside, ...notAnalysed], from, to),
    outside,
    notAnalysed,
    nothing: [],
    leftOut: [],
    partial: rows.filter(isPartial).map(({ start, end }) => [start, end]),
    range: [from, to],
    cut: [],
    sources: [answer.source],
    unmeasured: together(bars.filter((bar) => !bar.is_measured).map(spanOf)),
    measuredInPart: [],
    fileTimes: [],
    overlaps: [],
    metric,
    interval: answer.interval_s ?? 1,
    from: Math.min(from, answer.bars[0].start_ms),
    to: Math.max(to, answer.bars[answer.bars.length - 1].end_ms),
    at: null,
    kind: "bars",
    other: null,
  };
}

/**
 * A column's sum; where some bars are not known, what is known of it.
 * @param {Map<number, number>} values
 * @param {Map<number, unknown>} [missing]
 * @returns {Page.Known}
 */
function sumOf(values, missing) {
  const sum = sumAll([...values.values()]);
  return missing?.size ? { value: null, part: sum } : { value: sum, part: null };
}

/** @param {number[]} values */
const sumAll = (values) => values.reduce((total, value) => total + value, 0);

/**
 * Stretches in which none of some shapes holds.
 * @param {{from_ms: number|null, to_ms: number|null}[]} shapes
 * @param {number} from
 * @param {number} to
 */
function notHolding(shapes, from, to) {
  const within = (/** @type {number} */ ms) => Math.min(Math.max(ms, from), to);
  const held = shapes.map((one) => ({ start: within(one.from_ms ?? from), end: within(one.to_ms ?? to) }));
  return gapsOf(held, [], from, to);
}

/** @param {Api.FlowBar} bar @param {Column[]} columns @param {Page.Span} range @returns {Page.Row} */
function rowOf(bar, columns, [from, to]) {
  const { start_ms: start, end_ms: end, frames, covered_ms: covered } = bar;
  /**
   * As of objects, followed or not.
   * @param {string|null} label
   * @param {number} value
   * @param {Api.Missing|null} why
   * @param {Page.Interval} [interval]
   */
  const measures = (label, value, why, interval) => ({
    start_ms: start,
    label,
    source: null,
    detections: value,
    peak: value,
    mean_per_frame: value,
    objects: why ? null : value,
    objects_missing: why,
    tracked_detections: value,
    followed_objects: null,
    objects_from_start: null,
    measured_objects: why && value ? value : null,
    low: interval?.low ?? null,
    high: interval?.high ?? null,
    estimate: interval?.estimate ?? null,
    check: null,
  });
  /** @type {Page.Row["byLabel"]} */
  const byLabel = new Map();
  for (const { name, values, intervals, missing } of columns)
    byLabel.set(
      name,
      measures(name, values.get(start) ?? 0, missing?.get(start) ?? null, intervals?.get(start)),
    );
  const all = [...byLabel.values()];
  const whyNot = all.find((one) => one.objects_missing)?.objects_missing ?? null;
  const askedS = (Math.min(end, to) - Math.max(start, from)) / 1000;
  const part = covered && askedS > 0 ? Math.min(covered / 1000 / askedS, 1) : null;
  return {
    start,
    end,
    frames,
    ofOne: true,
    missing: bar.missing,
    filmed: { part, askedS, sources: 1 },
    all: measures(null, sumAll(all.map(({ detections }) => detections)), whyNot),
    byLabel,
  };
}

/**
 * The question as the API's query parameters.
 * @param {Page.State} state  with one source
 * @param {Record<string, string|number|null>} [more]  those of null are left out
 */
export function queryOf(state, more = {}) {
  const query = new URLSearchParams({ source: state.sources[0] });
  state.labels.forEach((label) => query.append("label", label));
  if (state.from !== null) query.set("from", String(state.from));
  if (state.to !== null) query.set("to", String(state.to));
  if (state.model) query.set("model", state.model);
  query.set("timezone", zoneOf(state));
  if (state.interval) query.set("interval", String(state.interval));
  for (const [name, value] of Object.entries(more)) {
    if (value !== null) query.set(name, String(value));
  }
  return query;
}

/**
 * The page's own address.
 * @param {Page.State} state
 * @param {Pick<Api.LineCrossings, "interval_s"|"model">} [answer]
 */
export const addressOf = (state, answer) =>
  `?${formatWhole(state, { timezone: zoneOf(state), interval: answer?.interval_s, model: answer?.model })}`;

export class AskedForm {
  /** @param {(part: Partial<Page.State>) => void} onChange */
  constructor(onChange) {
    this.source = control("asked-source", HTMLSelectElement);
    this.from = control("asked-from", HTMLInputElement);
    this.to = control("asked-to", HTMLInputElement);
    this.interval = control("asked-interval", HTMLSelectElement);
    this.label = control("asked-label", HTMLSelectElement);
    byId("asked").addEventListener("submit", (event) => event.preventDefault());
    // Of another source neither the range nor the interval may be right.
    this.source.addEventListener("change", () =>
      onChange({ sources: [this.source.value], from: null, to: null, interval: null }),
    );
    this.label.addEventListener("change", () =>
      onChange({ labels: this.label.value ? [this.label.value] : [] }),
    );
    this.interval.addEventListener("change", () =>
      onChange({ interval: Number(this.interval.value) || null }),
    );
    for (const input of [this.from, this.to]) {
      input.addEventListener("change", () => {
        const [from, to] = [fromInput(this.from.value), fromInput(this.to.value)];
        const isEmpty = from !== null && to !== null && from >= to;
        this.to.setCustomValidity(isEmpty ? t("traffic.the_end_lies_before_the_beginning") : "");
        if (isEmpty) this.to.reportValidity();
        else onChange({ from, to });
      });
    }
  }

  /** @param {Page.State} state @param {Api.Catalogue} catalogue */
  show(state, { sources, labels }) {
    fillSelect(
      this.source,
      sources.map(({ source, name }) => [source, name]),
      state.sources[0] ?? "",
    );
    fillSelect(
      this.label,
      [["", t("web.all_labels")], ...labels.map(({ label }) => [label, labelName(label)])],
      state.labels[0] ?? "",
    );
  }

  /** @param {Pick<Api.LineCrossings, "from_ms"|"to_ms"|"interval_s"|"interval_choices_s">} answer */
  showRange({ from_ms: from, to_ms: to, interval_s: interval, interval_choices_s: choices }) {
    for (const [input, ms] of /** @type {[HTMLInputElement, number|null][]} */ ([
      [this.from, from],
      [this.to, to],
    ])) {
      if (document.activeElement !== input) input.value = ms === null ? "" : toInput(ms);
    }
    fillSelect(
      this.interval,
      choices.map((seconds) => [String(seconds), duration(seconds)]),
      String(interval ?? ""),
    );
  }
}

/**
 * Buttons of which one is chosen; none where there is only one thing to choose.
 * @param {HTMLElement} area
 * @param {string[]} names
 * @param {string} chosen
 * @param {(name: string) => void} onChoose
 */
export function showChoice(area, names, chosen, onChoose) {
  const button = (/** @type {string} */ name) =>
    el(
      "button",
      { "aria-pressed": String(name === chosen), title: name, onclick: () => onChoose(name) },
      name,
    );
  refill(area, ...(names.length > 1 ? names.map(button) : []));
}
