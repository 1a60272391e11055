// A month of days to choose from, with those marked that have footage. Arrow keys go from day to day.

import { el, iconButton } from "../shared/dom.js";
import { tickParts } from "../shared/format.js";
import { partsOf, plus, startOf } from "../shared/time.js";

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/** @type {Record<string, {days?: number, months?: number}>} */
const STEPS = {
  ArrowRight: { days: 1 },
  ArrowLeft: { days: -1 },
  ArrowDown: { days: 7 },
  ArrowUp: { days: -7 },
  PageDown: { months: 1 },
  PageUp: { months: -1 },
};

export class Calendar {
  /**
   * @param {Object} on
   * @param {(range: import("./ranges.js").Range) => void} on.choose
   * @param {(month: number) => Promise<Set<number>|null>} on.month  which days of it have footage
   */
  constructor(on) {
    this.on = on;
    /** The day that the keyboard is at. */
    this.day = 0;
    /** @type {import("./ranges.js").Range|null} */
    this.range = null;
    /** The day chosen last, to which the next one makes a range. @type {number|null} */
    this.first = null;
    /** @type {Set<number>|null} */
    this.filmed = null;
    this.title = el("p", { class: "strong", id: "calendar-month", "aria-live": "polite" });
    this.days = el("tbody");
    const head = WEEKDAYS.map((name) => el("th", { scope: "col", abbr: name, text: name.slice(0, 2) }));
    const table = el(
      "table",
      { class: "calendar-days", role: "grid", "aria-labelledby": this.title.id },
      el("thead", {}, el("tr", {}, ...head)),
      this.days,
    );
    table.addEventListener("keydown", (event) => this.#key(event));
    const turn = (/** @type {number} */ months) => this.#go(plus(startOf(this.day, "month"), { months }));
    this.element = el(
      "div",
      { class: "calendar" },
      el(
        "div",
        { class: "calendar-head" },
        iconButton("Month before", "‹", () => turn(-1)),
        this.title,
        iconButton("Month after", "›", () => turn(1)),
      ),
      table,
      el("p", {
        class: "muted small calendar-key",
        text: "Marked days have footage. A second day makes a range.",
      }),
    );
  }

  /**
   * @param {import("./ranges.js").Range|null} range
   * @param {number} day  any moment of the day to begin at
   */
  open(range, day) {
    this.range = range;
    this.first = null;
    this.filmed = null;
    this.#go(day);
  }

  /** @param {import("./ranges.js").Range|null} range */
  show(range) {
    this.range = range;
    this.#render();
  }

  /** @param {number} ms */
  #go(ms) {
    const before = startOf(this.day, "month");
    this.day = startOf(ms, "day");
    const month = startOf(this.day, "month");
    if (month !== before || !this.filmed) {
      this.filmed = null;
      this.on.month(month).then((filmed) => {
        if (startOf(this.day, "month") !== month) return;
        this.filmed = filmed;
        this.#render();
      });
    }
    this.#render();
  }

  #render() {
    const hadFocus = this.days.contains(document.activeElement);
    const month = startOf(this.day, "month");
    const { month: name, year } = tickParts(month);
    this.title.textContent = `${name} ${year}`;
    /** @type {HTMLTableRowElement[]} */
    const weeks = [];
    for (let week = startOf(month, "week"); week < plus(month, { months: 1 }); week = plus(week, { days: 7 }))
      weeks.push(el("tr", {}, ...WEEKDAYS.map((_, days) => this.#cell(plus(week, { days }), month))));
    this.days.replaceChildren(...weeks);
    if (hadFocus) /** @type {HTMLElement|null} */ (this.days.querySelector("[tabindex='0']"))?.focus();
  }

  /**
   * @param {number} day
   * @param {number} month
   */
  #cell(day, month) {
    if (startOf(day, "month") !== month) return el("td");
    const { range, filmed } = this;
    const isIn = range !== null && day < range.to && plus(day, { days: 1 }) > range.from;
    const has = filmed?.has(day);
    const words = has ? ", footage" : filmed ? ", no footage" : "";
    return el(
      "td",
      { role: "gridcell", "aria-selected": String(isIn) },
      el("button", {
        type: "button",
        class: has ? "day filmed" : "day",
        tabindex: day === this.day ? "0" : "-1",
        "aria-label": `${WEEKDAYS[partsOf(day).weekday - 1]} ${tickParts(day).date}${words}`,
        "aria-pressed": String(isIn),
        text: String(partsOf(day).day),
        onclick: () => this.#choose(day),
      }),
    );
  }

  /** @param {number} day */
  #choose(day) {
    this.day = day;
    const [from, last] = [this.first ?? day, day].sort((a, b) => a - b);
    this.first = this.first === null ? day : null;
    this.on.choose({ from, to: plus(last, { days: 1 }) });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (!(event.key in STEPS)) return;
    event.preventDefault();
    this.#go(plus(this.day, STEPS[event.key]));
  }
}
