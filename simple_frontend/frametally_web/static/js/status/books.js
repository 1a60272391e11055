// The books as words and tables: the equation of all sources and of each, the stages, dead letters with their reasons,
// runs with their reports.

import { el, withCode } from "../shared/dom.js";
import { moment, number, plural, roughly, toTheMinute } from "../shared/format.js";
import { numberCell, rowOf, scrollable, tableOf } from "../shared/tables.js";

/** Of many sources each has a line of its own. */
const FIRST_LINES = 8;

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

/**
 * All sources together; the equals sign only where the two sides are equal.
 * @param {Api.Books} books
 */
export function equation({ sources }) {
  const sum = (/** @type {(one: Api.SourceBooks) => number} */ of) =>
    sources.reduce((total, one) => total + of(one), 0);
  const [expected, announced] = [sum((one) => one.expected), sum((one) => one.announced)];
  const detected = sum((one) => one.detected);
  const [dead, forgotten] = [sum((one) => one.dead_lettered), sum((one) => one.forgotten)];
  const overlapped = sum((one) => one.overlapped);
  if (!expected && !announced) return "";
  const missing = announced - detected - dead - forgotten - overlapped;
  return [
    announced < expected
      ? `${number(announced)} of ${number(expected)} announced`
      : `${number(announced)} announced`,
    missing ? (missing > 0 ? ", so far " : ", but ") : " = ",
    `${number(detected)} detected`,
    dead ? ` + ${plural(dead, "dead letter")}` : "",
    forgotten ? ` + ${number(forgotten)} forgotten` : "",
    overlapped ? ` + ${number(overlapped)} overlapped` : "",
    `; ${number(sum((one) => one.counted))} counted, ${number(sum((one) => one.indexed))} indexed`,
  ].join("");
}

/** @param {Api.Books} books */
export function pace({ frames_per_s: perSecond, eta_s: eta }) {
  if (!perSecond || !eta) return "";
  return `${number(Math.round(perSecond))} frames a second, ${roughly(eta * 1000)} left`;
}

/**
 * What has still to be done, and what can never come right by itself.
 * @param {Api.Books} books
 * @param {boolean} isOpen  whether the lines after the first are shown
 */
export function todo({ behind, broken, lost_messages: lost }, isOpen) {
  const lines = [...broken, ...behind, ...(lost ? [`${plural(lost, "message")} of the log were lost`] : [])];
  const [first, rest] = [lines.slice(0, FIRST_LINES), lines.slice(FIRST_LINES)];
  const list = (/** @type {string[]} */ some) =>
    el("ul", { class: "todo" }, ...some.map((text) => el("li", {}, ...withCode(text))));
  if (!first.length) return "";
  const more = () =>
    el("details", { open: isOpen }, el("summary", { text: `${number(rest.length)} more` }), list(rest));
  return el("div", {}, list(first), rest.length ? more() : null);
}

/** @param {Api.Books} books */
export function stagesTable({ stages, log }) {
  const rows = stages.map(({ stage, frames_behind: behind, command }) =>
    rowOf(
      stage,
      numberCell(number(behind), behind ? "number" : "number zero"),
      behind
        ? el("td", { class: "open" }, "run ", el("code", { text: command }))
        : el("td", { class: "ok", text: "✓ nothing waits" }),
    ),
  );
  const read = `the log has ${plural(log.messages, "message")}, of which ${number(log.committed)} are read`;
  return table(
    `How far each stage is behind the one before it; ${read}`,
    ["Stage", "Frames behind", "To do"],
    rows,
  );
}

/** @param {Api.Books} books */
export function sourcesTable({ sources }) {
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
  if (counted === footage) return el("td", { text: toTheMinute(footage), title: moment(footage) });
  const behind = counted === null ? "not counted" : `counted: ${moment(counted)}`;
  return el("td", {}, moment(footage), el("div", { class: "muted", text: behind }));
}

/** @param {Api.Books} books */
export function deadLettersTable({ dead_letters: letters }) {
  if (!letters.length) return el("p", { class: "muted", text: "No frame was set aside." });
  const rows = letters.map(({ cause, frames, since_ms: since, reason, command }) =>
    rowOf(
      cause,
      numberCell(number(frames)),
      el("td", { text: since === null ? "" : toTheMinute(since) }),
      el("td", { class: "words", text: reason }),
      el("td", {}, el("code", { text: command })),
    ),
  );
  return table(
    "Frames that could not be detected",
    ["Cause", "Frames", "Since", "Reason", "To see them"],
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
  const numbers = new Set([
    ...COLUMNS.map(([, name]) => name),
    "Frames",
    "Frames behind",
    "Detections",
    "Duplicates dropped",
  ]);
  const headings = names.map((text) =>
    el("th", { scope: "col", class: numbers.has(/** @type {any} */ (text)) ? "number" : null, text }),
  );
  return scrollable(caption, tableOf({ caption: el("caption", { text: caption }), headings, rows }));
}
