// The result of a check: the estimate next to the raw count, its sample, where to check next, and its certificate.

import { addressOf } from "./list.js";
import {
  between,
  countedWords,
  countUnits,
  isOfFrames,
  labelWords,
  methodWords,
  missingWords,
  sourceNames,
  unitName,
  unitNames,
  waitingWords,
  wide,
} from "./words.js";
import { getFrom, getText } from "frametally/js/shared/api.js";
import { byId, el } from "frametally/js/shared/dom.js";
import { mean, moment, number, percent, span, toTheMinute } from "frametally/js/shared/format.js";
import { numberCell, rowOf, scrolledTable } from "frametally/js/shared/tables.js";
import { has } from "frametally/js/shell/navigation.js";
import { t } from "frametally/js/shared/texts.js";

const KEY_DIGITS = 16;
const MOST_ZONES = 3;
const MOST_NAMES = 10;

/** @param {string} name */
export async function showResult(name) {
  /** @type {Api.CheckAnswers} */
  const answer = await getFrom(`accuracy/${encodeURIComponent(name)}`);
  const { check, result, history, stale, other_checks: others } = answer;
  const names = await sourceNames(check.model);
  const units = unitNames(check.metric);
  const toDesk = el(
    "a.button.primary",
    { href: addressOf(check.id, "desk") },
    t("accuracy.check_metric", { metric: units }),
  );
  const certificate = { id: "to-certificate", href: addressOf(check.id, "certificate") };
  const toCertificate = el("a.button", certificate, t("accuracy.certificate"));
  const staleWords = t("accuracy.this_check_is_stale_and_no", { stale: stale.join(" ") });
  const reachedWords = t("accuracy.the_wanted_width_is_reached", { wanted_width: wide(check.wanted_width) });
  const area = byId("result-view");
  area.hidden = false;
  area.replaceChildren(
    el(
      "div.card-head",
      el(
        "div",
        el("h1", check.name),
        el("p.muted", restsOn(check, result), " ", waitingWords(result, check.metric)),
      ),
      el("div.acts.row.no-print", has("correct") && toDesk, !stale.length && toCertificate),
    ),
    stale.length ? el("p.notice.error", { id: "stale", role: "alert" }, staleWords) : "",
    result.is_reached ? el("p.reached", { id: "reached-result" }, reachedWords) : "",
    section(
      "labels",
      t("accuracy.raw_count_and_estimate"),
      labelTable(check, result),
      el("p.small.muted", t("accuracy.the_truth_is_in_it_with", { method: methodWords(result.method) })),
    ),
    section(
      "agreement",
      t("accuracy.agreement"),
      el("p", { id: "agreement" }, agreementWords(check, result.agreement)),
      el("p.muted", { id: "others" }, othersWords(others)),
    ),
    section("zones", t("accuracy.where_to_check_next"), nextWords(check, result, names)),
    section(
      "history",
      t("accuracy.estimate_as_the_check_went_on"),
      history.length
        ? historyTable(check, history)
        : el("p.muted", t("accuracy.there_is_no_estimate_yet_check", { metric: units })),
    ),
  );
}

/** @param {string} id @param {string} title @param {...HTMLElement} children */
const section = (id, title, ...children) =>
  el(
    "section.card",
    { "aria-labelledby": `${id}-title` },
    el("h2", { id: `${id}-title` }, title),
    ...children,
  );

/** @param {string} name */
export async function showCertificate(name) {
  // The server signs each request separately: save the same file that the page shows.
  const text = await getText(`accuracy/${encodeURIComponent(name)}/certificate`);
  const certificate = JSON.parse(text);
  const { check, result, other_checks: others } = certificate;
  const names = await sourceNames(check.model);
  const file = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const range = { from_ms: moment(check.from_ms), to_ms: moment(check.to_ms) };
  const named = check.sources.map((/** @type {string} */ source) => names.get(source) ?? source);
  const area = byId("result-view");
  area.hidden = false;
  area.replaceChildren(
    el(
      "article.certificate",
      { "data-many": check.labels.length > MOST_NAMES },
      el("h1", t("accuracy.certificate_of_an_accuracy_check")),
      el("p.strong", check.name),
      el("p", restsOn({ ...check, drawn: certificate.units.length }, result)),
      labelTable(check, result),
      el("p", t("accuracy.the_truth_is_in_it_with", { method: methodWords(result.method) })),
      el("p", agreementWords(check, result.agreement)),
      facts([
        [t("accuracy.what_was_checked"), countedWords(check)],
        [
          unitsTitle(check),
          t("accuracy.units_from_sources", { units: number(result.units), sources: few(named) }),
        ],
        [t("accuracy.range"), t("accuracy.to", range)],
        [t("accuracy.seed_of_the_sample"), check.seed],
        [t("accuracy.other_checks"), othersWords(others)],
        [t("accuracy.hash_of_the_and_counts", { metric: unitNames(check.metric) }), check.population_sha256],
        [t("accuracy.made"), toTheMinute(certificate.made_at_ms)],
        [t("accuracy.key"), `${certificate.public_key.slice(0, KEY_DIGITS)}…`],
        [t("accuracy.signature"), `${certificate.signature.slice(0, KEY_DIGITS)}…`],
      ]),
      el(
        "p.small",
        t("accuracy.the_signed_file_has_every_of", { metric: unitName(check.metric) }),
        el("code", t("accuracy.frametally_accuracy_verify_accuracy_json", { id: check.id })),
        t("accuracy.draws_the_sample_again_from_the"),
      ),
      el(
        "div.acts.row.no-print",
        el(
          "a.button.primary",
          { id: "download", href: file, download: `accuracy-${check.id}.json` },
          t("accuracy.signed_file_json"),
        ),
        el("button.button", { id: "print", onclick: () => print() }, t("accuracy.print_or_save_as_pdf")),
        el("a.button", { href: addressOf(check.id, "result") }, t("accuracy.back_to_the_result")),
      ),
    ),
  );
}

/** @param {Api.OtherChecks} others */
const othersWords = ({ checks, answered }) =>
  checks
    ? t("accuracy.others_of_the_same_footage", { checks: number(checks), answered: number(answered) })
    : t("accuracy.no_other_check");

/** @param {string[]} names */
const few = (names) =>
  names.length > MOST_NAMES
    ? t("accuracy.and_more", {
        names: names.slice(0, MOST_NAMES).join(", "),
        length: number(names.length - MOST_NAMES),
      })
    : names.join(", ");

/** @param {string[][]} rows */
const facts = (rows) => el("dl.facts", ...rows.flatMap(([name, value]) => [el("dt", name), el("dd", value)]));

/** @param {Pick<Api.CheckSummary, "model"|"drawn"|"metric"|"place">} check @param {Api.CheckResult} result */
function restsOn(
  { model, drawn, metric, place },
  { answered, missing, persons, first_answer_ms: first, last_answer_ms: last },
) {
  const who = persons.length ? t("web.by", { persons: few(persons) }) : "";
  const when = first === null || last === null ? "" : `, ${span(first, last)}`;
  const words = t("accuracy.of_checked_counts_are_of_the", {
    answered: number(answered),
    drawn: countUnits(drawn, metric),
    who,
    when,
    what: countedWords({ metric, place }),
    model,
  });
  return `${words} ${missingWords(missing)}`.trim();
}

/** @typedef {Pick<Api.CheckSummary, "metric"|"place">} About  the subject of the check */

/** @param {About} about @param {Api.CheckResult} result */
function labelTable(about, { labels }) {
  const names = [
    t("web.label"),
    t("accuracy.raw_count"),
    t("accuracy.estimate"),
    t("web.interval"),
    t("accuracy.width"),
    t("accuracy.needed", { about: unitsTitle(about) }),
  ];
  const rows = labels.map((one) => labelRow(about, one));
  return scrolledTable(t("accuracy.counts_and_estimates_by_label"), names, 1, rows, { kind: "labels" });
}

/** @param {About} about @param {Api.LabelAccuracy} one */
function labelRow({ place }, one) {
  const width = one.half_width ? wide(one.half_width) : t("accuracy.all_checked");
  const error = one.has_steady_error && el("span.small.muted", t("accuracy.a_steady_error"));
  const known =
    one.state !== "shown"
      ? [el("td.number", { colspan: "3" }, whyNone(one))]
      : [
          el("td.number", number(Math.round(one.total ?? 0)), error),
          numberCell(between(one.low, one.high)),
          el("td.number", width, one.is_reached && " ✓"),
        ];
  return rowOf(
    labelWords(one.label, place),
    numberCell(number(one.model_total)),
    ...known,
    numberCell(number(one.units_needed)),
  );
}

/** @param {Api.LabelAccuracy} one */
const whyNone = ({ state, difference, low, high }) =>
  state === "disagree"
    ? t("accuracy.the_people_do_not_agree", { apart: mean(difference ?? 0) })
    : state === "at_most"
      ? t("accuracy.at_most_people_saw", {
          high: number(Math.round(high ?? 0)),
          low: number(Math.round(low ?? 0)),
        })
      : t("web.why_too_few");

/** @param {About} about */
const unitsTitle = ({ metric }) => (isOfFrames(metric) ? t("web.frames") : t("accuracy.pieces_title"));

/** @param {About} about @param {Api.DoubleAnswers} agreement */
const agreementWords = ({ metric }, { pairs, equal, low, high, mean_difference: apart }) =>
  pairs
    ? t("accuracy.came_twice_both_answers_were_equal", {
        pairs: countUnits(pairs, metric),
        equal: number(equal),
        equal2: percent(equal / pairs),
        low: percent(low),
        high: percent(high),
        apart: mean(apart),
        metric: unitName(metric),
      })
    : t("accuracy.no_was_checked_twice_yet_every", { metric: unitName(metric) });

/** @param {About} about @param {Api.CheckResult} result @param {Map<string, string>} names  source names by slug */
function nextWords({ metric }, { zones }, names) {
  const nameOf = (/** @type {string} */ source) => names.get(source) ?? source;
  const best = zones.filter(({ units, answered }) => answered < units).slice(0, MOST_ZONES);
  if (!best.length) return el("p.muted", t("accuracy.there_is_too_little_to_say"));
  const words = best.map((zone) =>
    t("accuracy.to_of_checked_one_more_takes", {
      from_source: nameOf(zone.from_source),
      from_ms: moment(zone.from_ms),
      part: zone.to_source === zone.from_source ? "" : `${nameOf(zone.to_source)}, `,
      to_ms: moment(zone.to_ms),
      answered: number(zone.answered),
      units: countUnits(zone.units, metric),
      shrink: percent(zone.shrink),
    }),
  );
  return el("ol", ...words.map((text) => el("li", text)));
}

/** @param {About} about @param {Api.PastEstimate[]} history */
function historyTable(about, history) {
  const labels = [...new Set(history.map(({ label }) => label))];
  const looks = new Map(history.map(({ units, answered_at_ms: at_ms }) => [units, at_ms]));
  const cell = (/** @type {number} */ frames, /** @type {string} */ name) => {
    const then = history.find(({ units, label }) => units === frames && label === name);
    return then
      ? `${number(Math.round(then.total))} (${between(then.low, then.high)})`
      : t("web.why_too_few");
  };
  const named = labels.map((label) => labelWords(label, about.place));
  const names = [unitsTitle(about), t("accuracy.checked_until"), ...named];
  const rows = [...looks].map(([frames, at_ms]) =>
    rowOf(
      number(frames),
      el("td", toTheMinute(at_ms)),
      ...labels.map((label) => numberCell(cell(frames, label))),
    ),
  );
  return scrolledTable(t("accuracy.estimate_as_the_check_went_on"), names, 2, rows);
}
