// What is asked on the page of lines and zones: source, range, interval, label; and its place in the address.

import { fillSelect, byId, control } from "frametally/js/shared/dom.js";
import { duration, fromInput, toInput } from "frametally/js/shared/format.js";
import { formatWhole } from "frametally/js/shared/state.js";
import { zoneOf } from "frametally/js/shared/zones.js";

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
        this.to.setCustomValidity(isEmpty ? "The end lies before the beginning." : "");
        if (isEmpty) this.to.reportValidity();
        else onChange({ from, to });
      });
    }
  }

  /**
   * @param {Page.State} state
   * @param {Api.Catalogue} catalogue
   */
  show(state, { sources, labels }) {
    fillSelect(
      this.source,
      sources.map(({ source, name }) => [source, name]),
      state.sources[0] ?? "",
    );
    fillSelect(
      this.label,
      [["", "All labels"], ...labels.map(({ label }) => /** @type {[string, string]} */ ([label, label]))],
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
