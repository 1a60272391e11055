// Choosing the time: ranges with a name, a calendar of what was filmed, exact moments, hours and weekdays, the zone.
// TakenDays when the panel closes, so that a day, its hours and its weekdays are one choice.

import { el } from "../shared/dom.js";
import { fromInput, toInput } from "../shared/format.js";
import { rove } from "../shell/roving.js";
import { zoneOf } from "../shared/zones.js";
import { Calendar } from "./calendar.js";
import { field } from "./field.js";
import { filmedDays } from "./filmed_days.js";
import { HoursFields } from "./hours.js";
import { Panel } from "./popover.js";
import { offered } from "./ranges.js";
import { ZoneField } from "./zone.js";

/** @typedef {import("./ranges.js").Range} Range */
/** @typedef {Pick<Page.State, "from"|"to">} Limits  null: where the footage begins, or ends */

const ALL = { from: null, to: null };
const ENDS = /** @type {("from"|"to")[]} */ (["from", "to"]);

export class RangePanel {
  /**
   * @param {Object} on
   * @param {(change: Partial<Page.State>) => void} on.change
   * @param {() => void} on.widen  one step out
   */
  constructor(on) {
    this.on = on;
    /** @type {Page.State|null} */
    this.state = null;
    /** All the footage. @type {Range|null} */
    this.data = null;
    /** What is chosen in the open panel. @type {Limits} */
    this.draft = ALL;
    /** Which days of a month have footage. @type {(month: number) => Promise<Set<number>|null>} */
    this.filmed = async () => null;
    this.named = el("div", { class: "named", role: "toolbar", "aria-label": "Ranges with a name" });
    rove(this.named);
    const moment = (/** @type {string} */ id) =>
      el("input", { type: "datetime-local", id, step: 1, onchange: () => this.#type() });
    this.inputs = { from: moment("from"), to: moment("to") };
    this.error = el("p", { id: "range-error", class: "panel-error", role: "alert", hidden: true });
    this.calendar = new Calendar({
      choose: (range) => this.#draw(range),
      month: (month) => this.filmed(month),
    });
    this.hours = new HoursFields(() => {});
    this.zone = new ZoneField((timezone) => this.on.change({ timezone }));
    this.panel = new Panel("range-panel", "Time", {
      open: () => this.#open(),
      focus: () => this.named.querySelector("button"),
      close: () => this.#take(),
    });
    const form = el(
      "form",
      { class: "range-form", novalidate: true, autocomplete: "off" },
      this.named,
      this.calendar.element,
      el(
        "div",
        { class: "range-exact" },
        field("From", this.inputs.from),
        field("To", this.inputs.to),
        this.error,
        this.hours.element,
        this.zone.element,
        el("button", { type: "submit", class: "button primary", text: "Show" }),
      ),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#isPossible() && this.zone.input.checkValidity()) this.panel.close();
    });
    this.panel.body.append(form);
  }

  /**
   * @param {Page.State} state
   * @param {Range|null} data  all the footage
   */
  show(state, data) {
    this.state = state;
    this.data = data;
    this.filmed = (month) => filmedDays(state, month);
    this.zone.show(zoneOf(state));
  }

  #open() {
    const { state, data } = this;
    if (!state) return;
    this.draft = { from: state.from, to: state.to };
    this.hours.show(state);
    this.#render();
    this.calendar.open(this.#drafted(), (this.draft.to ?? data?.to ?? Date.now()) - 1);
  }

  /** @param {Limits} draft */
  #draw(draft) {
    this.draft = draft;
    this.#render();
    this.calendar.show(this.#drafted());
  }

  #render() {
    const { data } = this;
    for (const end of ENDS) this.inputs[end].value = this.#written(end);
    this.#isPossible();
    const ranges = data ? offered(data, Date.now()) : [];
    this.named.replaceChildren(
      this.#button("All the footage", ALL),
      ...ranges.map(({ name, range }) => this.#button(name, range)),
      el("button", {
        ...{ type: "button", class: "button", text: "Zoom out" },
        disabled: !this.#drafted(),
        onclick: () => {
          this.state = null; // what is drafted is not taken
          this.panel.close();
          this.on.widen();
        },
      }),
    );
  }

  /** An end of what is drafted, as its field has it. @param {"from"|"to"} end */
  #written(end) {
    const ms = this.draft[end] ?? this.data?.[end] ?? null;
    return ms === null ? "" : toInput(ms);
  }

  /** What is drafted with both its ends; null: all the footage. @returns {Range|null} */
  #drafted() {
    const { draft, data } = this;
    if (draft.from === null && draft.to === null) return null;
    return { from: draft.from ?? data?.from ?? -Infinity, to: draft.to ?? data?.to ?? Infinity };
  }

  /**
   * @param {string} name
   * @param {Limits} range
   */
  #button(name, range) {
    const isChosen = ENDS.every((end) => range[end] === this.draft[end]);
    return el("button", {
      ...{ type: "button", class: "button", text: name, "aria-pressed": String(isChosen) },
      onclick: () => {
        this.draft = range;
        this.#render();
        this.panel.close();
      },
    });
  }

  /** Takes what is typed; a field has whole seconds, so what it shows is no choice. */
  #type() {
    for (const end of ENDS) {
      const { value } = this.inputs[end];
      const typed = fromInput(value);
      if (typed !== fromInput(this.#written(end))) this.draft = { ...this.draft, [end]: typed };
    }
    if (this.#isPossible()) this.calendar.show(this.#drafted());
  }

  #isPossible() {
    const range = this.#drafted();
    const isPossible = !range || range.from < range.to;
    this.error.textContent = isPossible ? "" : "“To” must be later than “From”.";
    this.error.hidden = isPossible;
    for (const end of ENDS) this.inputs[end].toggleAttribute("aria-invalid", !isPossible);
    return isPossible;
  }

  /** Takes what is drafted, if that is another choice; what cannot be is dropped. */
  #take() {
    const { state } = this;
    if (!state || !this.#isPossible()) return;
    const change = { ...this.draft, ...this.hours.read() };
    const names = /** @type {(keyof typeof change)[]} */ (Object.keys(change));
    if (names.some((name) => String(change[name]) !== String(state[name]))) this.on.change(change);
  }
}
