// Crossings: a chart of one line's two directions, a table of all lines, and the objects behind each number.

import { get } from "frametally/js/shared/api.js";
import { rangeWords, showChecks } from "frametally/js/shared/checked.js";
import { holdsAt } from "frametally/js/frames/shapes_over.js";
import { byId, el, refill, swatch } from "frametally/js/shared/dom.js";
import { difference, labelName, moment, number, span } from "frametally/js/shared/format.js";
import { knownWords, METRICS } from "frametally/js/shared/metrics.js";
import { themeColor } from "frametally/js/shared/palette.js";
import { numberCell, rowOf, scrolledTable } from "frametally/js/shared/tables.js";
import { ChosenCard, missingIn, queryOf, sumOf } from "./views.js";
import { pictureOf, Sightings } from "./sightings.js";
import { t } from "frametally/js/shared/texts.js";

const OBJECTS = METRICS.objects;
/** Why a crossing is not measured. @type {Record<Api.CrossingReason["reason"], string>} */
const WHY_NOT_CROSSED = {
  too_few_boxes: t("traffic.too_few_boxes_near_the_line"),
  gap: t("traffic.not_seen_while_it_crossed"),
  never_clear: t("traffic.never_clear_of_the_line"),
  hidden: t("traffic.partly_hidden_its_box_changed_size"),
  cut_path: t("traffic.its_track_ends_near_the_line"),
};

/** @typedef {"to_right"|"to_left"|"not_measured"} Way */

export class CrossingsCard extends ChosenCard {
  /** @param {import("./views.js").On} on */
  constructor(on) {
    super("crossings", on, (start) => this.#openBar(start));
    /** @type {{answer: Api.LineCrossings, state: Page.State}|null} */
    this.shown = null;
    this.proof = new Sightings(byId("crossings-proof"), on);
  }

  /** @param {Page.State} state @param {Api.LineCrossings} answer */
  show(state, answer) {
    this.shown = { state, answer };
    const hasSome = this.choose(answer.lines, () => {
      this.proof.close();
      this.show(state, answer);
    });
    if (!hasSome) return;
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
      ["not_measured", t("web.not_measured"), themeColor("series-other")],
    ]);
    const missing = missingOf(answer, line.name);
    const columns = ways.map(([way, name, color]) => ({
      name,
      color,
      values: sums(answer, line.name, way),
      missing: way === "not_measured" ? undefined : missing,
      intervals: intervalsOf(answer, line.name, way, null),
    }));
    const some = columns.filter(({ values }, position) => position < 2 || values.size);
    const title = t("traffic.crossings_of", { name: line.name });
    byId("crossings-subtitle").textContent = `${title}, ${span(answer.from_ms ?? 0, answer.to_ms ?? 0)}`;
    refill(
      byId("crossings-legend"),
      ...some.map(({ name, color, values, missing: why, intervals }) => {
        const count = el(
          "span.count.muted",
          knownWords(OBJECTS, sumOf(values, why)),
          rangeOfTruth(intervals),
        );
        return el("span.key", swatch(color), el("span.name", name), count);
      }),
    );
    showChecks(byId("crossings-checks"), answer, OBJECTS);
    const { format, perInterval } = OBJECTS;
    const words = { title, axis: t("traffic.crossings_word"), perInterval, format };
    this.showChart(answer, some, answer.lines, words);
  }

  /** @param {Api.LineCrossings} answer */
  #table(answer) {
    const rows = answer.totals.map((one) => {
      const cell = (/** @type {Way} */ way, name = "") =>
        el(
          "td.number",
          name ? el("span.muted", `${name} `) : null,
          this.#numberButton(one.line, way, one.label, one[way]),
          el("span.muted", rangeOfTruth(intervalsOf(answer, one.line, way, one.label))),
        );
      const unmeasured = cell("not_measured");
      unmeasured.title = one.reasons.map(reasonWords).join("; ");
      return rowOf(
        one.line,
        el("td", labelName(one.label)),
        cell("to_right", this.#wayName(one.line, "to_right")),
        cell("to_left", this.#wayName(one.line, "to_left")),
        numberCell(knownWords(OBJECTS, { value: one.gross, part: one.at_least })),
        numberCell(one.net === null ? "–" : difference(one.net)),
        unmeasured,
      );
    });
    if (!rows.length) return el("p.muted", t("traffic.nobody_crossed_a_line_in_this"));
    const columns = [
      t("traffic.line"),
      t("web.label"),
      t("traffic.with_the_arrow"),
      t("traffic.against_it"),
      t("traffic.gross"),
      t("traffic.net"),
      t("traffic.not_measured"),
    ];
    return scrolledTable(t("traffic.crossings_by_line_and_label"), columns, 2, rows);
  }

  /** @param {string} line @param {Way} way @param {string|null} label @param {number|null} value */
  #numberButton(line, way, label, value) {
    if (value === null) return el("span.muted", way === "not_measured" ? "–" : t("web.not_measured"));
    if (!value) return el("span.zero", "0");
    const name = t("traffic.over_show_them", {
      value: number(value),
      label: labelName(label ?? ""),
      line: this.#wayName(line, way),
      line2: line,
    });
    const onclick = () => this.#open({ line, way, label });
    return el("button.link", { "aria-label": name, onclick }, number(value));
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
    const what = way
      ? t("traffic.over", { line: this.#wayName(line, way), line2: line })
      : t("traffic.over_line", { line });
    this.proof.open(`${label ? labelName(label) : t("traffic.objects")} ${what}${when}`, async (cursor) => {
      const page = await get("crossings/objects", query(cursor));
      return { ...page, sightings: page.entries.map((one) => sightingOf(one, page.lines)) };
    });
  }

  #line(name = this.chosen) {
    return this.shown?.answer.lines.find((one) => one.name === name) ?? null;
  }

  /** @param {string} name @param {Way} way */
  #wayName(name, way) {
    return way === "not_measured" ? t("web.not_measured") : (this.#line(name)?.[way] ?? way);
  }
}

/**
 * @param {Api.ProvedCrossing} one
 * @param {Api.CountedLine[]} lines
 * @returns {import("./sightings.js").Sighting}
 */
function sightingOf(one, lines) {
  const line = lines.find((each) => holdsAt(each, one.time_ms)) ?? lines[0];
  const shown = { lines: [line], way: one };
  const title = `${labelName(one.label)}, ${line[one.direction]}`;
  const before = t("traffic.before", { captured_at_ms: moment(one.before?.captured_at_ms ?? 0) });
  const after = t("traffic.after", { captured_at_ms: moment(one.after?.captured_at_ms ?? 0) });
  const words = [`${number(one.number)}. ${title}`, moment(one.time_ms)];
  if (one.missing)
    words.push(t("traffic.not_measured_because", { WHY_NOT_CROSSED: WHY_NOT_CROSSED[one.missing] }));
  return {
    words,
    pictures: [
      ...pictureOf(one.before, shown, { title, caption: before }),
      ...pictureOf(one.after, shown, { title, caption: after }),
    ],
  };
}

/** @param {Api.CrossingReason} reason */
const reasonWords = ({ reason, count }) => `${number(count)}: ${WHY_NOT_CROSSED[reason]}`;

/** @param {Api.LineCrossings} answer @param {string} line @param {Way} way */
function sums({ crossings }, line, way) {
  /** @type {Map<number, number>} */
  const values = new Map();
  for (const one of crossings) {
    const value = one[way];
    if (one.line === line && value) values.set(one.start_ms, (values.get(one.start_ms) ?? 0) + value);
  }
  return values;
}

/**
 * Why the crossings of a line are unknown or incomplete, by start of the bar.
 * @param {Api.LineCrossings} answer
 * @param {string} line
 */
const missingOf = ({ unknown, crossings }, line) =>
  missingIn([...unknown, ...crossings.filter((one) => one.line === line)]);

/**
 * Intervals from accuracy checks, by start of the bar; `null` is the whole range.
 * @param {Api.LineCrossings} answer
 * @param {string} line
 * @param {Way} way
 * @param {string|null} label  `null` for all labels together
 * @returns {Map<number|null, Page.Interval>}
 */
const intervalsOf = ({ intervals = [] }, line, way, label) =>
  new Map(
    intervals
      .filter((one) => one.line === line && one.direction === way && one.label === label)
      .map((one) => [one.start_ms, one]),
  );

/**
 * " (12 to 15)" for the whole range; empty if no check covers it.
 * @param {Map<number|null, Page.Interval>} intervals
 */
const rangeOfTruth = (intervals) => rangeWords(OBJECTS, intervals.get(null) ?? null);
