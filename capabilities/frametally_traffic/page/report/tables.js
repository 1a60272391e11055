// The tables of a traffic report: legs, peak hours, quarter-hours, visits.

import * as format from "frametally/js/shared/format.js";
import { el } from "frametally/js/shared/dom.js";
import { labelName, number, percent } from "frametally/js/shared/format.js";
import { WHY_NOT } from "frametally/js/shared/metrics.js";
import { namedTable, numberCell, rowOf, scrollable } from "frametally/js/shared/tables.js";
import { t } from "frametally/js/shared/texts.js";

/** @typedef {Api.Traffic} Report */

/** @type {Record<NonNullable<Api.TrafficMovement["turn"]>, string>} */
const TURN_SIGNS = { l2: "↙", l: "←", t: "↑", r: "→", r2: "↘", u: "↶" };
/** @type {Record<NonNullable<Api.TrafficMovement["turn"]>, string>} */
const TURN_WORDS = {
  l2: t("traffic.sharp_left"),
  l: t("traffic.left_turn"),
  t: t("traffic.through"),
  r: t("traffic.right_turn"),
  r2: t("traffic.sharp_right"),
  u: t("traffic.u_turn"),
};
/** Chooses all motor vehicles together. */
export const MOTOR = "";

/**
 * Positions of the chosen columns: one class by name, or all motor vehicles.
 * @param {Report} report
 * @param {string} shown
 */
export const columnsOf = ({ columns }, shown) =>
  columns.flatMap((column, at) => ((shown === MOTOR ? column.is_motor : column.name === shown) ? [at] : []));

/** The sum of the known counts; `null` if some are unknown and the rest are 0. @param {(number|null)[]} counts */
function sumOf(counts) {
  const sum = counts.reduce((/** @type {number} */ all, count) => all + (count ?? 0), 0);
  return sum || !counts.includes(null) ? sum : null;
}

/**
 * A quarter-hour's counts by movement, for some columns; `null` if nothing is known.
 * @param {Api.TrafficQuarter} quarter
 * @param {number[]} columns
 */
export const countsOf = ({ counts }, columns) =>
  counts && counts.map((byClass) => sumOf(columns.map((column) => byClass[column])));

/** Totals of the whole report by movement. @param {Report} report @param {number[]} columns */
export const totalsOf = ({ quarters, movements }, columns) =>
  movements.map((_, at) => sumOf(quarters.flatMap((one) => countsOf(one, columns)?.slice(at, at + 1) ?? [])));

/**
 * Why a quarter-hour is not comparable with others; `null` if it was fully observed and all classes were tracked.
 * @param {Api.TrafficQuarter} quarter
 * @param {Api.TrafficClass[]} [classes]  the classes of its counts
 */
export function lackOf({ missing, is_whole: isWhole, seen_ms: seen, counts }, classes = []) {
  if (missing) return WHY_NOT[missing];
  const unknown = classes
    .filter((_, column) => counts?.[0]?.[column] === null)
    .map(({ name }) => labelName(name));
  const words = [
    isWhole ? "" : t("traffic.seen", { seen: percent(seen / QUARTER_MS) }),
    unknown.length ? t("traffic.classes_not_measured", { classes: unknown.join(", ") }) : "",
  ];
  return words.filter(Boolean).join("; ") || null;
}

/** A sum, which may be a minimum. @param {number|null} sum @param {Api.Missing|null} missing */
export const sumWords = (sum, missing) =>
  sum === null ? t("web.not_measured") : missing ? t("web.at_least", { part: number(sum) }) : number(sum);

/** The legs by which vehicles arrive, each with the positions of its movements. @param {Report} report */
function approachesOf({ legs, movements }) {
  return legs.map(({ name }) => ({
    name,
    movements: movements.flatMap(({ from_leg: from }, at) => (from === name ? [at] : [])),
  }));
}

const QUARTER_MS = 900_000;

/** @param {Report} report */
export function legsTable({ legs }) {
  /** @param {number|null} came @param {number|null} went @param {Api.Missing|null} missing */
  const cells = (came, went, missing) =>
    [came, went, sumOf([came, went])].map((count) => numberCell(sumWords(count, missing)));
  const rows = legs.map(({ name, side, came_over: came, went_over: went, missing: why }) =>
    rowOf(name, el("td", side ?? t("traffic.not_known")), ...cells(came, went, why)),
  );
  const missing = legs.find((leg) => leg.missing)?.missing ?? null;
  const sum = (/** @type {"came_over"|"went_over"} */ way) => sumOf(legs.map((leg) => leg[way]));
  const columns = [
    t("traffic.leg"),
    t("traffic.side"),
    t("traffic.in_title"),
    t("traffic.out"),
    t("traffic.both"),
  ];
  const total = rowOf(t("web.all"), el("td"), ...cells(sum("came_over"), sum("went_over"), missing));
  return namedTable(t("traffic.motor_vehicles_by_leg"), columns, 2, rows, { total });
}

/**
 * Crossings of each leg, if an accuracy check covers them.
 * @param {Report} report
 * @param {Api.LineCrossings} crossings
 */
export function checkedTable({ legs }, { totals, intervals = [] }) {
  const whole = intervals.filter((one) => one.start_ms === null && one.label === null);
  const rows = legs.flatMap(({ name, inward }) =>
    whole
      .filter(({ line }) => line === name)
      .map(({ direction, low, high, estimate }) => {
        const raw = totals
          .filter(({ line }) => line === name)
          .reduce((sum, one) => sum + (one[direction] ?? 0), 0);
        return rowOf(
          name,
          el("td", direction === inward ? t("traffic.in_word") : t("traffic.out_word")),
          numberCell(number(raw)),
          numberCell(number(Math.round(estimate))),
          numberCell(
            t("traffic.low_to_high", { low: number(Math.round(low)), high: number(Math.round(high)) }),
          ),
        );
      }),
  );
  const columns = [
    t("traffic.leg"),
    t("traffic.way"),
    t("traffic.raw_count"),
    t("traffic.estimate"),
    t("web.interval"),
  ];
  return namedTable(t("traffic.checked_crossings_all_labels_together"), columns, 2, rows);
}

/** @param {Report} report */
export function peaksTable({ peaks }) {
  const columns = [
    t("traffic.day_title"),
    t("traffic.half"),
    t("traffic.hour_title"),
    t("traffic.vehicles"),
    t("traffic.busiest_quarter"),
    t("traffic.peak_hour_factor"),
    t("traffic.heavy"),
  ];
  const rows = peaks.map((peak) => {
    const day = format.dayOf(peak.day);
    const half = el("td", peak.half === "am" ? t("traffic.am") : t("traffic.pm"));
    if (peak.start_ms === null || peak.vehicles === null)
      return rowOf(day, half, el("td.gap", { colspan: 5 }, t("traffic.no_hour_was_seen_as_a")));
    const quarter = { busiest: number(peak.busiest ?? 0), busiest_ms: minute(peak.busiest_ms ?? 0) };
    return rowOf(
      day,
      half,
      el("td", `${minute(peak.start_ms)} – ${minute(peak.start_ms + 4 * QUARTER_MS)}`),
      numberCell(sumWords(peak.vehicles, peak.missing)),
      numberCell(t("traffic.busiest_from", quarter)),
      numberCell(peak.factor === null ? "–" : peak.factor.toFixed(2)),
      numberCell(peak.heavy_share === null ? "–" : format.percent(peak.heavy_share)),
    );
  });
  return namedTable(t("traffic.peak_hours"), columns, 3, rows);
}

/** @param {number} ms */
const minute = (ms) => format.tickParts(ms).time;

/**
 * Quarter-hours by movement, for one class or all motor vehicles.
 * @param {Report} report
 * @param {string} shown
 */
export function quartersTable(report, shown) {
  const columns = columnsOf(report, shown);
  const approaches = approachesOf(report);
  const width = approaches.reduce((sum, { movements }) => sum + movements.length + 1, 1);
  const oneDay = format.isOneDay(report.from_ms, report.to_ms);
  const rows = report.quarters.map((quarter) => {
    const end = quarter.start_ms + QUARTER_MS;
    const name = oneDay ? format.shortSpan(quarter.start_ms, end) : format.span(quarter.start_ms, end);
    const lack = lackOf(quarter, report.columns);
    const counts = countsOf(quarter, columns);
    if (!counts || (counts.length && counts.every((count) => count === null))) {
      const row = rowOf(name, el("td.gap", { colspan: width }, lack));
      row.classList.add("gap");
      return row;
    }
    return rowOf(
      [document.createTextNode(name), lack ? el("span.remark", lack) : null],
      ...cellsOf(counts, approaches),
    );
  });
  const table = el(
    "table.quarters",
    el("caption.visually-hidden", t("traffic.movements_by_quarter_hour")),
    headOf(report, approaches),
    el("tbody", ...rows),
    el(
      "tfoot",
      rowOf(
        report.totals.missing ? t("traffic.at_least") : t("web.all"),
        ...cellsOf(totalsOf(report, columns), approaches),
      ),
    ),
  );
  return scrollable(t("traffic.table_of_the_quarter_hours"), table);
}

/** @typedef {ReturnType<typeof approachesOf>} Approaches */

/** @param {(number|null)[]} some @param {Approaches} approaches */
function cellsOf(some, approaches) {
  const cells = approaches.flatMap(({ movements }) => [
    ...movements.map((at, place) => countCell(some[at], place ? "number" : "number new-leg")),
    countCell(sumOf(movements.map((at) => some[at])), "number leg-total"),
  ]);
  return [...cells, countCell(sumOf(some), "number new-leg leg-total")];
}

/** @param {number|null} count @param {string} kind */
const countCell = (count, kind) =>
  numberCell(count === null ? "–" : number(count), count ? kind : `${kind} zero`);

/** @param {Report} report @param {Approaches} approaches */
function headOf({ movements, legs }, approaches) {
  const side = new Map(legs.map((leg) => [leg.name, leg.side]));
  const first = approaches.map(({ name, movements: its }) => {
    const part = side.get(name) ? ` (${side.get(name)})` : "";
    const words = t("traffic.from_name", { name, part });
    return el("th.new-leg", { scope: "colgroup", colspan: its.length + 1 }, words);
  });
  const second = approaches.flatMap(({ movements: its }) => [
    ...its.map((at, place) => movementHeading(movements[at], !place)),
    el("th.number", { scope: "col" }, t("web.all_word")),
  ]);
  return el(
    "thead",
    el(
      "tr",
      el("th", { scope: "col", rowspan: 2 }, t("traffic.quarter_hour")),
      ...first,
      el("th.number.new-leg", { scope: "col", rowspan: 2 }, t("web.all")),
    ),
    el("tr", ...second),
  );
}

/** @param {Api.TrafficMovement} movement @param {boolean} isFirst */
function movementHeading({ to_leg: to, turn }, isFirst) {
  const words = turn
    ? t("traffic.turn_to", { TURN_WORDS: TURN_WORDS[turn], to })
    : t("traffic.to_leg", { to });
  return el(
    "th",
    { scope: "col", class: isFirst ? "number new-leg" : "number", title: words },
    turn ? el("span", { "aria-hidden": "true" }, `${TURN_SIGNS[turn]} `) : null,
    el("span", t("traffic.to_leg", { to })),
  );
}

/** The table of visits, with its last row as a sentence. @param {Report} report */
export function visitsPart({ columns, totals: { visits: count, left_out: left } }) {
  const names = [
    t("traffic.class"),
    t("traffic.what_it_is"),
    t("traffic.with_a_movement_title"),
    t("traffic.at_a_leg_no_movement"),
    t("traffic.never_at_a_leg_title"),
    t("traffic.visits_title"),
  ];
  const countsIn = (/** @type {Api.TrafficClass} */ { movements, unassigned, never_at_a_leg: never }) => {
    const counts = [movements, unassigned, never];
    return [...counts, sumOf(counts)];
  };
  const missing = columns.find((column) => column.missing)?.missing ?? null;
  const sums = [0, 1, 2, 3].map((at) => sumWords(sumOf(columns.map((one) => countsIn(one)[at])), missing));
  const rows = columns.map((column) =>
    rowOf(
      labelName(column.name),
      el("td.words", wordsOf(column)),
      ...countsIn(column).map((sum) => numberCell(sumWords(sum, column.missing))),
    ),
  );
  const total = rowOf(t("web.all"), el("td"), ...sums.map((sum) => numberCell(sum)));
  const [assigned, unassigned, never, visits] = sums;
  const sentence = t("traffic.visits_add_up", { count, assigned, unassigned, never, visits });
  const more = left ? t("traffic.more_visits_in_unknown_quarter_hours", { count: left }) : "";
  return {
    words: (visits === t("web.not_measured") ? visits : sentence) + more,
    table: namedTable(t("traffic.visits_by_class"), names, 2, rows, { total }),
  };
}

/** @param {Api.TrafficClass} column */
function wordsOf({ title, labels, codes, is_motor: isMotor }) {
  if (codes.length) return t("traffic.to_this_model", { title, labels: labels.map(labelName).join(", ") });
  return isMotor ? t("traffic.motor_vehicle") : t("traffic.apart_from_the_motor_vehicles");
}
