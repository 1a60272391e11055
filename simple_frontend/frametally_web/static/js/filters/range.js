// The range: two moments with a calendar each, and presets counted back from where the footage ends.

import { byId, control, fillSelect } from "../shared/dom.js";
import { fromInput, toInput } from "../shared/format.js";
import { plus, startOf } from "../shared/time.js";

// Typing a date fires a change per part of it: wait for the hand to rest.
const TYPING_MS = 900;
const HOUR_MS = 3_600_000;

/** @typedef {{from: number|null, to: number|null}} Range */

/** @type {Record<string, {name: string, of: (last: number) => Range}>} */
export const PRESETS = {
  hour: { name: "Last hour of footage", of: (last) => ({ from: last - HOUR_MS, to: last }) },
  hours: { name: "Last 24 hours of footage", of: (last) => ({ from: last - 24 * HOUR_MS, to: last }) },
  day: { name: "Last day", of: (last) => days(last, 1) },
  before: { name: "The day before", of: (last) => days(last, 1, 1) },
  week: { name: "Last 7 days", of: (last) => days(last, 7) },
  month: { name: "Last 30 days", of: (last) => days(last, 30) },
  quarter: { name: "Last 90 days", of: (last) => days(last, 90) },
  year: { name: "Last 365 days", of: (last) => days(last, 365) },
};

export class RangeFilter {
  /** @param {(range: Partial<Range>) => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    /** @type {Range} */
    this.range = { from: null, to: null };
    /** @type {Range} */
    this.data = { from: null, to: null };
    this.timer = 0;
    this.inputs = { from: control("from", HTMLInputElement), to: control("to", HTMLInputElement) };
    for (const input of Object.values(this.inputs)) {
      input.addEventListener("change", () => {
        clearTimeout(this.timer);
        this.timer = window.setTimeout(() => this.read(), TYPING_MS);
      });
      input.addEventListener("blur", () => this.read());
    }
    this.presets = control("preset", HTMLSelectElement);
    this.presets.addEventListener("change", () => this.#choosePreset(this.presets.value));
  }

  /**
   * @param {Page.State} state
   * @param {Api.Counts} counts
   * @param {Api.SourceRange[]} sources
   */
  show(state, counts, sources) {
    this.data = {
      from: sources.length ? Math.min(...sources.map((one) => one.first_interval_ms)) : null,
      to: sources.length ? Math.max(...sources.map((one) => one.next_interval_ms)) : null,
    };
    this.range = { from: state.from ?? counts.from_ms, to: state.to ?? counts.to_ms };
    this.#write("from");
    this.#write("to");
    this.#complain("");
    const { from, to } = this.data;
    const whole = (to ?? 0) - (from ?? 0);
    const offered = Object.entries(PRESETS).filter(([, preset]) => {
      const range = preset.of(to ?? 0);
      return (range.to ?? 0) - (range.from ?? 0) < whole;
    });
    const chosen =
      state.from === null && state.to === null
        ? "all"
        : (offered.find(
            ([, { of }]) => of(to ?? 0).from === state.from && of(to ?? 0).to === state.to,
          )?.[0] ?? "own");
    fillSelect(
      this.presets,
      [
        ["all", "All the footage"],
        ...offered.map(([id, { name }]) => /** @type {[string, string]} */ ([id, name])),
        ...(chosen === "own" ? [/** @type {[string, string]} */ (["own", "As typed or drawn"])] : []),
      ],
      chosen,
    );
  }

  /** @param {"from"|"to"} end */
  #write(end) {
    const ms = this.range[end];
    if (document.activeElement !== this.inputs[end]) this.inputs[end].value = ms === null ? "" : toInput(ms);
  }

  /** @param {string} id */
  #choosePreset(id) {
    if (id === "all") this.onChange({ from: null, to: null });
    else if (PRESETS[id] && this.data.to !== null) this.onChange(PRESETS[id].of(this.data.to));
  }

  /** Takes what is typed, if that is another range. */
  read() {
    clearTimeout(this.timer);
    /** @type {Partial<Range>} */
    const change = {};
    for (const end of /** @type {("from"|"to")[]} */ (["from", "to"])) {
      const typed = fromInput(this.inputs[end].value);
      const ms = this.range[end];
      // The field has whole seconds: what it shows is not a choice.
      const shown = ms === null ? null : fromInput(toInput(ms));
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

  /** @param {string} text */
  #complain(text) {
    byId("filter-error").textContent = text;
    byId("filter-error").hidden = !text;
    for (const input of Object.values(this.inputs)) {
      if (text) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
  }
}

/**
 * Whole days of the time zone, up to the one in which the footage ends, or to one before it.
 * @param {number} last  ms
 * @param {number} count
 * @param {number} [before]  days between the two
 */
function days(last, count, before = 0) {
  const to = plus(startOf(last - 1, "day"), { days: 1 - before });
  return { from: plus(to, { days: -count }), to };
}
