// Models: the cost of each on this machine; you can count the last week again with one, and compare both counts.

import { askFirst, follow } from "../js/changes/dialog.js";
import { get, send } from "../js/shared/api.js";
import { byId, el, field, fillSelect, withCode } from "../js/shared/dom.js";
import { difference, number, percent } from "../js/shared/format.js";
import { METRICS } from "../js/shared/metrics.js";
import { useAskedZone } from "../js/shared/state.js";
import { headingsOf, numberCell, rowOf, scrollable, scrolledTable, tableOf } from "../js/shared/tables.js";
import { zoneInUse } from "../js/shared/time.js";
import { askForStrip } from "../js/status/live.js";
import { hideNotice, press, showFailed } from "../js/status/notices.js";
import { joined, t } from "../js/shared/texts.js";

/** The server's text for a model that can be downloaded. */
const NOT_HERE = "not downloaded";
const page = byId("models-page");
/** @type {Record<string, string>} */
const NAMES = { fast: t("web.fast"), balanced: t("web.balanced"), thorough: t("web.thorough") };
const nameOf = (/** @type {string} */ name) => NAMES[name] ?? name;
const lastOf = async () => (await get("presets")).last;

/** @param {Api.ModelCost} model */
function costCell({ cpu_ms: ms, why_no_speed: why, megabytes }) {
  if (ms !== null) return numberCell(`${number(ms)} ms`);
  if (why !== NOT_HERE) return el("td.words", why);
  return el("td.words", t("web.not_downloaded_mb", { megabytes: number(megabytes ?? 0) }));
}

/** @param {Api.ModelCost} model */
function rowOfModel(model) {
  const { name, model: network, input, ap, licence, of_present: part, in_use: isUsed } = model;
  const title = `${t("web.count_the_last_week_again")}: ${nameOf(name)}`;
  const begin = { "aria-label": title, onclick: () => countWith(name, title) };
  const action = isUsed
    ? el("strong", t("web.in_use"))
    : el("button.button", begin, t("web.count_the_last_week_again"));
  return rowOf(
    nameOf(name),
    el("td", model.cpu_ms === null && model.why_no_speed !== NOT_HERE ? null : action),
    costCell(model),
    numberCell(part === null ? "–" : percent(part)),
    numberCell(ap === null ? "–" : number(ap)),
    el("td.words", joined([network === name ? "" : network, input], ", ")),
    el("td", licence ?? "–"),
  );
}

/** @param {Api.ModelCost[]} models */
function presetsTable(models) {
  const rows = models.filter(({ is_preset: isPreset, in_use: isUsed }) => isPreset || isUsed).map(rowOfModel);
  const names = [
    t("web.model"),
    "",
    t("web.cpu_time_per_picture"),
    t("web.of_the_model_in_use"),
    t("web.accuracy_on_coco"),
    t("web.network"),
    t("web.licence"),
  ];
  const headings = headingsOf(names, (position) => position > 1 && position < 5);
  const table = tableOf({ caption: t("web.presets"), headings, rows });
  return [
    scrollable(t("web.presets"), table),
    el("p.muted.small", ...withCode(t("web.to_use_a_model_from_now_on"))),
  ];
}

/** @param {string} name @param {string} title */
const countWith = (name, title) =>
  askFirst({
    title,
    action: t("web.count"),
    route: "presets",
    wanted: () => ({ name }),
    changed: load,
    lastOf,
  });

/** @param {string[]} counted  IDs of models with counts @param {Api.ModelCost[]} models */
function showPair(counted, models) {
  const presets = new Map(models.filter((one) => one.is_preset).map(({ model_id: id, name }) => [id, name]));
  const nameOfId = (/** @type {string} */ id) => {
    const preset = presets.get(id);
    return preset ? `${nameOf(preset)} (${id})` : id;
  };
  if (counted.length < 2)
    return byId("compared").replaceChildren(el("p.muted", t("web.count_with_a_preset_first")));
  const show = () => compare(selects.map(({ value }) => value));
  const selects = [0, 1].map((place) => {
    const select = el("select", { onchange: show });
    fillSelect(
      select,
      counted.map((id) => [id, nameOfId(id)]),
      counted[place],
    );
    return select;
  });
  byId("pair").replaceChildren(
    field(t("web.first_model"), selects[0]),
    field(t("web.second_model"), selects[1]),
  );
  return show();
}

/** @param {string[]} pair */
async function compare([first, second]) {
  const query = { model: first, compare: `model:${second}`, metric: "detections", timezone: zoneInUse() };
  const isThere = await press([], byId("pair-fault"), async () => {
    const answer = await get("differences", new URLSearchParams(query));
    byId("compared").replaceChildren(...countsOf(answer, first, second));
    const detail = { first, second, slot: byId("better-here") };
    document.dispatchEvent(new CustomEvent("frametally:models", { detail }));
  });
  if (!isThere) for (const id of ["compared", "better-here"]) byId(id).replaceChildren();
}

/** @param {Api.Differences} answer @param {string} first @param {string} second */
function countsOf({ labels, total, frames }, first, second) {
  const { format } = METRICS.detections;
  /** @param {string} name @param {Api.LabelDifference} one */
  const row = (name, { value, other_value: other, difference: by }) =>
    rowOf(
      name,
      ...[format(value), format(other), by === null ? "–" : difference(-by)].map((one) => numberCell(one)),
    );
  const names = [t("web.label"), t("web.first_model"), t("web.second_model"), t("web.difference")];
  const rows = labels.map((one) => row(one.label ?? "", one));
  const more = { total: row(t("web.all_labels"), total) };
  const query = new URLSearchParams({ model: first, compare: `model:${second}` });
  const said = { frames: t("web.count_frames", { count: frames }) };
  return [
    el("p.muted", t("web.detections_in_frames_of_both", said)),
    scrolledTable(t("web.compare_two_counts"), names, 1, rows, more),
    el("p", el("a", { href: `/?${query}` }, t("web.show_the_difference_in_the_chart"))),
  ];
}

/** If nothing is measured yet, starts the measurement and polls until it ends. @param {Api.ChangeState|null} last */
async function showMeasuring(last) {
  const place = byId("presets");
  if (!last) await send("POST", "presets/measure", {});
  if (last?.state === "failed") place.replaceChildren(...failed(last));
  if (last && last.state !== "running") return;
  place.replaceChildren(el("p.muted", t("web.the_models_are_being_measured")));
  setTimeout(load, 1000);
}

async function load() {
  try {
    const { models, last, with_counts: counted } = await get("presets");
    const isRunning = last?.state === "running";
    hideNotice();
    if (models) byId("presets").replaceChildren(...presetsTable(models));
    else await showMeasuring(last);
    if (models && isRunning) follow(byId("progress-of-count"), load, lastOf);
    else byId("progress-of-count").replaceChildren();
    page.dataset.state = models || last?.state === "failed" ? "ready" : "loading";
    if (!isRunning) await showPair(counted, models ?? []);
  } catch (error) {
    showFailed(page, error, load);
  }
}

/** @param {Api.ChangeState} last */
const failed = ({ lines }) => [
  el("p.notice.error", { role: "alert" }, lines.join(" ")),
  el("button.button", { onclick: () => send("POST", "presets/measure", {}).then(load) }, t("web.try_again")),
];

useAskedZone();
askForStrip();
load();
