// Choosing several of many: a button that opens a list of check boxes. Nothing ticked means all.

import { closeFromOutside, el, swatch } from "../shared/dom.js";

const SEARCH_FROM = 9;

/** @typedef {{value: string, name: string, detail: string, color?: string, remark?: string|null}} Option */

export class Picker {
  /**
   * @param {HTMLElement} field  filled with the control
   * @param {string} noun  plural, such as "labels"
   * @param {(chosen: string[]) => void} onChange  [] for all
   */
  constructor(field, noun, onChange) {
    this.noun = noun;
    this.onChange = onChange;
    /** @type {string[]} */
    this.chosen = [];
    /** @type {Option[]} */
    this.options = [];
    /** @type {HTMLLabelElement[]} */
    this.boxes = [];
    this.everything = el("input");
    const id = `${field.id}-name`;
    this.text = el("span", { class: "ellipsis", id: `${field.id}-text` });
    this.list = el("div", { class: "picker-list" });
    this.search = el("input", {
      type: "search",
      placeholder: `Find ${noun}`,
      "aria-label": `Find ${noun}`,
      oninput: () => this.#filter(),
    });
    this.search.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
    this.details = el(
      "details",
      { class: "picker" },
      el("summary", { "aria-labelledby": `${id} ${this.text.id}` }, this.text),
      el("div", { class: "picker-panel", role: "group", "aria-labelledby": id }, this.search, this.list),
    );
    const name = el("span", { class: "field-name", id, text: noun[0].toUpperCase() + noun.slice(1) });
    field.replaceChildren(name, this.details);
    const { details } = this;
    closeFromOutside(details);
    details.addEventListener("focusout", (event) => {
      if (event.relatedTarget instanceof Node && !details.contains(event.relatedTarget)) details.open = false;
    });
  }

  /**
   * @param {Option[]} options
   * @param {string[]} chosen
   */
  show(options, chosen) {
    // A name from a link that the data does not have (any more) can still be unticked.
    const strangers = chosen.filter((name) => !options.some((option) => option.value === name));
    const all = [...options, ...strangers.map((name) => ({ value: name, name, detail: "none" }))];
    this.chosen = chosen;
    const unchanged = JSON.stringify(all) === JSON.stringify(this.options);
    this.options = all;
    if (unchanged) this.#tick();
    else this.#build();
    this.text.textContent = this.#summary();
  }

  #summary() {
    if (!this.chosen.length) return `All ${this.noun}`;
    if (this.chosen.length <= 2) {
      return this.chosen
        .map((value) => this.options.find((option) => option.value === value)?.name ?? value)
        .join(", ");
    }
    return `${this.chosen.length} of ${this.options.length} ${this.noun}`;
  }

  #build() {
    this.search.hidden = this.options.length < SEARCH_FROM;
    const isFocused = (/** @type {Element} */ one) => one === document.activeElement;
    const focused = [...this.list.querySelectorAll("input")].findIndex(isFocused);
    const everything = check({ value: "", name: `All ${this.noun}`, detail: "" }, () => this.#choose([]));
    everything.classList.add("everything");
    this.everything = /** @type {HTMLInputElement} */ (everything.querySelector("input"));
    this.boxes = this.options.map((option) => check(option, (on) => this.#toggle(option.value, on)));
    this.list.replaceChildren(everything, ...this.boxes);
    this.#filter();
    this.#tick();
    this.list.querySelectorAll("input")[focused]?.focus(); // the keyboard stays where it was
  }

  #tick() {
    this.everything.checked = !this.chosen.length;
    this.boxes.forEach((box, position) => {
      const input = box.querySelector("input");
      if (input) input.checked = this.chosen.includes(this.options[position].value);
    });
  }

  /**
   * @param {string} value
   * @param {boolean} on
   */
  #toggle(value, on) {
    const chosen = on ? [...this.chosen, value] : this.chosen.filter((one) => one !== value);
    // In the order of the list, so that one choice has one link.
    const ordered = this.options.map((option) => option.value).filter((one) => chosen.includes(one));
    this.#choose(ordered.length === this.options.length && ordered.length > 1 ? [] : ordered);
  }

  /** @param {string[]} chosen */
  #choose(chosen) {
    this.chosen = chosen;
    this.#tick();
    this.text.textContent = this.#summary();
    this.onChange(chosen);
  }

  #filter() {
    const wanted = this.search.hidden ? "" : this.search.value.trim().toLowerCase();
    this.boxes.forEach((box, position) => {
      box.hidden = !this.options[position].name.toLowerCase().includes(wanted);
    });
  }
}

/**
 * @param {Option} option
 * @param {(on: boolean) => void} onTick
 */
function check({ name, detail, color, remark }, onTick) {
  const input = el("input", { type: "checkbox", onchange: () => onTick(input.checked) });
  return el(
    "label",
    { class: "check" },
    input,
    color ? swatch(color) : null,
    el("span", { class: "name", text: name, title: name }),
    remark ? el("span", { class: "remark", text: remark }) : null,
    el("span", { class: "muted small", text: detail }),
  );
}
