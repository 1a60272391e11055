// The books as words, tables and pictures: the equation of all sources and of each, the stages, dead letters with
// their reasons, and runs with their reports.

import { framePicture } from "../frames/boxed_picture.js";
import { el, withCode } from "../shared/dom.js";
import { dayOf, moment, number, roughly, toTheMinute } from "../shared/format.js";
import { headingsOf, numberCell, rowOf, scrollable, tableOf } from "../shared/tables.js";
import { has, isHere } from "../shell/navigation.js";
import { t } from "../shared/texts.js";
import { findingsOf } from "./live.js";

/**
 * @param {Api.DeadLetterFrame} letter
 * @param {(source: string) => string} nameOf
 * @param {HTMLElement|null} buttons
 */
export function deadLetterCard(letter, nameOf, buttons) {
  const { cause, reason, source, captured_at_ms: at, image_url: url } = letter;
  const where = source === null ? t("web.its_message_does_not_name_a") : nameOf(source);
  const title = at === null ? where : `${where} · ${moment(at)}`;
  return el(
    "article.frame-card.dead-letter",
    { "aria-label": `${cause}: ${title}` },
    url
      ? framePicture({ image_url: `${url}&w=320`, width_px: null, height_px: null, boxes: [] }, () => "", {
          alt: t("web.the_stored_picture_of", { title }),
          lazy: true,
          missing: t("web.no_picture_can_be_shown"),
        })
      : el("span.picture.missing", el("span", t("web.its_message_names_no_picture"))),
    el("div.dead-letter-words", el("p.muted.small", title), el("p", `${reason}.`), buttons),
  );
}

/** The pages that do the same as a command. @type {[command: string, page: string][]} */
const PAGES = [
  ["dead-letters", "/dead-letters"],
  ["forget", "/footage"],
  ["rename-source", "/footage"],
  ["retime", "/footage"],
  ...(isHere("live") ? /** @type {[string, string][]} */ ([["live", "/live"]]) : []),
];

/**
 * A text whose commands link to the pages that do the same, if the account may use them.
 * @param {string} text  commands are between backquotes
 */
export const withPages = (text) =>
  withCode(text).map((part) => {
    const named = part instanceof HTMLElement ? part.textContent.split(" ")[1] : null;
    const page = PAGES.find(([command]) => command === named);
    return page && has("run") ? el("a", { href: page[1] }, part) : part;
  });

/** More findings are a click away. */
const FIRST_LINES = 8;

const COLUMNS = /** @type {const} */ ([
  ["expected", t("web.expected")],
  ["announced", t("web.announced")],
  ["detected", t("web.detected")],
  ["dead_lettered", t("web.dead_letters")],
  ["forgotten", t("web.forgotten")],
  ["overlapped", t("web.overlapped")],
  ["counted", t("web.counted")],
  ["indexed", t("web.indexed")],
]);

/** The equation of all sources; it has an equals sign only if both sides are equal. @param {Api.Books} books */
export function equation({ sources }) {
  const sums = COLUMNS.map(([key]) => sources.reduce((sum, one) => sum + one[key], 0));
  const [expected, announced, detected, dead, forgotten, overlapped, counted, indexed] = sums;
  if (!expected && !announced) return "";
  const missing = announced - detected - dead - forgotten - overlapped;
  return [
    announced < expected
      ? t("web.of_announced", { announced: number(announced), expected: number(expected) })
      : t("web.announced_number", { announced: number(announced) }),
    missing ? (missing > 0 ? t("web.so_far") : t("web.but")) : " = ",
    t("web.detected_number", { detected: number(detected) }),
    dead ? ` + ${t("web.count_dead_letters", { count: dead })}` : "",
    forgotten ? t("web.plus_forgotten", { forgotten: number(forgotten) }) : "",
    overlapped ? t("web.plus_overlapped", { overlapped: number(overlapped) }) : "",
    t("web.counted_indexed", { sum: number(counted), sum2: number(indexed) }),
  ].join("");
}

/** @param {Api.Books} books */
export function pace({ frames_per_s: speed, eta_s: eta }) {
  if (!speed || !eta) return "";
  return t("web.frames_a_second_left", { perSecond: number(Math.round(speed)), eta: roughly(eta * 1000) });
}

/**
 * All findings, each with a button to its page.
 * @param {Api.Books} books
 * @param {boolean} isOpen  whether to show those after the first
 */
export function findingsList(books, isOpen) {
  const rows = findingsOf(books).map(({ line, page, action }) =>
    el(
      "li.row",
      el("span", ...withPages(line)),
      page && page !== "/books" && has("run") ? el("a.button", { href: page }, action) : null,
    ),
  );
  const [first, rest] = [rows.slice(0, FIRST_LINES), rows.slice(FIRST_LINES)];
  const left = t("web.length_more", { length: number(rest.length) });
  return el(
    "div",
    el("ul.findings", ...first),
    rest.length ? el("details", { open: isOpen }, el("summary", left), el("ul.findings", ...rest)) : null,
  );
}

/** @param {Api.Books} books */
export function stagesTable({ stages, log }) {
  const rows = stages.map(({ stage, frames_behind: behind, command }) =>
    rowOf(
      stage,
      numberCell(number(behind), behind ? "number" : "number zero"),
      behind ? el("td.open", t("web.run"), el("code", command)) : el("td.ok", t("web.nothing_waits")),
    ),
  );
  const read = t("web.the_log_has_of_which_are", {
    messages: t("web.count_messages", { count: log.messages }),
    committed: number(log.committed),
  });
  return table(
    t("web.how_far_each_stage_is_behind", { read }),
    [t("web.stage"), t("web.frames_behind"), t("web.to_do")],
    1,
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
      el("a.name", { href: `/footage?${new URLSearchParams({ source: one.source })}`, title: one.name }, one.name),
      ...COLUMNS.map(([key]) => numberCell(number(one[key]), one[key] ? "number" : "number zero")),
      upTo(one),
      el("td", { class: right ? "ok" : "open" }, right ? t("web.settled") : one.producing ? t("web.producing") : t("web.not_yet")),
    ); // prettier-ignore
  });
  return table(
    t("web.frames_of_each_source"),
    [t("web.source"), ...COLUMNS.map(([, name]) => name), t("web.footage_up_to"), t("web.state")],
    COLUMNS.length,
    rows,
  );
}

/**
 * Until when there is footage, and until when it is counted, if that differs.
 * @param {Api.SourceBooks} source
 */
function upTo({ footage_until_ms: footage, counted_until_ms: counted }) {
  if (footage === null) return el("td", "–");
  if (counted === footage) return el("td", { title: moment(footage) }, toTheMinute(footage));
  const behind =
    counted === null ? t("web.not_counted") : t("web.counted_number", { counted: moment(counted) });
  return el("td", moment(footage), el("div.muted", behind));
}

/** @param {Api.Books} books */
export function deadLettersTable({ dead_letters: letters }) {
  if (!letters.length) return el("p.muted", t("web.no_frame_was_set_aside"));
  const rows = letters.map(({ cause, frames, since_ms: since, reason }) =>
    rowOf(
      cause,
      numberCell(number(frames)),
      el("td", since === null ? "" : toTheMinute(since)),
      el("td.words", reason),
    ),
  );
  return el(
    "div",
    table(
      t("web.frames_that_could_not_be_detected"),
      [t("web.cause"), t("web.frames"), t("web.since"), t("web.reason")],
      1,
      rows,
    ),
    el("p", el("a", { href: "/dead-letters" }, t("web.see_their_pictures_try_them_again"))),
  );
}

/** @param {Api.Runs} answer */
export function runsTable({ runs, runs_left_out: left }) {
  const rows = runs.map((run) =>
    rowOf(
      dayOf(run.day),
      numberCell(number(run.frames)),
      numberCell(run.quality ? number(run.quality.detections) : "–"),
      numberCell(number(run.duplicates_dropped)),
      el("td.words", quality(run)),
      el("td", el("code", run.run_id)),
    ),
  );
  const part = left ? t("web.older_ones_are_not_shown", { count: left }) : "";
  const names = [
    t("web.day_utc"),
    t("web.frames"),
    t("web.detections_title"),
    t("web.duplicates_dropped"),
    t("web.quality_report"),
    t("web.run_title"),
  ];
  return table(t("web.last_runs", { part }), names, 3, rows);
}

/** @param {Api.RunReport} run */
function quality({ quality: report }) {
  if (!report) return el("span.muted", t("web.no_report"));
  const failed = report.checks.filter((check) => check.passed === false);
  const unknown = report.checks.filter((check) => check.passed === null).length;
  const done = report.checks.length - failed.length - unknown;
  const summary = failed.length
    ? t("web.of_failed", {
        length: t("web.count_checks", { count: failed.length }),
        length2: report.checks.length,
      })
    : t("web.passed", {
        done: t("web.count_checks", { count: done }),
        part: unknown ? t("web.could_not_be_made", { unknown }) : "",
      });
  return el(
    "details",
    el("summary", { class: failed.length ? "open" : "ok" }, summary),
    el(
      "ul",
      ...report.checks.map(({ passed, name, count, details }) =>
        el(
          "li",
          `${passed === null ? "?" : passed ? "✓" : "✗"} ${name}`,
          count ? `: ${number(count)}` : "",
          details.length ? ` (${details.join("; ")})` : "",
        ),
      ),
    ),
  );
}

/**
 * @param {string} caption
 * @param {string[]} names  the first column contains words
 * @param {number} numbers  number of columns with numbers
 * @param {HTMLElement[]} rows
 */
function table(caption, names, numbers, rows) {
  const headings = headingsOf(names, (position) => position > 0 && position <= numbers);
  return scrollable(caption, tableOf({ caption: el("caption", caption), headings, rows }));
}
