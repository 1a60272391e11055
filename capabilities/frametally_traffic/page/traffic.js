// The traffic report: movements at a junction by quarter-hour and class, on screen, on paper and as files.

import { withValues } from "frametally/js/shared/address.js";
import { ApiError, askAgain, BASE, get } from "frametally/js/shared/api.js";
import { showChecks } from "frametally/js/shared/checked.js";
import { presentEnd } from "frametally/js/context/ranges.js";
import { byId, control, el, fillSelect } from "frametally/js/shared/dom.js";
import * as format from "frametally/js/shared/format.js";
import { has } from "frametally/js/shell/navigation.js";
import { METRICS } from "frametally/js/shared/metrics.js";
import { parseState } from "frametally/js/shared/state.js";
import { plus, startOf, useZone, zoneInUse, zoneOf } from "frametally/js/shared/time.js";
import { askForStrip } from "frametally/js/status/live.js";
import { hideNothing, showNothing, showNothingYet } from "frametally/js/status/nothing.js";
import { firstDrawn } from "./first_drawn.js";
import { junctionDiagram, junctionPicture, knowsNorth } from "./report/junction.js";
import { checkedTable, legsTable, MOTOR, peaksTable, quartersTable, visitsPart } from "./report/tables.js";
import { t } from "frametally/js/shared/texts.js";

/** If the footage covers more days than this, the report shows only the last day. */
const MOST_DAYS = 7;
const DAY_MS = 86_400_000;

const page = byId("traffic-page");
const fields = {
  source: control("asked-source", HTMLSelectElement),
  from: control("asked-from", HTMLInputElement),
  to: control("asked-to", HTMLInputElement),
  classes: control("asked-classes", HTMLSelectElement),
  shown: control("shown-class", HTMLSelectElement),
};
let state = parseState(location.search);
/** The number of the last request; the page ignores older answers. */
let asked = 0;

useZone(zoneOf(state));

/** The query of the report that the form asks for. */
function query() {
  const [from, to] = [fields.from, fields.to].map(({ value }) => {
    const ms = format.fromInput(value);
    return ms === null ? null : new Date(ms).toISOString();
  });
  const classes = fields.classes.value === "labels" ? null : fields.classes.value;
  const where = { source: fields.source.value, timezone: zoneInUse(), from, to };
  return withValues("", { ...where, classes, model: state.model });
}

async function load() {
  const turn = ++asked;
  const wanted = query();
  page.setAttribute("aria-busy", "true");
  try {
    const report = await get("traffic", wanted);
    if (turn === asked) show(report, wanted);
    // Accuracy checks are an addition; the report is complete without them.
    crossingsOf(report).then(
      (crossings) => turn === asked && showChecked(report, crossings),
      () => (byId("checked-card").hidden = true),
    );
    if (turn === asked) page.removeAttribute("aria-busy");
  } catch (error) {
    if (turn === asked) fail(error, () => turn === asked && load());
  }
}

/**
 * Shows an error, and retries if it may pass: the server is unavailable or still counting.
 * @param {unknown} error
 * @param {() => void} again
 */
function fail(error, again) {
  page.removeAttribute("aria-busy");
  page.dataset.state = "nothing";
  byId("traffic-content").hidden = byId("files").hidden = true;
  if (!(error instanceof ApiError))
    return showNothing(t("traffic.the_report_cannot_be_shown"), String(error));
  askAgain(error, again);
  const { message, remedy, parameter, passes } = error;
  const href = `/lines/edit?${new URLSearchParams({ source: fields.source.value })}`;
  const draw = { words: t("traffic.draw_the_legs"), href, primary: true };
  const retry = passes ? { words: t("web.try_now"), onclick: again } : null;
  const words = passes ? t("web.this_page_keeps_trying", { said: remedy }).trim() : remedy;
  showNothing(message, words, parameter === "legs" && has("correct") ? draw : retry);
}

/** @param {Api.Traffic} report @param {URLSearchParams} wanted */
function show(report, wanted) {
  hideNothing();
  byId("traffic-title").textContent = t("traffic.traffic_report_name", { name: report.name });
  byId("traffic-subtitle").textContent = [
    format.span(report.from_ms, report.to_ms),
    format.zoneName(report.from_ms),
    report.model,
    t("traffic.lines_of_revision", { revision: report.revision }),
  ].join(" · ");
  byId("junction-picture").replaceChildren(junctionPicture(report) ?? t("traffic.there_is_no_frame_of_that"));
  byId("junction-diagram").replaceChildren(junctionDiagram(report));
  byId("diagram-words").textContent = knowsNorth(report)
    ? t("traffic.motor_vehicles_by_movement_as_wide")
    : t("traffic.motor_vehicles_by_movement_where_north");
  byId("legs").replaceChildren(legsTable(report));
  byId("peaks").replaceChildren(peaksTable(report));
  showQuarters(report);
  const visits = visitsPart(report);
  byId("visits-words").textContent = visits.words;
  byId("visits").replaceChildren(visits.table);
  byId("notes").replaceChildren(...report.notes.map((text) => el("li", text)));
  for (const kind of ["xlsx", "csv", "utdf"]) {
    byId(`file-${kind}`).setAttribute("href", `${BASE}/traffic/file?${wanted}&format=${kind}`);
  }
  byId("file-utdf").hidden = !knowsNorth(report) || report.peaks.every((peak) => peak.start_ms === null);
  byId("files").hidden = false;
  byId("traffic-content").hidden = false;
  page.dataset.state = "ready";
}

/** Requests the crossings of all legs, with their accuracy checks. @param {Api.Traffic} report */
function crossingsOf({ source, legs, from_ms: from, to_ms: to, model }) {
  const line = legs.map(({ name }) => name);
  return get("crossings", withValues("", { source, timezone: zoneInUse(), model, from, to, line }));
}

/** @param {Api.Traffic} report @param {Api.LineCrossings} crossings */
function showChecked(report, crossings) {
  const words = byId("checked-words");
  showChecks(words, crossings, METRICS.objects);
  words.append(el("p", t("traffic.no_check_covers_movements")));
  byId("checked-card").hidden = words.hidden;
  byId("checked").replaceChildren(checkedTable(report, crossings));
}

/** @param {Api.Traffic} report */
function showQuarters(report) {
  const names = report.columns.map(({ name }) => [name, format.labelName(name)]);
  const kept = names.some(([name]) => name === fields.shown.value) ? fields.shown.value : MOTOR;
  fillSelect(fields.shown, [[MOTOR, t("traffic.all_motor_vehicles")], ...names], kept);
  const known = report.quarters.filter(({ missing }) => !missing).length;
  const whole = report.quarters.filter(({ is_whole: isWhole }) => isWhole).length;
  const put = () => {
    byId("quarters").replaceChildren(quartersTable(report, fields.shown.value));
    const of = fields.shown.value === MOTOR ? t("traffic.all_motor_vehicles_title") : fields.shown.value;
    byId("quarters-words").textContent = t("traffic.of_were_seen_whole_in_part", {
      of,
      length: t("traffic.count_quarter_hours", { count: report.quarters.length }),
      whole: format.number(whole),
      known: format.number(known - whole),
    });
  };
  fields.shown.onchange = put;
  put();
}

/** Fills the form from the address, and the rest from the source. @param {Api.SourceRange[]} sources */
function fillForm(sources) {
  const named = state.sources[0] ?? sources[0].source;
  const options = sources.map(({ source, name }) => [source, name]);
  if (!sources.some(({ source }) => source === named)) options.push([named, named]);
  fillSelect(fields.source, options, named);
  const classes = new URLSearchParams(location.search).get("classes") ?? "labels";
  if ([...fields.classes.options].some(({ value }) => value === classes)) fields.classes.value = classes;
  fillRange(sources, state.from, state.to);
}

/** @param {Api.SourceRange[]} sources @param {number|null} [from] @param {number|null} [to] */
function fillRange(sources, from = null, to = null) {
  useZone(zoneOf({ ...state, sources: [fields.source.value] }));
  const source = sources.find((one) => one.source === fields.source.value);
  if (source && from === null && to === null) {
    to = presentEnd([source], Date.now()) ?? source.next_interval_ms;
    from = source.first_interval_ms;
    if (to - from > MOST_DAYS * DAY_MS) {
      from = startOf(to - 1, "day");
      to = plus(from, { days: 1 });
    }
  }
  fields.from.value = from === null ? "" : format.toInput(from).slice(0, 16);
  fields.to.value = to === null ? "" : format.toInput(to + 59_999).slice(0, 16);
}

/** @param {Api.SourceDrawing} drawing */
const hasLegs = ({ lines }) => lines.some(({ inward }) => inward);

async function start() {
  let sources;
  try {
    ({ sources } = await get("sources", withValues("", { model: state.model })));
    if (sources.length && !state.sources.length)
      state = { ...state, sources: [await firstDrawn(sources, hasLegs)] };
  } catch (error) {
    return fail(error, start);
  }
  if (!sources.length && !state.sources.length) {
    page.dataset.state = "empty";
    return showNothingYet(t("traffic.run_frametally_aggregate_and_index"));
  }
  fillForm(sources);
  const reload = () => {
    history.pushState(null, "", `?${query()}`);
    load();
  };
  window.addEventListener("popstate", () => {
    state = { ...parseState(location.search), timezone: state.timezone };
    fillForm(sources);
    load();
  });
  fields.source.addEventListener("change", () => {
    fillRange(sources);
    reload();
  });
  for (const field of [fields.from, fields.to, fields.classes]) field.addEventListener("change", reload);
  byId("asked").addEventListener("submit", (event) => event.preventDefault());
  history.replaceState(null, "", `?${query()}`);
  load();
}

byId("print").addEventListener("click", () => print());
start();
askForStrip();
