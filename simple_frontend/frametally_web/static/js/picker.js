// Choosing several of many: a button that opens a list of check boxes. Nothing ticked means all.

import { el, swatch } from "./dom.js";

const SEARCH_FROM = 9;

export class Picker {
  /**
   * @param {HTMLElement} field  filled with the control
   * @param {string} noun  plural, such as "labels"
   * @param {(chosen: string[]) => void} onChange  [] for all
   */
  constructor(field, noun, onChange) {
    this.noun = noun;
    this.onChange = onChange;
    this.chosen = [];
    this.options = [];
    const id = `${field.id}-name`;
    this.text = el("span", { class: "ellipsis" });
    this.list = el("div", { class: "picker-list" });
    this.search = el("input", { type: "search", placeholder: `Find ${noun}`, "aria-label": `Find ${noun}`, oninput: () => this.#filter() });
    this.search.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
    const panel = el("div", { class: "picker-panel", role: "group", "aria-labelledby": id }, this.search, this.list);
    this.details = el(
      "details",
      { class: "picker" },
      el("summary", { "aria-labelledby": id }, this.text),
      panel,
    );
    const name = el("span", { class: "field-name", id, text: noun[0].toUpperCase() + noun.slice(1) });
    this.text.id = `${field.id}-text`;
    this.details.querySelector("summary").setAttribute("aria-labelledby", `${id} ${this.text.id}`);
    field.replaceChildren(name, this.details);
    document.addEventListener("click", (event) => {
      if (!this.details.contains(event.target)) this.details.open = false;
    });
    this.details.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.details.open) return;
      this.details.open = false;
      this.details.querySelector("summary").focus();
    });
    this.details.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !this.details.contains(event.relatedTarget)) this.details.open = false;
    });
  }

  /**
   * @param {{value: string, name: string, detail: string, color?: string, remark?: string}[]} options
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
      return this.chosen.map((value) => this.options.find((option) => option.value === value).name).join(", ");
    }
    return `${this.chosen.length} of ${this.options.length} ${this.noun}`;
  }

  #build() {
    this.search.hidden = this.options.length < SEARCH_FROM;
    const everything = this.#check({ name: `All ${this.noun}`, detail: "" }, () => this.#choose([]));
    everything.classList.add("everything");
    this.everything = everything.querySelector("input");
    this.boxes = this.options.map((option) => this.#check(option, (on) => this.#toggle(option.value, on)));
    this.list.replaceChildren(everything, ...this.boxes);
    this.#filter();
    this.#tick();
  }

  #check({ name, detail, color, remark }, onTick) {
    return el(
      "label",
      { class: "check" },
      el("input", { type: "checkbox", onchange: (event) => onTick(event.target.checked) }),
      color ? swatch(color) : null,
      el("span", { class: "name", text: name, title: name }),
      remark ? el("span", { class: "remark", text: remark }) : null,
      el("span", { class: "muted small", text: detail }),
    );
  }

  #tick() {
    this.everything.checked = !this.chosen.length;
    this.boxes.forEach((box, position) => {
      box.querySelector("input").checked = this.chosen.includes(this.options[position].value);
    });
  }

  #toggle(value, on) {
    const chosen = on ? [...this.chosen, value] : this.chosen.filter((one) => one !== value);
    // In the order of the list, so that one choice has one link.
    const ordered = this.options.map((option) => option.value).filter((one) => chosen.includes(one));
    this.#choose(ordered.length === this.options.length && ordered.length > 1 ? [] : ordered);
  }

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
