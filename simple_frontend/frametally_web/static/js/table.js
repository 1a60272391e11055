// The chart's numbers as a table: a row per interval with footage, one per stretch without.

import { el } from "./dom.js";
import { moment, number, span } from "./format.js";
import { detectionsIn } from "./series.js";

const ROWS_AT_ONCE = 200;

/**
 * @param {HTMLElement} area  filled with the table
 * @param {Object} view  as the chart has it
 * @param {(start: number) => void} onBar
 */
export function showTable(area, view, onBar) {
  const lines = linesOf(view.rows);
  const body = el("tbody");
  const more = el("button", { type: "button", class: "button" });
  let shown = 0;
  const showMore = () => {
    const next = lines.slice(shown, shown + ROWS_AT_ONCE);
    body.append(...next.map((line) => lineElement(line, view, onBar)));
    shown += next.length;
    more.hidden = shown >= lines.length;
    more.textContent = `Show ${number(Math.min(ROWS_AT_ONCE, lines.length - shown))} more of ${number(lines.length)}`;
  };
  more.addEventListener("click", showMore);
  showMore();
  area.replaceChildren(
    el(
      "table",
      {},
      el("thead", {}, el("tr", {}, ...headings(view.series))),
      body,
      el("tfoot", {}, totalsElement(view)),
    ),
    more,
  );
}

function headings(series) {
  const names = ["Interval", ...series.map((one) => one.name), "All", "Frames analysed", ""];
  return names.map((name, position) =>
    name ? el("th", { scope: "col", class: position ? "number" : null, text: name }) : el("td"),
  );
}

// Neighbouring rows without footage are one line: { gap: [start, end] } beside { row }.
function linesOf(rows) {
  const lines = [];
  for (const row of rows) {
    const last = lines.at(-1);
    if (row.frames !== null) lines.push({ row });
    else if (last?.gap) last.gap[1] = row.end;
    else lines.push({ gap: [row.start, row.end] });
  }
  return lines;
}

function lineElement({ row, gap }, { series, at }, onBar) {
  if (gap) {
    return el(
      "tr",
      { class: "gap" },
      el("th", { scope: "row", text: span(...gap) }),
      el("td", { colspan: series.length + 3, text: "no footage" }),
    );
  }
  const open = el("button", {
    type: "button",
    class: "link",
    text: "Show frames",
    "aria-label": `Show the frames of ${span(row.start, row.end)}`,
    onclick: () => onBar(row.start),
  });
  return el(
    "tr",
    { class: row.start === at ? "chosen" : null },
    el("th", { scope: "row", text: moment(row.start) }),
    ...series.map((one) => cell(detectionsIn(row, one))),
    cell(row.total),
    cell(row.frames),
    el("td", {}, open),
  );
}

function totalsElement({ rows, series }) {
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  return el(
    "tr",
    {},
    el("th", { scope: "row", text: "Total" }),
    ...series.map((one) => cell(one.detections)),
    cell(sum(rows.map((row) => row.total))),
    cell(sum(rows.map((row) => row.frames ?? 0))),
    el("td"),
  );
}

function cell(value) {
  return el("td", { class: value ? "number" : "number zero", text: number(value) });
}
