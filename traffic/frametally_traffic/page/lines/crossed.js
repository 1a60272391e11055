// Crossings: a chart of one line in its two directions, a table of all, and the objects behind each number.

import { TimeChart } from "frametally/js/chart/plot.js";
import { get } from "frametally/js/shared/api.js";
import { byId, control, el, refill, swatch } from "frametally/js/shared/dom.js";
import { moment, number, span } from "frametally/js/shared/format.js";
import { themeColor } from "frametally/js/shared/palette.js";
import {
  headingsOf,
  numberCell,
  rowOf,
  scrollable,
  spokenCaption,
  tableOf,
} from "frametally/js/shared/tables.js";
import { queryOf } from "./form.js";
import { pictureOf, Sightings } from "./sightings.js";
import { viewOf } from "./views.js";

/** Why a crossing is not measured. @type {Record<Api.CrossingReason["reason"], string>} */
export const WHY_NOT_CROSSED = {
  too_few_boxes: "too few boxes near the line",
  gap: "not seen while it crossed",
  never_clear: "never clear of the line",
  hidden: "partly hidden: its box changed size",
};

/** @typedef {"to_right"|"to_left"|"not_measured"} Way */

export class CrossingsCard {
  /**
   * @param {Object} on
   * @param {Page.ColorOf} on.colorOf
   * @param {(pictures: import("./sightings.js").Large[], position: number) => void} on.open
   * @param {(from: number, to: number) => void} on.zoom
   * @param {() => void} on.unzoom
   */
  constructor(on) {
    /** @type {string|null} */
    this.chosen = null;
    /** @type {{answer: Api.LineCrossings, state: Page.State}|null} */
    this.shown = null;
    this.proof = new Sightings(byId("crossings-proof"), on);
    this.chart = new TimeChart(control("crossings-chart", HTMLCanvasElement), {
      bar: (start) => this.#openBar(start),
      hole: () => undefined,
      zoom: on.zoom,
      unzoom: on.unzoom,
    });
  }

  /**
   * @param {Page.State} state
   * @param {Api.LineCrossings} answer
   */
  show(state, answer) {
    this.shown = { state, answer };
    const names = [...new Set(answer.lines.map(({ name }) => name))];
    byId("crossings-card").hidden = !names.length;
    if (!names.length) return;
    if (!this.chosen || !names.includes(this.chosen)) this.chosen = names[0];
    refill(
      byId("crossings-of"),
      ...(names.length > 1 ? names : []).map((name) =>
        el("button", {
          type: "button",
          "aria-pressed": String(name === this.chosen),
          text: name,
          title: name,
          onclick: () => {
            this.chosen = name;
            this.proof.close();
            this.show(state, answer);
          },
        }),
      ),
    );
    this.#showChart(answer);
    refill(byId("crossings-table"), this.#table(answer));
  }

  /** @param {Api.LineCrossings} answer */
  #showChart(answer) {
    const line = this.#line();
    if (!line || !answer.bars.length) return;
    const ways = /** @type {[Way, string, string][]} */ ([
      ["to_right", line.to_right, themeColor("series-0")],
      ["to_left", line.to_left, themeColor("series-1")],
      ["not_measured", "not measured", themeColor("series-other")],
    ]);
    const columns = ways.map(([way, name, color]) => ({ name, color, values: sums(answer, line.name, way) }));
    const some = columns.filter(({ values }, position) => position < 2 || values.size);
    const title = `Crossings of ${line.name}`;
    byId("crossings-subtitle").textContent = `${title}, ${span(...rangeOf(answer))}`;
    refill(
      byId("crossings-legend"),
      ...some.map(({ name, color, values }) =>
        el(
          "span",
          { class: "key" },
          swatch(color),
          el("span", { class: "name", text: name }),
          el("span", { class: "count muted", text: number(total(values)) }),
        ),
      ),
    );
    const view = viewOf(
      answer,
      some,
      answer.lines.filter(({ name }) => name === line.name),
      {
        title,
        axis: "crossings",
        perInterval: true,
        stacks: true,
        format: (value) => (value === null ? "not measured" : number(value)),
      },
    );
    this.chart.canvas.hidden = !view.rows.length;
    if (view.rows.length) this.chart.show(view);
  }

  /** @param {Api.LineCrossings} answer */
  #table(answer) {
    const rows = answer.totals.map((one) => {
      const cell = (/** @type {Way} */ way, name = "") =>
        el(
          "td",
          { class: "number" },
          name ? el("span", { class: "muted", text: `${name} ` }) : null,
          this.#numberButton(one.line, way, one.label, one[way]),
        );
      const unmeasured = cell("not_measured");
      unmeasured.title = one.reasons.map(reasonWords).join("; ");
      return rowOf(
        one.line,
        el("td", { text: one.label }),
        cell("to_right", this.#wayName(one.line, "to_right")),
        cell("to_left", this.#wayName(one.line, "to_left")),
        numberCell(number(one.gross)),
        numberCell(number(one.net)),
        unmeasured,
      );
    });
    if (!rows.length) return el("p", { class: "muted", text: "Nobody crossed a line in this time." });
    return scrollable(
      "Crossings by line and label",
      tableOf({
        caption: spokenCaption("Crossings by line and label"),
        headings: headingsOf(
          ["Line", "Label", "With the arrow", "Against it", "Gross", "Net", "Not measured"],
          (position) => position > 1,
        ),
        rows,
      }),
    );
  }

  /**
   * @param {string} line
   * @param {Way} way
   * @param {string|null} label
   * @param {number} value
   */
  #numberButton(line, way, label, value) {
    if (!value) return el("span", { class: "zero", text: "0" });
    return el("button", {
      type: "button",
      class: "link",
      text: number(value),
      "aria-label": `${number(value)} ${label ?? ""} ${this.#wayName(line, way)} over ${line}: show them`,
      onclick: () => this.#open({ line, way, label }),
    });
  }

  /** @param {number} start */
  #openBar(start) {
    const bar = this.shown?.answer.bars.find((one) => one.start_ms === start);
    if (bar && this.chosen) this.#open({ line: this.chosen, from: bar.start_ms, to: bar.end_ms });
  }

  /** @param {{line: string, way?: Way, label?: string|null, from?: number, to?: number}} asked */
  #open({ line, way, label = null, from, to }) {
    if (!this.shown) return;
    const { state, answer } = this.shown;
    const query = (/** @type {string|null} */ cursor) =>
      queryOf(
        { ...state, labels: label ? [label] : state.labels },
        {
          line,
          direction: way ?? null,
          from: from === undefined ? answer.from_ms : Math.max(from, answer.from_ms ?? from),
          to: to === undefined ? answer.to_ms : Math.min(to, answer.to_ms ?? to),
          base: answer.base_interval_s,
          cursor,
        },
      );
    const when = from === undefined || to === undefined ? "" : `, ${span(from, to)}`;
    const what = way ? `${this.#wayName(line, way)} over ${line}` : `over ${line}`;
    this.proof.open(`${label ?? "Objects"} ${what}${when}`, async (cursor) => {
      const page = await get("crossings/objects", query(cursor));
      return { ...page, sightings: page.entries.map((one) => sightingOf(one, page.lines)) };
    });
  }

  #line() {
    return this.shown?.answer.lines.find(({ name }) => name === this.chosen) ?? null;
  }

  /** @param {string} name @param {Way} way */
  #wayName(name, way) {
    const line = this.shown?.answer.lines.find((one) => one.name === name);
    return way === "not_measured" ? "not measured" : (line?.[way] ?? way);
  }
}

/**
 * @param {Api.ProvedCrossing} one
 * @param {Api.CountedLine[]} lines
 * @returns {import("./sightings.js").Sighting}
 */
function sightingOf(one, lines) {
  const line =
    lines.find(
      ({ from_ms: from, to_ms: to }) => (from ?? -Infinity) <= one.time_ms && one.time_ms < (to ?? Infinity),
    ) ?? lines[0];
  const shown = { lines: [line], path: one.path };
  const title = `${one.label}, ${line[one.direction]}`;
  const pictures = [
    ...pictureOf(one.before, shown, { title, caption: `Before, ${moment(one.before?.captured_at_ms ?? 0)}` }),
    ...pictureOf(one.after, shown, { title, caption: `After, ${moment(one.after?.captured_at_ms ?? 0)}` }),
  ];
  return {
    words: [
      `${number(one.number)}. ${title}`,
      moment(one.time_ms),
      ...(one.missing ? [`Not measured: ${WHY_NOT_CROSSED[one.missing]}.`] : []),
    ],
    pictures,
  };
}

/** @param {Api.CrossingReason} reason */
const reasonWords = ({ reason, count }) => `${number(count)}: ${WHY_NOT_CROSSED[reason]}`;

/**
 * @param {Api.LineCrossings} answer
 * @param {string} line
 * @param {Way} way
 */
function sums({ crossings }, line, way) {
  /** @type {Map<number, number>} */
  const values = new Map();
  for (const one of crossings) {
    if (one.line === line && one[way]) values.set(one.start_ms, (values.get(one.start_ms) ?? 0) + one[way]);
  }
  return values;
}

/** @param {Map<number, number>} values */
const total = (values) => [...values.values()].reduce((sum, value) => sum + value, 0);

/** @param {Api.LineCrossings} answer @returns {[number, number]} */
const rangeOf = ({ from_ms, to_ms }) => [from_ms ?? 0, to_ms ?? 0];
