// The length of a bar: those that suit the range, or any other by number and unit.

import { byId, control, fillSelect } from "../shared/dom.js";
import { duration } from "../shared/format.js";

const OTHER = "other";

export class IntervalFilter {
  /** @param {(interval: number|null) => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    this.select = control("interval", HTMLSelectElement);
    this.count = control("interval-count", HTMLInputElement);
    this.unit = control("interval-unit", HTMLSelectElement);
    this.select.addEventListener("change", () => {
      const other = this.select.value === OTHER;
      byId("interval-own").hidden = !other;
      if (other) this.count.focus();
      else onChange(Number(this.select.value) || null);
    });
    for (const field of [this.count, this.unit]) field.addEventListener("change", () => this.#own());
  }

  #own() {
    const seconds = Number(this.count.value) * Number(this.unit.value);
    if (Number.isSafeInteger(seconds) && seconds > 0) this.onChange(seconds);
  }

  /**
   * @param {Page.State} state
   * @param {Api.Counts} counts
   */
  show({ interval }, counts) {
    const offered = [...counts.interval_choices_s];
    const own = interval !== null && !offered.includes(interval);
    const automatic =
      interval === null && counts.interval_s ? `Auto (${duration(counts.interval_s)})` : "Auto";
    if (own) offered.push(interval);
    offered.sort((a, b) => a - b);
    const choices = offered.map((one) => /** @type {[string, string]} */ ([String(one), duration(one)]));
    const opened = this.select.value === OTHER && interval === null;
    fillSelect(
      this.select,
      [["", automatic], ...choices, [OTHER, "Other…"]],
      opened ? OTHER : String(interval ?? ""),
    );
    if (!opened) byId("interval-own").hidden = true;
  }
}
