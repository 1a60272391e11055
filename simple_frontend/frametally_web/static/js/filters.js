// The filter form: shows the state, and tells what the viewer changes.

import { byId, el } from "./dom.js";
import { bigNumber, duration, fromInput, plural, toInput } from "./format.js";
import { Picker } from "./picker.js";
import { isUnfiltered } from "./state.js";

// Typing a date fires a change per part of it: wait for the hand to rest.
const TYPING_MS = 900;

export class Filters {
  /** @param {(change: Object) => void} onChange  gets the parts of the state that change */
  constructor(onChange) {
    this.onChange = onChange;
    this.labels = new Picker(byId("label-filter"), "labels", (labels) => onChange({ labels }));
    this.sources = new Picker(byId("source-filter"), "sources", (sources) => onChange({ sources }));
    this.range = { from: null, to: null };
    this.timer = 0;
    for (const end of ["from", "to"]) {
      const input = byId(end);
      input.addEventListener("change", () => {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.#readRange(), TYPING_MS);
      });
      input.addEventListener("blur", () => this.#readRange());
    }
    byId("filters").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#readRange();
    });
    byId("interval").addEventListener("change", (event) => onChange({ interval: Number(event.target.value) || null }));
    byId("model").addEventListener("change", (event) => onChange({ model: event.target.value }));
    byId("reset").addEventListener("click", () => onChange({ labels: [], sources: [], from: null, to: null, interval: null }));
  }

  /**
   * @param {Object} state
   * @param {Object} answers  of the API: models, labels, sources, counts
   * @param {(label: string) => string} colorOf
   */
  show(state, { models, labels, sources, counts }, colorOf) {
    this.labels.show(
      labels.map(({ label, detections }) => ({ value: label, name: label, detail: bigNumber(detections), color: colorOf(label) })),
      state.labels,
    );
    this.sources.show(
      sources.map(({ source, name, frames, timed_by_file: byFile }) => ({
        value: source,
        name,
        detail: plural(frames, "frame"),
        remark: byFile ? "time from file date" : null,
      })),
      state.sources,
    );
    this.range = { from: state.from ?? counts.from_ms, to: state.to ?? counts.to_ms };
    for (const end of ["from", "to"]) {
      const input = byId(end);
      if (document.activeElement !== input) input.value = this.range[end] === null ? "" : toInput(this.range[end]);
    }
    this.#complain("");
    this.#showIntervals(state, counts);
    this.#showModels(models, counts.model);
    byId("reset").disabled = isUnfiltered(state);
  }

  #showIntervals(state, counts) {
    const choices = [...counts.interval_choices_s];
    if (state.interval && !choices.includes(state.interval)) choices.push(state.interval);
    choices.sort((a, b) => a - b);
    const automatic = !state.interval && counts.interval_s ? `Auto (${duration(counts.interval_s)})` : "Auto";
    fillSelect(byId("interval"), [["", automatic], ...choices.map((one) => [String(one), duration(one)])], String(state.interval ?? ""));
  }

  #showModels(models, model) {
    byId("model-field").hidden = models.length < 2;
    fillSelect(byId("model"), models.map((one, position) => [one.model, position ? one.model : `${one.model} (newest)`]), model);
  }

  #readRange() {
    clearTimeout(this.timer);
    const change = {};
    for (const end of ["from", "to"]) {
      const typed = fromInput(byId(end).value);
      // The field has whole seconds: what it shows is not a choice.
      const shown = this.range[end] === null ? null : fromInput(toInput(this.range[end]));
      if (typed !== shown) change[end] = typed;
    }
    if (!Object.keys(change).length) return;
    const { from, to } = { ...this.range, ...change };
    if (from !== null && to !== null && from >= to) {
      this.#complain("“To” must be later than “From”.");
      return;
    }
    this.range = { from, to };
    this.#complain("");
    this.onChange(change);
  }

  #complain(text) {
    byId("filter-error").textContent = text;
    byId("filter-error").hidden = !text;
    for (const end of ["from", "to"]) byId(end).toggleAttribute("aria-invalid", Boolean(text));
  }
}

function fillSelect(select, options, chosen) {
  const wanted = JSON.stringify(options);
  if (select.dataset.options !== wanted) {
    select.replaceChildren(...options.map(([value, text]) => el("option", { value, text })));
    select.dataset.options = wanted;
  }
  select.value = chosen;
}
