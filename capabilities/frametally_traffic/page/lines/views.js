// Turns answers on lines and zones into series for the time chart.

import { withValues } from "frametally/js/shared/address.js";
import { TimeChart } from "frametally/js/chart/plot.js";
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
 * @property {Map<number, number>} values  by start of the bar; 0 if absent
 * @property {Map<number, Api.Missing>} [missing]  why a value is unknown, by start of the bar
 * @property {Map<number|null, Page.Interval>} [intervals]  from accuracy checks, by start of the bar; `null` is the
 *   whole range
 */

/**
 * The common part of all answers on lines and zones.
 * @typedef {Pick<Api.LineCrossings, "source"|"bars"|"from_ms"|"to_ms"|"interval_s"|"not_analysed">} Head
 */

/**
 * @typedef {Object} On  callbacks of the page that uses a card
 * @property {Page.ColorOf} colorOf
 * @property {(pictures: import("./sightings.js").Large[], position: number) => void} open
 * @property {(from: number, to: number) => void} zoom
 * @property {() => void} unzoom
 */

/** @param {Api.FlowBar} bar @returns {Page.Span} */
const spanOf = ({ start_ms: start, end_ms: end }) => [start, end];

/** Fields of a view that charts of lines and zones do not use. */
const PLAIN = { nothing: [], leftOut: [], cut: [], measuredInPart: [], fileTimes: [], overlaps: [], at: null, other: null }; // prettier-ignore

/**
 * @param {Head} answer  with footage
 * @param {Column[]} columns
 * @param {{from_ms: number|null, to_ms: number|null}[]} shapes  the counted shapes, with their validity
 * @param {Pick<Page.Metric, "title"|"axis"|"perInterval"|"format"|"stacks">} words
 * @returns {Page.View}
 */
function viewOf(answer, columns, shapes, words) {
  const from = answer.from_ms ?? answer.bars[0].start_ms;
  const to = answer.to_ms ?? answer.bars[answer.bars.length - 1].end_ms;
  const outside = notHolding(shapes, from, to);
  // There are no crossings before a line exists.
  const isHeld = (/** @type {Api.FlowBar} */ bar) =>
    !outside.some(([first, end]) => first <= bar.start_ms && bar.end_ms <= end);
  const bars = answer.bars.filter(isHeld);
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
    partial: rows.filter(isPartial).map(({ start, end }) => [start, end]),
    range: [from, to],
    sources: [answer.source],
    unmeasured: together(bars.filter((bar) => !bar.is_measured).map(spanOf)),
    metric,
    interval: answer.interval_s ?? 1,
    from: Math.min(from, answer.bars[0].start_ms),
    to: Math.max(to, answer.bars[answer.bars.length - 1].end_ms),
    kind: "bars",
    ...PLAIN,
  };
}

/**
 * A column's sum; if some bars are unknown, the sum of the others.
 * @param {Map<number, number>} values
 * @param {Map<number, unknown>} [missing]
 * @returns {Page.Known}
 */
export function sumOf(values, missing) {
  const sum = totalOf(values.values());
  return missing?.size ? { value: null, part: sum } : { value: sum, part: null };
}

/**
 * Why values are unknown, by start of the bar.
 * @param {{start_ms: number, missing: Api.Missing|null}[]} some
 * @returns {Map<number, Api.Missing>}
 */
export const missingIn = (some) =>
  new Map(some.flatMap(({ start_ms: start, missing }) => (missing ? [[start, missing]] : [])));

/** @param {Iterable<number>} values */
const totalOf = (values) => [...values].reduce((total, value) => total + value, 0);

/**
 * Stretches in which none of the shapes is valid.
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
   * Measures in the form of objects, whether tracked or not.
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
    fast_objects: null,
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
  for (const { name, values, intervals, missing } of columns) {
    const why = missing?.get(start) ?? null;
    byLabel.set(name, measures(name, values.get(start) ?? 0, why, intervals?.get(start)));
  }
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
    all: measures(null, totalOf(all.map(({ detections }) => detections)), whyNot),
    byLabel,
  };
}

/**
 * The question as the API's query parameters.
 * @param {Page.State} state  with one source
 * @param {Record<string, string|number|null>} [more]  replaces the state's values
 */
export function queryOf(state, more = {}) {
  const { sources, labels: label, from, to, model, interval } = state;
  const asked = { source: sources[0], label, from, to, model, timezone: zoneOf(state), interval };
  return withValues(withValues("", asked), more);
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
    // The range and the interval may not suit another source.
    this.source.addEventListener("change", () =>
      onChange({ sources: [this.source.value], from: null, to: null, interval: null }),
    );
    const { label, interval } = this;
    label.addEventListener("change", () => onChange({ labels: label.value ? [label.value] : [] }));
    interval.addEventListener("change", () => onChange({ interval: Number(interval.value) || null }));
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
    const named = sources.map(({ source, name }) => [source, name]);
    fillSelect(this.source, named, state.sources[0] ?? "");
    const every = labels.map(({ label }) => [label, labelName(label)]);
    fillSelect(this.label, [["", t("web.all_labels")], ...every], state.labels[0] ?? "");
  }

  /** @param {Pick<Api.LineCrossings, "from_ms"|"to_ms"|"interval_s"|"interval_choices_s">} answer */
  showRange({ from_ms: from, to_ms: to, interval_s: interval, interval_choices_s: choices }) {
    const put = (/** @type {HTMLInputElement} */ input, /** @type {number|null} */ ms) => {
      if (document.activeElement !== input) input.value = ms === null ? "" : toInput(ms);
    };
    put(this.from, from);
    put(this.to, to);
    const intervals = choices.map((seconds) => [String(seconds), duration(seconds)]);
    fillSelect(this.interval, intervals, String(interval ?? ""));
  }
}

/** A card with a chart that shows one of several shapes. */
export class ChosenCard {
  /**
   * @param {"crossings"|"zones"} kind  prefix of its elements' IDs
   * @param {On} on
   * @param {(start: number) => void} [bar]  opens a bar
   */
  constructor(kind, on, bar) {
    this.kind = kind;
    this.on = on;
    this.chosen = "";
    this.chart = new TimeChart(control(`${kind}-chart`, HTMLCanvasElement), { ...on, bar });
  }

  /**
   * Shows a button for each shape, with one of them chosen; no buttons if there is only one shape.
   * @param {{name: string}[]} shapes
   * @param {() => void} onChoose
   * @returns {boolean}  whether there is anything to show
   */
  choose(shapes, onChoose) {
    const names = [...new Set(shapes.map(({ name }) => name))];
    byId(`${this.kind}-card`).hidden = !names.length;
    if (!names.includes(this.chosen)) this.chosen = names[0];
    const button = (/** @type {string} */ name) => {
      const onclick = () => {
        this.chosen = name;
        onChoose();
      };
      return el("button", { "aria-pressed": String(name === this.chosen), title: name, onclick }, name);
    };
    refill(byId(`${this.kind}-of`), ...(names.length > 1 ? names.map(button) : []));
    return names.length > 0;
  }

  /**
   * @param {Head} answer
   * @param {Column[]} columns
   * @param {{name: string, from_ms: number|null, to_ms: number|null}[]} shapes
   * @param {Pick<Page.Metric, "title"|"axis"|"perInterval"|"format">} words
   */
  showChart(answer, columns, shapes, words) {
    const own = shapes.filter(({ name }) => name === this.chosen);
    const view = viewOf(answer, columns, own, { ...words, stacks: true });
    this.chart.canvas.hidden = !view.rows.length;
    if (view.rows.length) this.chart.show(view);
  }
}
