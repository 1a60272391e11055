// The books as tables: the equation per source, dead letters with their reasons, runs with their reports.

import { el } from "../shared/dom.js";
import { moment, number, plural } from "../shared/format.js";
import { numberCell, rowOf, scrollable, tableOf } from "../shared/tables.js";

const COLUMNS = /** @type {const} */ ([
  ["expected", "Expected"],
  ["announced", "Announced"],
  ["detected", "Detected"],
  ["dead_lettered", "Dead letters"],
  ["forgotten", "Forgotten"],
  ["overlapped", "Overlapped"],
  ["counted", "Counted"],
  ["indexed", "Indexed"],
]);

/** @param {Api.Books} books */
export function booksTable({ sources }) {
  const rows = sources.map((one) => {
    const out = one.detected + one.dead_lettered + one.forgotten + one.overlapped;
    const right =
      !one.producing &&
      one.expected === one.announced &&
      one.announced === out &&
      one.detected === one.counted &&
      one.counted === one.indexed;
    return rowOf(
      el("span", { class: "name", text: one.name, title: one.name }),
      ...COLUMNS.map(([key]) => numberCell(number(one[key]), one[key] ? "number" : "number zero")),
      upTo(one),
      el("td", { class: right ? "ok" : "open", text: right ? "✓ settled" : one.producing ? "… producing" : "… not yet" }),
    ); // prettier-ignore
  });
  return table(
    "Frames of each source, when all is done: expected = announced = detected + dead letters + forgotten + " +
      "overlapped, detected = counted = indexed",
    ["Source", ...COLUMNS.map(([, name]) => name), "Footage up to", "State"],
    rows,
  );
}

/**
 * Up to when there is footage, and up to when it is counted where that is not the same.
 * @param {Api.SourceBooks} source
 */
function upTo({ footage_until_ms: footage, counted_until_ms: counted }) {
  if (footage === null) return el("td", { text: "–" });
  if (counted === footage) return el("td", { text: moment(footage) });
  const behind = counted === null ? "not counted" : `counted: ${moment(counted)}`;
  return el("td", {}, moment(footage), el("div", { class: "muted", text: behind }));
}

/** @param {Api.Books} books */
export function deadLetters({ dead_letters: letters }) {
  const rows = letters.map(({ cause, frames, reason, command }) =>
    rowOf(
      cause,
      numberCell(number(frames)),
      el("td", { class: "words", text: reason }),
      el("td", {}, el("code", { text: command })),
    ),
  );
  return table(
    "Dead letters: frames that could not be detected",
    ["Cause", "Frames", "Reason", "To see them"],
    rows,
  );
}

/** @param {Api.Runs} answer */
export function runsTable({ runs, runs_left_out: left }) {
  const rows = runs.map((run) =>
    rowOf(
      run.day,
      numberCell(number(run.frames)),
      numberCell(run.quality ? number(run.quality.detections) : "–"),
      numberCell(number(run.duplicates_dropped)),
      el("td", { class: "words" }, quality(run)),
      el("td", {}, el("code", { text: run.run_id })),
    ),
  );
  const caption = `Last runs${left ? ` (${number(left)} older ones are not shown)` : ""}`;
  return table(
    caption,
    ["Day (UTC)", "Frames", "Detections", "Duplicates dropped", "Quality report", "Run"],
    rows,
  );
}

/** @param {Api.RunReport} run */
function quality({ quality: report }) {
  if (!report) return el("span", { class: "muted", text: "no report" });
  const failed = report.checks.filter((check) => check.passed === false);
  const unknown = report.checks.filter((check) => check.passed === null).length;
  const done = report.checks.length - failed.length - unknown;
  const summary = failed.length
    ? `${plural(failed.length, "check")} of ${report.checks.length} failed`
    : `✓ ${plural(done, "check")} passed${unknown ? `, ${unknown} could not be made` : ""}`;
  return el(
    "details",
    {},
    el("summary", { class: failed.length ? "open" : "ok", text: summary }),
    el(
      "ul",
      {},
      ...report.checks.map((check) =>
        el("li", {
          text: [
            `${check.passed === null ? "?" : check.passed ? "✓" : "✗"} ${check.name}`,
            check.count ? `: ${number(check.count)}` : "",
            check.details.length ? ` (${check.details.join("; ")})` : "",
          ].join(""),
        }),
      ),
    ),
  );
}

/**
 * @param {string} caption
 * @param {string[]} names
 * @param {HTMLElement[]} rows
 */
function table(caption, names, rows) {
  const numbers = new Set([...COLUMNS.map(([, name]) => name), "Frames", "Detections", "Duplicates dropped"]);
  const headings = names.map((text) =>
    el("th", { scope: "col", class: numbers.has(/** @type {any} */ (text)) ? "number" : null, text }),
  );
  return scrollable(caption, tableOf({ caption: el("caption", { text: caption }), headings, rows }));
}
