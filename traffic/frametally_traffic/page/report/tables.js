// The tables of a traffic report: legs, peak hours, quarter-hours, visits.

import { el } from "frametally/js/shared/dom.js";
import * as format from "frametally/js/shared/format.js";
import {
  headingsOf,
  numberCell,
  rowOf,
  scrollable,
  spokenCaption,
  tableOf,
} from "frametally/js/shared/tables.js";
import { approachesOf, columnsOf, countsOf, lackOf, totalsOf, TURN_SIGNS, TURN_WORDS } from "./report.js";

/** @typedef {Api.Traffic} Report */

const QUARTER_MS = 900_000;

/** @param {Report} report */
export function legsTable({ legs }) {
  const rows = legs.map(({ name, side, came_over: came, went_over: went }) =>
    rowOf(
      name,
      el("td", { text: side ?? "not known" }),
      ...[came, went, came + went].map((count) => numberCell(format.number(count))),
    ),
  );
  const sum = (/** @type {"came_over"|"went_over"} */ way) => legs.reduce((all, leg) => all + leg[way], 0);
  const [came, went] = [sum("came_over"), sum("went_over")];
  return tableOf({
    caption: spokenCaption("Motor vehicles by leg"),
    headings: headingsOf(["Leg", "Side", "In", "Out", "Both"], (at) => at > 1),
    rows,
    total: rowOf(
      "All",
      el("td"),
      ...[came, went, came + went].map((count) => numberCell(format.number(count))),
    ),
  });
}

/** @param {Report} report */
export function peaksTable({ peaks }) {
  const names = ["Day", "Half", "Hour", "Vehicles", "Busiest quarter", "Peak-hour factor", "Heavy"];
  const rows = peaks.map((peak) => {
    const half = el("td", { text: peak.half.toUpperCase() });
    if (peak.start_ms === null || peak.vehicles === null) {
      return rowOf(
        peak.day,
        half,
        el("td", { class: "gap", colspan: 5, text: "no hour was seen as a whole" }),
      );
    }
    const busiest = `${format.number(peak.busiest ?? 0)} from ${minute(peak.busiest_ms ?? 0)}`;
    return rowOf(
      peak.day,
      half,
      el("td", { text: `${minute(peak.start_ms)} – ${minute(peak.start_ms + 4 * QUARTER_MS)}` }),
      numberCell(format.number(peak.vehicles)),
      numberCell(busiest),
      numberCell(peak.factor === null ? "–" : peak.factor.toFixed(2)),
      numberCell(peak.heavy_share === null ? "–" : format.percent(peak.heavy_share)),
    );
  });
  return tableOf({
    caption: spokenCaption("Peak hours"),
    headings: headingsOf(names, (at) => at > 2),
    rows,
  });
}

/** @param {number} ms */
const minute = (ms) => format.tickParts(ms).time;

/**
 * Quarter-hours by movement, of a class or of all motor vehicles.
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
    const lack = lackOf(quarter);
    const counts = countsOf(quarter, columns);
    if (!counts) {
      const row = rowOf(name, el("td", { class: "gap", colspan: width, text: lack }));
      row.classList.add("gap");
      return row;
    }
    return rowOf(
      [document.createTextNode(name), lack ? el("span", { class: "remark", text: lack }) : null],
      ...cellsOf(counts, approaches),
    );
  });
  const table = el(
    "table",
    { class: "quarters" },
    spokenCaption("Movements by quarter-hour"),
    headOf(report, approaches),
    el("tbody", {}, ...rows),
    el("tfoot", {}, rowOf("All", ...cellsOf(totalsOf(report, columns), approaches))),
  );
  return scrollable("Table of the quarter-hours", table);
}

/** @typedef {ReturnType<typeof approachesOf>} Approaches */

/** @param {number[]} counts @param {Approaches} approaches */
function cellsOf(counts, approaches) {
  const cells = approaches.flatMap(({ movements }) => [
    ...movements.map((at, place) => countCell(counts[at], place ? "number" : "number new-leg")),
    countCell(
      movements.reduce((sum, at) => sum + counts[at], 0),
      "number leg-total",
    ),
  ]);
  const all = counts.reduce((sum, count) => sum + count, 0);
  return [...cells, countCell(all, "number new-leg leg-total")];
}

/** @param {number} count @param {string} kind */
const countCell = (count, kind) => numberCell(format.number(count), count ? kind : `${kind} zero`);

/** @param {Report} report @param {Approaches} approaches */
function headOf({ movements, legs }, approaches) {
  const side = new Map(legs.map((leg) => [leg.name, leg.side]));
  const first = approaches.map(({ name, movements: its }) =>
    el("th", {
      scope: "colgroup",
      class: "new-leg",
      colspan: its.length + 1,
      text: `from ${name}${side.get(name) ? ` (${side.get(name)})` : ""}`,
    }),
  );
  const second = approaches.flatMap(({ movements: its }) => [
    ...its.map((at, place) => movementHeading(movements[at], !place)),
    el("th", { scope: "col", class: "number", text: "all" }),
  ]);
  return el(
    "thead",
    {},
    el(
      "tr",
      {},
      el("th", { scope: "col", rowspan: 2, text: "Quarter-hour" }),
      ...first,
      el("th", { scope: "col", rowspan: 2, class: "number new-leg", text: "All" }),
    ),
    el("tr", {}, ...second),
  );
}

/** @param {Api.TrafficMovement} movement @param {boolean} isFirst */
function movementHeading({ to_leg: to, turn }, isFirst) {
  const words = turn ? `${TURN_WORDS[turn]}, to ${to}` : `to ${to}`;
  return el(
    "th",
    { scope: "col", class: isFirst ? "number new-leg" : "number", title: words },
    turn ? el("span", { "aria-hidden": "true", text: `${TURN_SIGNS[turn]} ` }) : null,
    el("span", { text: `to ${to}` }),
  );
}

/** @param {Report} report */
export function visitsTable({ columns }) {
  const names = [
    "Class",
    "What it is",
    "With a movement",
    "At a leg, no movement",
    "Never at a leg",
    "Visits",
  ];
  const countsIn = (/** @type {Api.TrafficClass} */ column) => [
    column.movements,
    column.unassigned,
    column.never_at_a_leg,
    column.movements + column.unassigned + column.never_at_a_leg,
  ];
  const sums = columns
    .map(countsIn)
    .reduce((all, some) => all.map((sum, at) => sum + some[at]), [0, 0, 0, 0]);
  return tableOf({
    caption: spokenCaption("Visits by class"),
    headings: headingsOf(names, (at) => at > 1),
    rows: columns.map((column) =>
      rowOf(
        column.name,
        el("td", { class: "words", text: wordsOf(column) }),
        ...countsIn(column).map((count) => numberCell(format.number(count))),
      ),
    ),
    total: rowOf("All", el("td"), ...sums.map((count) => numberCell(format.number(count)))),
  });
}

/** @param {Api.TrafficClass} column */
function wordsOf({ title, labels, codes, is_motor: isMotor }) {
  if (codes.length) return `${title}; ${labels.join(", ")} to this model`;
  return isMotor ? "motor vehicle" : "apart from the motor vehicles";
}
