// The forms of rules and holds; they save a rule only after showing its dry run.

import { get, send } from "frametally/js/shared/api.js";
import { byId, control, el } from "frametally/js/shared/dom.js";
import { onSubmit, showPartsOf, textsIn } from "frametally/js/status/forms.js";
import { bytes, fromInput, moment, number } from "frametally/js/shared/format.js";
import { numberCell, rowOf, scrolledTable } from "frametally/js/shared/tables.js";
import { isSure, onAction, press, wordsOf } from "frametally/js/status/notices.js";
import { t } from "frametally/js/shared/texts.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const GIGABYTE = 1e9;
const LOOK_EVERY_MS = 400;

/** @typedef {Partial<Api.KeptRule> & {kind: string, source: string, never?: boolean}} Rule */

/** The page shows only the result of the last dry run. */
let planNumber = 0;

export function startForms() {
  if (!document.getElementById("rule-form")) return;
  const form = control("rule-form", HTMLFormElement);
  form.addEventListener("input", () => {
    forgetPlan();
    showFields(form);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    plan(ruleOf(form), /** @type {HTMLElement} */ (form.querySelector(".problem")));
  });
  showFields(form);
  const hold = control("hold-form", HTMLFormElement);
  onSubmit(
    hold,
    () => sendHold(textsIn(hold)),
    () => location.reload(),
  );
  onAction(act);
}

/** @param {HTMLFormElement} form @param {string} name */
const input = (form, name) =>
  /** @type {HTMLInputElement|HTMLSelectElement} */ (form.elements.namedItem(name));

/** @param {HTMLButtonElement} button */
function act(button) {
  const { action, name = "", kind = "", source = "" } = button.dataset;
  if (action === "edit") press(button, byId("fault"), () => edit(kind, source));
  else if (action === "remove") plan({ kind, source, never: true }, byId("fault"));
  else if (action === "release") release(button, name);
}

/** @param {HTMLButtonElement} button @param {string} name */
function release(button, name) {
  if (!isSure(button, t("retention.release_for_good"), t("retention.release_for_good_of", { name }))) return;
  press(button, byId("fault"), async () => {
    await send("POST", "retention/holds/release", { name });
    location.reload();
  });
}

/** @param {string} kind @param {string} source */
async function edit(kind, source) {
  const { rules } = await get("retention");
  const rule = rules.find((one) => one.kind === kind && one.source === source);
  if (!rule) return location.reload();
  const form = control("rule-form", HTMLFormElement);
  /** @type {Record<string, string|number>} */
  const values = {
    kind: rule.kind,
    source: rule.source,
    days: rule.after_ms === null ? "" : rule.after_ms / DAY_MS,
    gigabytes: rule.most_bytes === null ? "" : rule.most_bytes / GIGABYTE,
    minutes: rule.interval_s / 60 || 15,
    frames: rule.interval_s ? rule.frames : 1,
  };
  for (const [name, value] of Object.entries(values)) input(form, name).value = String(value);
  forgetPlan();
  showFields(form);
  control("rule-box", HTMLDetailsElement).open = true;
  input(form, "days").focus();
}

/** @param {HTMLFormElement} form */
const showFields = (form) =>
  showPartsOf(form, input(form, "kind").value === "thinning" ? "thinning" : "others");

/** @param {HTMLFormElement} form @returns {Rule} */
function ruleOf(form) {
  const text = textsIn(form);
  const kind = text("kind");
  const isThinning = kind === "thinning";
  const days = text("days");
  const gigabytes = isThinning ? "" : text("gigabytes");
  return {
    kind,
    source: text("source"),
    after_ms: days === "" ? null : Math.round((Number(days) * DAY_MS) / HOUR_MS) * HOUR_MS,
    most_bytes: gigabytes === "" ? null : Math.round(Number(gigabytes) * GIGABYTE),
    interval_s: isThinning ? Number(text("minutes")) * 60 : 0,
    frames: isThinning ? Number(text("frames")) : 0,
  };
}

function forgetPlan() {
  planNumber += 1;
  byId("plan").replaceChildren();
}

/**
 * Shows what the rule would delete, with the button that saves the rule.
 * @param {Rule} rule
 * @param {HTMLElement} fault
 */
async function plan(rule, fault) {
  forgetPlan();
  const mine = planNumber;
  const area = byId("plan");
  fault.hidden = true;
  const words = el("p.muted", t("retention.looking"));
  area.replaceChildren(words);
  try {
    /** @type {Api.RetentionPlan} */
    let answer = await send("POST", "retention/plan", rule);
    while (answer.state === "running") {
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      if (mine !== planNumber) return;
      answer = await get("retention/plan");
      if (answer.done) words.textContent = t("retention.frames_looked_at", { frames: number(answer.done) });
    }
    if (mine === planNumber) show(answer, rule, area);
  } catch (error) {
    if (mine !== planNumber) return;
    area.replaceChildren();
    fault.textContent = wordsOf(error);
    fault.hidden = false;
  }
}

/** @param {Api.RetentionPlan} answer @param {Rule} rule @param {HTMLElement} area */
function show({ state, kinds, spared, going_bytes: going, lines }, rule, area) {
  const said = lines.map((line) => el("p", line));
  if (state === "failed")
    return area.replaceChildren(el("p.strong.open", t("retention.the_dry_run_failed")), ...said);
  const fault = el("p.notice.error", { role: "alert", hidden: true });
  const onSave = () =>
    press(save, fault, async () => {
      await send("POST", "retention/rules", rule);
      location.reload();
    });
  const words = rule.never ? t("retention.remove_the_rule") : t("retention.save_the_rule");
  const save = el("button.button.primary", { onclick: onSave }, words);
  area.replaceChildren(
    el("h3", t("retention.what_would_go")),
    kinds.length ? tableOfKinds(kinds) : "",
    el("p.strong", going ? t("retention.frees", { size: bytes(going) }) : t("retention.nothing_would_go")),
    ...spared.map(({ reason, frames }) => el("p", t("retention.would_stay", { frames: number(frames), reason: REASONS[reason] }))),
    ...said,
    fault,
    el("p.row", save, el("button.button", { onclick: forgetPlan }, t("web.cancel"))),
  ); // prettier-ignore
  save.focus();
}

/** @type {Record<Api.SparedFrames["reason"], string>} */
const REASONS = {
  held: t("retention.held"),
  of_accuracy_checks: t("retention.of_accuracy_checks"),
  not_analysed_yet: t("retention.not_analysed_yet"),
  not_counted_yet: t("retention.not_counted_yet"),
  unreadable: t("retention.unreadable"),
};

/** @param {Api.PlannedKind[]} kinds */
function tableOfKinds(kinds) {
  const names = new Map([...control("rule-kind", HTMLSelectElement).options].map((o) => [o.value, o.text]));
  const [first, ...columns] = [
    t("retention.kind"),
    t("web.source"),
    t("retention.stored"),
    t("retention.would_go"),
    t("retention.frees_title"),
  ];
  const rows = kinds.map((row) => {
    const cells = [
      el("td", row.source || t("retention.all_sources")),
      numberCell(`${number(row.items)} · ${bytes(row.size_bytes)}`),
      numberCell(number(row.going)),
      numberCell(bytes(row.going_bytes)),
    ];
    cells.forEach((cell, position) => (cell.dataset.column = columns[position]));
    return rowOf(names.get(row.kind) ?? row.kind, ...cells);
  });
  return scrolledTable(t("retention.what_would_go"), [first, ...columns], 2, rows);
}

/** @param {ReturnType<typeof textsIn>} text */
async function sendHold(text) {
  /** @type {Api.HoldAnswer} */
  const { being_removed: late } = await send("POST", "retention/holds", {
    name: text("name"),
    source: text("source"),
    from_ms: fromInput(text("from")),
    to_ms: fromInput(text("to")),
    note: text("note"),
  });
  if (!late.length) return;
  const [{ source, from_ms: from, to_ms: to }] = late;
  const what = { source: source || t("retention.all_sources"), from: moment(from), to: moment(to) };
  throw new Error(t("retention.was_being_removed", what));
}
