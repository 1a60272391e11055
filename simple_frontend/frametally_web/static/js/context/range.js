// The choice of time: named ranges, a calendar of footage, exact times, hours, weekdays and the time zone. The choice
// applies when the panel closes, so that a day, its hours and its weekdays are one choice.

import { el, field } from "../shared/dom.js";
import { fromInput, toInput } from "../shared/format.js";
import { usualZoneOf, WEEKDAYS, zoneOf } from "../shared/time.js";
import { rove } from "../shell/navigation.js";
import { Calendar, filmedDays } from "./calendar.js";
import { Panel } from "./popover.js";
import { zoneInput } from "../shared/zone_input.js";
import { offered } from "./ranges.js";
import { joined, t } from "../shared/texts.js";

/** @typedef {Pick<Page.State, "hours"|"weekdays">} Hours */

/** "08:00–09:00, Mon–Fri"; "" for all hours and weekdays. @param {Hours} chosen */
export function hoursText({ hours, weekdays }) {
  return joined([hours?.replace("-", "–"), weekdaysText(weekdays)], ", ");
}

/** @param {number[]} weekdays */
function weekdaysText(weekdays) {
  /** @type {number[][]} */
  const runs = [];
  for (const day of weekdays) {
    if (runs.at(-1)?.at(-1) === day - 1) runs.at(-1)?.push(day);
    else runs.push([day]);
  }
  return runs
    .flatMap((run) => (run.length > 2 ? [[run[0], run[run.length - 1]]] : run.map((day) => [day])))
    .map((ends) => ends.map((day) => WEEKDAYS[day - 1]).join("–"))
    .join(", ");
}

/** @type {[name: string, chosen: Partial<Hours>][]} */
const COMMON = [
  [t("web.mon_fri"), { weekdays: [1, 2, 3, 4, 5] }],
  [t("web.weekend"), { weekdays: [6, 7] }],
  ["7–9", { hours: "07:00-09:00" }],
  ["16–18", { hours: "16:00-18:00" }],
];

class HoursFields {
  /** @param {() => void} onChange */
  constructor(onChange) {
    /** @param {string} id @param {string} name */
    const time = (id, name) => el("input", { type: "time", id, "aria-label": name, onchange: onChange });
    this.from = time("hours-from", t("web.hours_from"));
    this.to = time("hours-to", t("web.hours_until"));
    this.days = WEEKDAYS.map((name, position) => {
      const press = () => {
        button.ariaPressed = String(button.ariaPressed !== "true");
        onChange();
      };
      const about = { "aria-pressed": "false", "data-day": position + 1, onclick: press };
      const button = el("button.button.weekday", about, name);
      return button;
    });
    /** @param {Partial<Hours>} chosen */
    const choose = (chosen) => {
      this.show({ ...this.read(), ...chosen });
      onChange();
    };
    const common = COMMON.map(([name, chosen]) =>
      el("button.button", { onclick: () => choose(chosen) }, name),
    );
    const week = el("div.weekdays", { role: "toolbar", "aria-label": t("web.weekdays") }, ...this.days);
    rove(week);
    this.element = el(
      "fieldset.hours",
      el("legend", t("web.only_these_hours_and_weekdays")),
      el(
        "div.field-row",
        this.from,
        "–",
        this.to,
        el("button.button", { onclick: () => choose({ hours: null, weekdays: [] }) }, t("web.all")),
      ),
      week,
      el("div.weekdays", { role: "group", "aria-label": t("web.common_hours_and_weekdays") }, ...common),
    );
  }

  /** @param {Hours} chosen */
  show({ hours, weekdays }) {
    const [from, to] = hours?.split("-") ?? ["", ""];
    this.from.value = from;
    this.to.value = to === "24:00" ? "00:00" : to;
    for (const button of this.days)
      button.ariaPressed = String(weekdays.includes(Number(button.dataset.day)));
  }

  /** @returns {Hours} */
  read() {
    const from = this.from.value || "00:00";
    const to = this.to.value && this.to.value !== "00:00" ? this.to.value : "24:00";
    const pressed = this.days.filter((button) => button.ariaPressed === "true");
    const weekdays = pressed.map((button) => Number(button.dataset.day));
    return {
      hours: from === to || (from === "00:00" && to === "24:00") ? null : `${from}-${to}`,
      weekdays: weekdays.length === 7 ? [] : weekdays,
    };
  }
}

class ZoneField {
  /** @param {(timezone: string|null) => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    /** The default time zone. */
    this.usual = "";
    this.input = zoneInput({ id: "timezone" });
    this.element = field(t("web.time_zone"), this.input);
    this.input.addEventListener("change", () => this.#take());
    // The list only shows matches for the text, so select it for overwriting.
    this.input.addEventListener("focus", () => this.input.select());
  }

  #take() {
    const name = this.input.value.trim();
    if (this.input.reportValidity()) this.onChange(!name || name === this.usual ? null : name);
  }

  /** @param {Page.State} state */
  show(state) {
    this.usual = usualZoneOf(state.sources);
    if (document.activeElement !== this.input) this.input.value = zoneOf(state);
    this.input.setCustomValidity("");
  }
}

/** @typedef {import("./ranges.js").Range} Range */
/** @typedef {Pick<Page.State, "from"|"to">} Limits  `null` for the start or end of the footage */

const ALL = { from: null, to: null };
const ENDS = /** @type {("from"|"to")[]} */ (["from", "to"]);

export class RangePanel {
  /**
   * @param {Object} on
   * @param {(change: Partial<Page.State>) => void} on.change
   * @param {() => void} on.widen  zooms out by one step
   */
  constructor(on) {
    this.on = on;
    /** @type {Page.State|null} */
    this.state = null;
    /** The range of all footage. @type {Range|null} */
    this.data = null;
    /** The range chosen in the open panel. @type {Limits} */
    this.draft = ALL;
    /** Returns the days of a month with footage. @type {(month: number) => Promise<Set<number>|null>} */
    this.filmed = async () => null;
    this.named = el("div.named", { role: "toolbar", "aria-label": t("web.ranges_with_a_name") });
    rove(this.named);
    const moment = (/** @type {string} */ id) =>
      el("input", { type: "datetime-local", id, step: 1, onchange: () => this.#type() });
    this.inputs = { from: moment("from"), to: moment("to") };
    this.error = el("p.panel-error", { id: "range-error", role: "alert", hidden: true });
    this.calendar = new Calendar({
      choose: (range) => this.#draw(range),
      month: (month) => this.filmed(month),
    });
    this.hours = new HoursFields(() => {});
    this.zone = new ZoneField((timezone) => this.on.change({ timezone }));
    this.panel = new Panel("range-panel", t("web.time"), {
      open: () => this.#open(),
      focus: () => this.named.querySelector("button"),
      close: () => this.#take(),
    });
    const form = el(
      "form.range-form",
      { novalidate: true, autocomplete: "off" },
      this.named,
      this.calendar.element,
      el(
        "div.range-exact.stack",
        field(t("web.from_title"), this.inputs.from),
        field(t("web.to"), this.inputs.to),
        this.error,
        this.hours.element,
        this.zone.element,
        el("button.button.primary", { type: "submit" }, t("web.show")),
      ),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#isPossible() && this.zone.input.checkValidity()) this.panel.close();
    });
    this.panel.body.append(form);
  }

  /** @param {Page.State} state @param {Range|null} data  range of all footage */
  show(state, data) {
    this.state = state;
    this.data = data;
    this.filmed = (month) => filmedDays(state, month);
    this.zone.show(state);
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
    const widen = () => {
      this.state = null; // discard the draft
      this.panel.close();
      this.on.widen();
    };
    this.named.replaceChildren(
      this.#button(t("web.all_the_footage"), ALL),
      ...ranges.map(({ name, range }) => this.#button(name, range)),
      el("button.button", { disabled: !this.#drafted(), onclick: widen }, t("web.zoom_out")),
    );
  }

  /** One end of the draft, for its field. @param {"from"|"to"} end */
  #written(end) {
    const ms = this.draft[end] ?? this.data?.[end] ?? null;
    return ms === null ? "" : toInput(ms);
  }

  /** The draft with both ends; `null` for all footage. @returns {Range|null} */
  #drafted() {
    const { draft, data } = this;
    if (draft.from === null && draft.to === null) return null;
    return { from: draft.from ?? data?.from ?? -Infinity, to: draft.to ?? data?.to ?? Infinity };
  }

  /** @param {string} name @param {Limits} range */
  #button(name, range) {
    const isChosen = ENDS.every((end) => range[end] === this.draft[end]);
    const choose = () => {
      this.draft = range;
      this.#render();
      this.panel.close();
    };
    return el("button.button", { "aria-pressed": String(isChosen), onclick: choose }, name);
  }

  /** Reads the typed times; a field has whole seconds, so an unchanged one is not a choice. */
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
    this.error.textContent = isPossible ? "" : t("web.to_must_be_later_than_from");
    this.error.hidden = isPossible;
    for (const end of ENDS) this.inputs[end].toggleAttribute("aria-invalid", !isPossible);
    return isPossible;
  }

  /** Applies the draft if it differs and is valid; otherwise discards it. */
  #take() {
    const { state } = this;
    if (!state || !this.#isPossible()) return;
    const change = { ...this.draft, ...this.hours.read() };
    const names = /** @type {(keyof typeof change)[]} */ (Object.keys(change));
    if (names.some((name) => String(change[name]) !== String(state[name]))) this.on.change(change);
  }
}
