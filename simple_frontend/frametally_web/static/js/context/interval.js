// The length of a bar: those that suit the range, or any other by number and unit.

import { el, fillSelect } from "../shared/dom.js";
import { duration } from "../shared/format.js";
import { field } from "./field.js";

const OTHER = "other";
/** @type {[seconds: number, name: string][]} */
const UNITS = [
  [1, "seconds"],
  [60, "minutes"],
  [3600, "hours"],
  [86_400, "days"],
  [604_800, "weeks"],
];

export class IntervalField {
  /** @param {(interval: number|null) => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    this.select = el("select", { id: "interval" });
    this.count = el("input", {
      ...{ type: "number", id: "interval-count", min: 1, step: 1, value: 1 },
      "aria-label": "Length of the interval",
    });
    this.unit = el(
      "select",
      { id: "interval-unit", "aria-label": "Unit of the interval" },
      ...UNITS.map(([value, text]) => el("option", { value, text })),
    );
    this.own = el("div", { class: "field-row", id: "interval-own", hidden: true }, this.count, this.unit);
    this.element = field("Interval", this.select, this.own);
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

  /**
   * @param {Page.State} state
   * @param {Api.Counts|null} counts
   */
  show({ interval }, counts) {
    const offered = [...(counts?.interval_choices_s ?? [])];
    if (interval !== null && !offered.includes(interval)) offered.push(interval);
    offered.sort((a, b) => a - b);
    const automatic =
      interval === null && counts?.interval_s ? `Auto (${duration(counts.interval_s)})` : "Auto";
    const choices = offered.map((one) => /** @type {[string, string]} */ ([String(one), duration(one)]));
    const opened = this.select.value === OTHER && interval === null;
    fillSelect(
      this.select,
      [["", automatic], ...choices, [OTHER, "Other…"]],
      opened ? OTHER : String(interval ?? ""),
    );
    if (!opened) this.own.hidden = true;
  }
}
