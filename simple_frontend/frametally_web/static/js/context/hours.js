// Hours of the day and days of the week: what of a range is counted.

import { el } from "../shared/dom.js";
import { rove } from "../shell/roving.js";

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/** @typedef {Pick<Page.State, "hours"|"weekdays">} Hours */

/**
 * "08:00–09:00, Mon–Fri"; "" for all of them.
 * @param {Hours} chosen
 */
export function hoursText({ hours, weekdays }) {
  return [hours?.replace("-", "–"), weekdaysText(weekdays)].filter(Boolean).join(", ");
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

export class HoursFields {
  /** @param {() => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    const time = (/** @type {string} */ id) => el("input", { type: "time", id, onchange: onChange });
    this.from = time("hours-from");
    this.to = time("hours-to");
    this.days = WEEKDAYS.map((name, position) =>
      el("button", {
        type: "button",
        class: "button weekday",
        "aria-pressed": "false",
        "data-day": String(position + 1),
        text: name,
        onclick: (/** @type {Event} */ event) => press(/** @type {HTMLElement} */ (event.target)),
      }),
    );
    const press = (/** @type {HTMLElement} */ button) => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      onChange();
    };
    const week = el("div", { class: "weekdays", role: "toolbar", "aria-label": "Weekdays" }, ...this.days);
    rove(week);
    this.element = el(
      "fieldset",
      { class: "hours" },
      el("legend", { text: "Only these hours and weekdays" }),
      el(
        "div",
        { class: "field-row" },
        el("label", { class: "visually-hidden", for: this.from.id, text: "Hours from" }),
        this.from,
        "–",
        el("label", { class: "visually-hidden", for: this.to.id, text: "Hours until" }),
        this.to,
        el("button", { type: "button", class: "button", text: "All", onclick: () => this.#clear() }),
      ),
      week,
    );
  }

  #clear() {
    this.show({ hours: null, weekdays: [] });
    this.onChange();
  }

  /** @param {Hours} chosen */
  show({ hours, weekdays }) {
    const [from, to] = hours?.split("-") ?? ["", ""];
    this.from.value = from;
    this.to.value = to === "24:00" ? "00:00" : to;
    for (const button of this.days)
      button.setAttribute("aria-pressed", String(weekdays.includes(Number(button.dataset.day))));
  }

  /** @returns {Hours} */
  read() {
    const from = this.from.value || "00:00";
    const to = this.to.value && this.to.value !== "00:00" ? this.to.value : "24:00";
    const weekdays = this.days
      .filter((button) => button.getAttribute("aria-pressed") === "true")
      .map((button) => Number(button.dataset.day));
    return {
      hours: from === to || (from === "00:00" && to === "24:00") ? null : `${from}-${to}`,
      weekdays: weekdays.length === 7 ? [] : weekdays,
    };
  }
}
