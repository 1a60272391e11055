// Zones: how many were there over time, who came and who went, and for how long they stayed.

import { TimeChart } from "frametally/js/chart/plot.js";
import { byId, control, el, refill, swatch } from "frametally/js/shared/dom.js";
import { mean, number, span } from "frametally/js/shared/format.js";
import { scrollable, spokenCaption, tableOf, rowOf, numberCell } from "frametally/js/shared/tables.js";
import { viewOf } from "./views.js";

/** @typedef {"at_start"|"entered"|"appeared"|"from_start"|"left"|"vanished"|"to_end"} Field */

/** What changes how many are there, as columns of the table. @type {[Field, string, string][]} */
const COLUMNS = [
  ["at_start", "At start", "there just before the interval"],
  ["entered", "+ entered", "came over the zone's rim, or from the picture's border"],
  ["appeared", "+ appeared", "first seen within the zone"],
  ["from_start", "+ from start", "there when the footage began"],
  ["left", "− left", "went over the rim, or to the picture's border"],
  ["vanished", "− vanished", "last seen within the zone"],
  ["to_end", "− to the end", "there when the footage ended"],
];
const MOST_ROWS = 500;

export class ZonesCard {
  /**
   * @param {Object} on
   * @param {Page.ColorOf} on.colorOf
   * @param {(from: number, to: number) => void} on.zoom
   * @param {() => void} on.unzoom
   */
  constructor(on) {
    this.on = on;
    /** @type {string|null} */
    this.chosen = null;
    this.chart = new TimeChart(control("zones-chart", HTMLCanvasElement), {
      bar: () => undefined,
      hole: () => undefined,
      zoom: on.zoom,
      unzoom: on.unzoom,
    });
  }

  /** @param {Api.ZoneStays} answer */
  show(answer) {
    const names = [...new Set(answer.zones.map(({ name }) => name))];
    byId("zones-card").hidden = !names.length;
    if (!names.length) return;
    if (!this.chosen || !names.includes(this.chosen)) this.chosen = names[0];
    refill(
      byId("zones-of"),
      ...(names.length > 1 ? names : []).map((name) =>
        el("button", {
          type: "button",
          "aria-pressed": String(name === this.chosen),
          text: name,
          title: name,
          onclick: () => {
            this.chosen = name;
            this.show(answer);
          },
        }),
      ),
    );
    const zone = answer.zones.find(({ name }) => name === this.chosen);
    const own = answer.stays.filter((one) => one.zone === this.chosen);
    const stay =
      zone && zone.median_s !== null
        ? `${number(zone.stays)} stays: half of them up to ${seconds(zone.median_s)}, 90 % up to ${seconds(zone.p90_s)}.`
        : "No stay of which both ends are known.";
    byId("zones-subtitle").textContent = `How many were in ${this.chosen} on average. ${stay}`;
    this.#showChart(answer, own);
    refill(byId("zones-table"), tableOfStays(own, answer));
  }

  /**
   * @param {Api.ZoneStays} answer
   * @param {Api.ZoneBucket[]} own
   */
  #showChart(answer, own) {
    if (!answer.bars.length) return;
    const labels = [...new Set(own.map(({ label }) => label))].sort();
    const columns = labels.map((label) => ({
      name: label,
      color: this.on.colorOf(label),
      values: new Map(own.filter((one) => one.label === label).map((one) => [one.start_ms, one.mean ?? 0])),
    }));
    refill(
      byId("zones-legend"),
      ...columns.map(({ name, color }) =>
        el("span", { class: "key" }, swatch(color), el("span", { class: "name", text: name })),
      ),
    );
    const view = viewOf(
      answer,
      columns,
      answer.zones.filter(({ name }) => name === this.chosen),
      {
        title: `In ${this.chosen}`,
        axis: "there at a time",
        perInterval: false,
        stacks: true,
        format: (value) => (value === null ? "not measured" : mean(value)),
      },
    );
    this.chart.canvas.hidden = !view.rows.length;
    if (view.rows.length) this.chart.show(view);
  }
}

/**
 * A row per interval and label: what was there, came and went is what is there at the end.
 * @param {Api.ZoneBucket[]} stays
 * @param {Api.ZoneStays} answer
 */
function tableOfStays(stays, { bars }) {
  if (!stays.length) return el("p", { class: "muted", text: "Nobody was there in this time." });
  const ends = new Map(bars.map(({ start_ms: start, end_ms: end }) => [start, end]));
  const rows = stays
    .slice(0, MOST_ROWS)
    .map((one) =>
      rowOf(
        span(one.start_ms, ends.get(one.start_ms) ?? one.start_ms),
        el("td", { text: one.label }),
        ...COLUMNS.map(([field]) => numberCell(number(one[field]), one[field] ? "number" : "number zero")),
        numberCell(number(one.at_end), "number strong"),
        numberCell(number(one.peak)),
        numberCell(one.mean === null ? "–" : mean(one.mean)),
      ),
    );
  const heading = (/** @type {string} */ text, title = text) =>
    el("th", { scope: "col", class: "number", title, text });
  return el(
    "div",
    {},
    scrollable(
      "Who came and went, by interval and label",
      tableOf({
        caption: spokenCaption("Who came and went, by interval and label"),
        headings: [
          el("th", { scope: "col", text: "Interval" }),
          el("th", { scope: "col", text: "Label" }),
          ...COLUMNS.map(([, name, title]) => heading(name, title)),
          heading("= at end", "there just before the interval ended"),
          heading("Peak", "most at once"),
          heading("Mean", "on average while there was footage"),
        ],
        rows,
      }),
    ),
    stays.length > MOST_ROWS
      ? el("p", {
          class: "muted small",
          text: `The first ${MOST_ROWS} of ${number(stays.length)} rows: choose a shorter time for the others.`,
        })
      : null,
  );
}

/** @param {number|null} value */
const seconds = (value) => (value === null ? "–" : `${mean(value)} s`);
