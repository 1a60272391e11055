// All checks, and the form that starts one.

import { countedWords, countUnits, labelWords, unitNames, wide } from "./words.js";
import { get, getFrom, send } from "frametally/js/shared/api.js";
import { byId, control, el, fillSelect } from "frametally/js/shared/dom.js";
import { textsIn } from "frametally/js/status/forms.js";
import { fromInput, labelName, number, toTheMinute } from "frametally/js/shared/format.js";
import { headingsOf, rowOf, scrollable, tableOf } from "frametally/js/shared/tables.js";
import { showNothingYet } from "frametally/js/status/nothing.js";
import { press } from "frametally/js/status/notices.js";
import { t } from "frametally/js/shared/texts.js";

/** @type {Record<Api.CheckSummary["metric"], string>} */
const METRIC_WORDS = {
  detections: t("accuracy.detections_frame_by_frame"),
  visits: t("accuracy.visits_in_footage"),
  crossings: t("accuracy.crossings_in_footage"),
};

/** @param {string} check @param {string} view */
export const addressOf = (check, view) => `/accuracy?${new URLSearchParams({ check, view })}`;

export async function showChecks() {
  const [{ checks, metrics, lines, changes_allowed: mayCorrect, remedy }, catalogue] = await Promise.all([
    listChecks(),
    get("catalogue"),
  ]);
  byId("checks-view").hidden = false;
  const isNew = !checks.length && !catalogue.sources.length;
  if (isNew) showNothingYet(t("accuracy.there_is_nothing_to_check_yet"));
  byId("checks-card").hidden = isNew;
  byId("start-card").hidden = !mayCorrect || !catalogue.sources.length;
  byId("no-start").hidden = mayCorrect;
  byId("no-start").textContent = t("accuracy.you_can_see_checks_and_not", { remedy: remedy ?? "" });
  const sources = catalogue.sources.map(({ source, name }) => [source, name]);
  fillTicks("start-sources", sources);
  const labels = catalogue.labels.map(({ label }) => [label, labelName(label)]);
  fillTicks("start-labels", labels);
  showMetrics(metrics, lines, Object.fromEntries(sources));
  control("start", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    start();
  });
}

async function listChecks() {
  /** @type {Api.Checks} */
  const answer = await getFrom("accuracy");
  const { checks, changes_allowed: mayCorrect } = answer;
  byId("checks").replaceChildren(
    checks.length ? table(checks, mayCorrect) : el("p.muted", t("accuracy.there_are_no_checks_yet")),
  );
  return answer;
}

/** @param {Api.CheckSummary[]} checks @param {boolean} mayCorrect */
function table(checks, mayCorrect) {
  const names = [
    t("accuracy.check"),
    t("accuracy.what"),
    t("web.labels"),
    t("accuracy.checked"),
    t("accuracy.started"),
  ];
  const nextStep = el("th", { scope: "col" }, el("span.visually-hidden", t("accuracy.next_step")));
  const rows = checks.map((one) => {
    const by = one.started_by ? t("accuracy.by", { started_by: one.started_by }) : "";
    const drawn = countUnits(one.drawn, one.metric);
    return rowOf(
      el("a", { href: addressOf(one.id, "result") }, one.name),
      el("td", countedWords(one)),
      el("td", one.labels.map((label) => labelWords(label, one.place)).join(", ")),
      el(
        "td",
        t("accuracy.of", { answered: number(one.answered), drawn }),
        one.is_reached &&
          el("span.small.muted", t("accuracy.is_reached", { wanted_width: wide(one.wanted_width) })),
      ),
      el("td", `${toTheMinute(one.started_at_ms)}${by}`),
      el("td", mayCorrect ? deskLink(one) : null),
    );
  });
  const headings = [...headingsOf(names, () => false), nextStep];
  return scrollable(t("accuracy.checks"), tableOf({ kind: "checks-table", headings, rows }));
}

/** @param {Api.CheckSummary} check */
const deskLink = ({ id, answered, drawn, name }) =>
  el(
    "a.button",
    { href: addressOf(id, answered < drawn ? "desk" : "result") },
    answered < drawn ? (answered ? t("accuracy.go_on") : t("accuracy.begin")) : t("accuracy.see_the_result"),
    el("span.visually-hidden", `: ${name}`),
  );

/**
 * The choice of the metric; for crossings, also of the line and its direction.
 * @param {Api.CheckSummary["metric"][]} metrics
 * @param {Api.EventPlace[]} lines
 * @param {Record<string, string>} names  source names by slug
 */
function showMetrics(metrics, lines, names) {
  const metric = control("start-metric", HTMLSelectElement);
  const line = control("start-line", HTMLSelectElement);
  const here = metrics.filter((one) => one !== "crossings" || lines.length);
  const kinds = here.map((one) => [one, METRIC_WORDS[one]]);
  fillSelect(metric, kinds, metric.value || here[0]);
  const named = lines.map(({ source, name }, at) => [String(at), `${name} (${names[source] ?? source})`]);
  fillSelect(line, named, line.value || "0");
  const show = () => {
    const isCrossed = metric.value === "crossings";
    for (const id of ["line-field", "direction-field"]) byId(id).hidden = !isCrossed;
    byId("sources-field").hidden = isCrossed;
    const unit = unitNames(/** @type {Api.CheckSummary["metric"]} */ (metric.value));
    for (const one of control("start-planned", HTMLSelectElement).options)
      if (one.value !== "0") one.textContent = t("accuracy.after", { value: one.value, unit });
    const { directions = {} } = lines[Number(line.value)] ?? {};
    const direction = control("start-direction", HTMLSelectElement);
    fillSelect(direction, [["", t("accuracy.both")], ...Object.entries(directions)], direction.value);
  };
  metric.addEventListener("change", show);
  line.addEventListener("change", show);
  chosenLine = () => (metric.value === "crossings" ? (lines[Number(line.value)] ?? null) : null);
  show();
}

/** @type {() => Api.EventPlace|null} */
let chosenLine = () => null;

/** @param {string} id @param {string[][]} options */
const fillTicks = (id, options) =>
  byId(id).replaceChildren(
    ...options.map(([value, words]) =>
      el("label.choice", el("input", { type: "checkbox", value, name: id }), " ", words),
    ),
  );

/** @param {string} id */
const ticked = (id) =>
  [...byId(id).querySelectorAll("input")].filter((one) => one.checked).map((one) => one.value);

function start() {
  const text = textsIn(control("start", HTMLFormElement));
  const plan = byId("start-plan");
  return press(control("start-button", HTMLButtonElement), plan, async () => {
    const line = chosenLine();
    const wanted = {
      name: text("name"),
      metric: text("metric"),
      line: line?.name ?? "",
      direction: line ? text("direction") : "",
      sources: line ? [line.source] : ticked("start-sources"),
      labels: [...ticked("start-labels"), ...[text("other")].filter(Boolean)],
      from_ms: fromInput(text("from")),
      to_ms: fromInput(text("to")),
      wanted_width: Number(text("width")),
      planned_units: Number(text("planned")),
    };
    /** @type {Api.CheckSummary} */
    const check = await send("POST", "accuracy", wanted);
    /** @type {Api.CheckAnswers} */
    const { result } = await getFrom(`accuracy/${check.id}`);
    await listChecks();
    const { id, units, wanted_width: width, metric, place } = check;
    const drawn = { units: countUnits(units, metric), wanted_width: wide(width) };
    const needed = result.labels.map(({ units_needed: most, label }) =>
      t("accuracy.for", { units_needed: countUnits(most, metric), label: labelWords(label, place) }),
    );
    const begin = el("a.button.primary", { id: "begin", href: addressOf(id, "desk") }, t("accuracy.begin"));
    const words = [t("accuracy.the_sample_is_drawn_from_for", drawn), needed.join(", "), "."];
    plan.hidden = false;
    plan.replaceChildren(...words, el("p", begin));
    begin.focus();
  });
}
