// The forms of rules and reports, and the buttons that mute, delete and test.

import { onSave, openBox, replaceChannel } from "./channels.js";
import { get, send } from "frametally/js/shared/api.js";
import { byId, control, el } from "frametally/js/shared/dom.js";
import { listIn, showPartsOf, textsIn } from "frametally/js/status/forms.js";
import { parseState } from "frametally/js/shared/state.js";
import { usualZoneOf, zoneInUse } from "frametally/js/shared/time.js";
import { isSure, onAction, press, speak, wordsOf } from "frametally/js/status/notices.js";
import { t } from "frametally/js/shared/texts.js";
import { period, trialParts } from "./trial.js";

const DAY_MS = 86_400_000;

export function startForms() {
  onAction(act);
  if (!document.getElementById("rule-form")) return;
  for (const kind of /** @type {const} */ (["rules", "reports"])) {
    const form = formOf(kind);
    onSave(form, kind, () => read(form));
  }
  const rule = formOf("rules");
  let waiting = 0;
  rule.addEventListener("input", () => {
    showFields(rule);
    clearTimeout(waiting);
    waiting = setTimeout(() => tryRule(rule), 400);
  });
  const report = formOf("reports");
  let usual = zoneInUse();
  fill(report, { every: "monday", zone: usual });
  report.addEventListener("input", () => {
    const { sources, zone } = read(report);
    if (zone === usual && report.dataset.name === undefined)
      fill(report, { zone: (usual = usualZoneOf(sources)) });
  });
  const query = new URLSearchParams(location.search);
  if (query.has("new")) fillFromChart(rule, query);
  showFields(rule);
}

/** @param {"rules"|"reports"} kind */
const formOf = (kind) => control(kind === "rules" ? "rule-form" : "report-form", HTMLFormElement);

/** @param {HTMLButtonElement} button */
function act(button) {
  const { action = "", name = "", kind = "rules" } = button.dataset;
  const route = `alerts/${kind}/${encodeURIComponent(name)}`;
  const mute = (/** @type {number|null} */ until_ms) => send("PUT", `${route}/mute`, { until_ms });
  /** @type {Record<string, () => Promise<unknown>>} */
  const actions = {
    edit: () => edit(/** @type {"rules"|"reports"} */ (kind), name),
    mute: () => mute(null),
    "mute-day": () => mute(Date.now() + DAY_MS),
    unmute: () => mute(0),
    delete: () => send("DELETE", route, {}),
    test: () => send("POST", `alerts/channels/${encodeURIComponent(name)}/test`, {}),
    replace: async () => replaceChannel(name),
    cancel: async () => location.assign("/alerts"),
  };
  const sure = [t("alerts.delete_for_good"), t("alerts.delete_name_for_good", { name })];
  if (action === "delete" && !isSure(button, sure[0], sure[1])) return;
  press(button, byId("fault"), async () => {
    await actions[action]();
    if (action === "test") {
      speak(t("alerts.has_taken_the_test", { name }));
      button.textContent = t("alerts.test_sent");
    } else if (action !== "edit" && action !== "replace") location.assign("/alerts");
  });
}

/** @param {"rules"|"reports"} kind @param {string} name */
async function edit(kind, name) {
  const told = await get("alerts");
  const found = /** @type {{name: string}[]} */ (told[kind]).find((one) => one.name === name);
  if (!found) return;
  const form = formOf(kind);
  form.dataset.name = name;
  const { interval_s, duration_s, below, ...rest } = /** @type {any} */ (found);
  const of = kind === "rules" ? { interval: period(interval_s), lasting: period(duration_s) } : {};
  // Keep the values that the form has no field for.
  form.dataset.kept = JSON.stringify({
    model: rest.model,
    ...(kind === "reports" ? { interval_s } : { timezone: rest.timezone }),
  });
  open(form, { ...rest, ...of, below: below ? "below" : "" });
}

/** The chart's question as a rule. @param {HTMLFormElement} form @param {URLSearchParams} query */
function fillFromChart(form, query) {
  const { sources, labels, zone, interval, metric, model, timezone } = parseState(location.search);
  const threshold = query.get("threshold") ?? "";
  form.dataset.kept = JSON.stringify({ model: model ?? "", timezone: timezone ?? usualZoneOf(sources) });
  const where = sources.length ? t("alerts.at_sources", { sources: sources.join(", ") }) : "";
  const name = `${labels.join(t("web.and")) || t("alerts.objects")} ${where}`.trim();
  const measure = metric ?? "detections";
  open(form, {
    name,
    what: "count",
    measure,
    threshold,
    interval: period(interval ?? 900),
    sources,
    labels,
    zone,
  });
}

/** @param {HTMLFormElement} form @param {Record<string, any>} values */
function open(form, values) {
  fill(form, values);
  openBox(form);
  form.querySelector("input")?.focus();
  if (form.id !== "rule-form") return;
  showFields(form);
  tryRule(form);
}

/** @param {HTMLFormElement} form @param {Record<string, any>} values */
function fill(form, values) {
  for (const one of form.elements) {
    if (!(one instanceof HTMLInputElement || one instanceof HTMLSelectElement)) continue;
    if (!(one.name in values)) continue;
    const value = values[one.name];
    if (one instanceof HTMLInputElement && one.type === "checkbox") {
      one.checked = Array.isArray(value) ? value.includes(one.value) : value;
      continue;
    }
    const text = Array.isArray(value) ? value.join(", ") : `${value ?? ""}`;
    // Add an interval of the rule that is not in the list.
    if (one instanceof HTMLSelectElement && ![...one.options].some((option) => option.value === text))
      one.append(el("option", { value: text }, text));
    one.value = text;
  }
}

/** @param {HTMLFormElement} form */
const showFields = (form) => showPartsOf(form, fieldOf(form, "what").value);

/** @param {HTMLFormElement} form */
function read(form) {
  const data = new FormData(form);
  const text = textsIn(form);
  const shared = {
    ...JSON.parse(form.dataset.kept ?? "{}"),
    name: text("name"),
    sources: listIn(text("sources")),
    labels: listIn(text("labels")),
    channels: data.getAll("channels"),
  };
  if (form.id === "report-form") {
    const [every, at, zone] = [text("every"), text("at"), text("zone")];
    return { ...shared, every, at, zone, by_source: data.has("by_source") };
  }
  const what = text("what");
  const bars = ["count", "crossings", "occupancy", "speed"].includes(what);
  return {
    ...shared,
    what,
    measure: text("measure"),
    below: bars && text("below") === "below",
    threshold: bars && text("threshold") ? Number(text("threshold")) : null,
    interval: text("interval"),
    lasting: text("lasting"),
    line: what === "crossings" ? text("line") : "",
    direction: text("direction"),
    zone: what === "occupancy" || what === "count" ? text("zone") : "",
    note: text("note"),
  };
}

let trials = 0;

/** @param {HTMLFormElement} form @param {string} name */
const fieldOf = (form, name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name));

/** Shows what the rule would have sent last week. @param {HTMLFormElement} form */
async function tryRule(form) {
  const area = byId("trial");
  const mine = ++trials;
  const threshold = fieldOf(form, "threshold");
  if (threshold.checkVisibility() && !threshold.value) {
    area.replaceChildren(); // the form is incomplete, which is not an error
    return;
  }
  try {
    const trial = await send("POST", "alerts/trials", read(form));
    if (mine !== trials) return;
    if (trial.interval_s) fill(form, { interval: period(trial.interval_s) });
    area.replaceChildren(
      ...trialParts(trial, Number(threshold.value), (dragged) => {
        threshold.value = String(dragged);
        tryRule(form);
      }),
    );
  } catch (error) {
    if (mine === trials) area.replaceChildren(el("p.muted", wordsOf(error)));
  }
}
