// A month of days to choose from; days with footage are marked. The arrow keys move between days.

import { ApiError, get, selectionQuery } from "../shared/api.js";
import { el, iconButton } from "../shared/dom.js";
import { tickParts } from "../shared/format.js";
import { DEFAULT } from "../shared/state.js";
import { WEEKDAYS, partsOf, plus, startOf } from "../shared/time.js";
import { t } from "../shared/texts.js";

/**
 * @param {Page.State} state  sources, model and time zone
 * @param {number} month  start of the month, ms
 * @returns {Promise<Set<number>|null>}  starts of the days with footage, ms; `null` if unknown
 */
export async function filmedDays({ sources, model, timezone }, month) {
  const range = { from: month, to: plus(month, { months: 1 }) };
  // Footage does not depend on labels, so request them together for a short answer.
  const bars = { interval: 86_400, top: 0 };
  const query = selectionQuery({ ...DEFAULT, sources, model, timezone, ...range }, {}, bars);
  try {
    const { coverage } = await get("counts", query);
    return new Set(coverage.map(({ start_ms: start }) => startOf(start, "day")));
  } catch (error) {
    if (error instanceof ApiError) return null; // the calendar works without it
    throw error;
  }
}

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
   * @param {(month: number) => Promise<Set<number>|null>} on.month  returns the days of the month with footage
   */
  constructor(on) {
    this.on = on;
    /** The day with the keyboard focus. */
    this.day = 0;
    /** @type {import("./ranges.js").Range|null} */
    this.range = null;
    /** The last chosen day; the next one completes a range. @type {number|null} */
    this.first = null;
    /** @type {Set<number>|null} */
    this.filmed = null;
    this.title = el("p.strong", { id: "calendar-month", "aria-live": "polite" });
    this.days = el("tbody");
    const head = WEEKDAYS.map((name) => el("th", { scope: "col", abbr: name }, name.slice(0, 2)));
    const table = el(
      "table.calendar-days",
      { role: "grid", "aria-labelledby": this.title.id },
      el("thead", el("tr", ...head)),
      this.days,
    );
    table.addEventListener("keydown", (event) => this.#key(event));
    const turn = (/** @type {number} */ months) => this.#go(plus(startOf(this.day, "month"), { months }));
    const before = iconButton(t("web.month_before"), "‹", () => turn(-1));
    const after = iconButton(t("web.month_after"), "›", () => turn(1));
    this.element = el(
      "div.calendar",
      el("div.calendar-head", before, this.title, after),
      table,
      el("p.muted.small.calendar-key", t("web.marked_days_have_footage_a_second")),
    );
  }

  /**
   * @param {import("./ranges.js").Range|null} range
   * @param {number} day  any moment of the first day
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
      weeks.push(el("tr", ...WEEKDAYS.map((_, days) => this.#cell(plus(week, { days }), month))));
    this.days.replaceChildren(...weeks);
    if (hadFocus) /** @type {HTMLElement|null} */ (this.days.querySelector("[tabindex='0']"))?.focus();
  }

  /** @param {number} day @param {number} month */
  #cell(day, month) {
    if (startOf(day, "month") !== month) return el("td");
    const { range, filmed } = this;
    const isIn = range !== null && day < range.to && plus(day, { days: 1 }) > range.from;
    const has = filmed?.has(day);
    const words = has ? t("web.footage_on_day") : filmed ? t("web.no_footage_on_day") : "";
    const { weekday, day: number } = partsOf(day);
    const button = el(
      has ? "button.day.filmed" : "button.day",
      {
        tabindex: day === this.day ? "0" : "-1",
        "aria-label": `${WEEKDAYS[weekday - 1]} ${tickParts(day).date}${words}`,
        "aria-pressed": String(isIn),
        onclick: () => this.#choose(day),
      },
      number,
    );
    return el("td", { role: "gridcell", "aria-selected": String(isIn) }, button);
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
