// Lines and zones: the crossings and stays of objects, and the objects behind each number.

import { WHY_NOT } from "frametally/js/shared/metrics.js";
import { framesFrom, openLightbox } from "frametally/js/proof/lightbox.js";
import { framePicture, loadAhead } from "frametally/js/frames/boxed_picture.js";
import { firstDrawn } from "./first_drawn.js";
import { ZonesCard } from "./lines/areas.js";
import { CrossingsCard } from "./lines/crossed.js";
import { addressOf, AskedForm, queryOf } from "./lines/views.js";
import { shapeColor, shapesOver } from "frametally/js/frames/shapes_over.js";
import { showSpeeds } from "./lines/speeds.js";
import { MovementsCard } from "./lines/turns.js";
import { withValues } from "frametally/js/shared/address.js";
import { ApiError, BASE, CountsVersion, get } from "frametally/js/shared/api.js";
import { byId, closeFromOutside, control, el, refill, swatch } from "frametally/js/shared/dom.js";
import { number } from "frametally/js/shared/format.js";
import { colorsOf } from "frametally/js/shared/palette.js";
import { carrySelection, has } from "frametally/js/shell/navigation.js";
import { answeredOf, DEFAULT, entryOf, formatWhole, parseWhole } from "frametally/js/shared/state.js";
import { giveUpZone, useZone, zoneOf } from "frametally/js/shared/time.js";
import { listen, showStrip } from "frametally/js/status/live.js";
import { hideNothing, showNothing, showNothingYet } from "frametally/js/status/nothing.js";
import { showFault, showFresh, showOutage, showOwnFault, wordsOf } from "frametally/js/status/notices.js";
import { joined, t } from "frametally/js/shared/texts.js";

const AGAIN_MS = 800;
const RETRY_MS = 3000;
const MOST_NAMED = 10;
// Slightly narrow for phones with two pixels per point, because an exact match would load a much larger picture.
const PICTURE_SIZES = "(max-width: 900px) 80vw, 760px";

let state = parseWhole(location.search, history.state);
let asking = new AbortController();
/** @type {number|null} */
let since = null;
/** @type {ReturnType<typeof setTimeout>|undefined} */
let again;
const counts = new CountsVersion();
/** @type {Page.ColorOf} */
let colors = colorsOf([], []);

const on = {
  colorOf: (/** @type {string|null} */ label) => colors(label),
  open: (/** @type {import("./lines/sightings.js").Large[]} */ pictures, /** @type {number} */ position) =>
    openLightbox(framesFrom(pictures, position), colors),
  zoom: (/** @type {number} */ from, /** @type {number} */ to) => change({ from, to, interval: null }),
  unzoom: () => change({ from: null, to: null, interval: null }),
};
const form = new AskedForm((part) => change(part));
const crossings = new CrossingsCard(on);
const movements = new MovementsCard(on);
const zones = new ZonesCard(on);
const exports = [...document.querySelectorAll("details")].filter((menu) => menu.dataset.of);
exports.forEach(closeFromOutside);

/** @param {Partial<Page.State>} part */
function change(part) {
  state = { ...state, ...part };
  history.pushState(entryOf(state), "", addressOf(state));
  crossings.proof.close();
  movements.proof.close();
  load();
}

async function load() {
  clearTimeout(again);
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  useZone(zoneOf(state));
  byId("lines-page").setAttribute("aria-busy", "true");
  try {
    await show(signal);
    byId("lines-page").setAttribute("aria-busy", "false");
    follow();
  } catch (error) {
    if (!signal.aborted) fail(error);
  }
}

/** Loads again if the answers are older than the server's counts; a load in progress checks this at its end. */
function follow() {
  if (byId("lines-page").ariaBusy !== "true" && counts.isNews()) load();
}

/** @param {AbortSignal} signal */
async function show(signal) {
  const catalogue = await get("catalogue", withValues("", { model: state.model }), signal);
  const names = catalogue.labels.map(({ label }) => label);
  colors = colorsOf(names, names);
  if (!catalogue.sources.length) {
    showNothingYet(t("traffic.lines_and_zones_are_counted_from"));
    return hideContent("empty");
  }
  if (state.sources.length !== 1) {
    const source = state.sources[0] ?? (await firstDrawn(catalogue.sources, hasPlaces, signal));
    state = { ...state, sources: [source] };
  }
  useZone(zoneOf(state));
  form.show(state, catalogue);
  carrySelection(state);
  const edit = control("edit", HTMLAnchorElement);
  edit.hidden = !has("correct");
  edit.search = formatWhole({ ...DEFAULT, sources: state.sources }, answeredOf(state));
  byId("footer-model").textContent = t("web.counted_with_the_model", { model: catalogue.model });
  const query = queryOf(state);
  const frame = byId("drawn").dataset.of ? null : askFrame(signal); // otherwise keep the one that is there
  // First wait for one answer, because the server counts the days for it that the others need.
  const crossed = await get("crossings", query, signal);
  const [stays, turns, speeds] = await Promise.all([
    get("zones", query, signal),
    get("movements", query, signal),
    get("speeds", query, signal),
  ]);
  form.showRange(crossed);
  history.replaceState(entryOf(state), "", addressOf(state, crossed));
  showFresh((since = Date.now()));
  if (!crossed.bars.length) {
    const words = t("traffic.choose_another_time_or_another_source");
    return say("empty", t("traffic.no_footage_in_this_time"), words);
  }
  if (!crossed.lines.length && !stays.zones.length && !speeds.is_calibrated) {
    const act = { words: t("traffic.draw_lines_and_zones"), href: edit.href, primary: true };
    const words = t("traffic.draw_a_line_where_you_want");
    return say("undrawn", t("traffic.nothing_is_drawn_over_this_source"), words, edit.hidden ? null : act);
  }
  hideNothing();
  byId("lines-content").hidden = false;
  showCounting(crossed);
  showNotes(crossed);
  showDrawn(crossed, stays, frame, signal);
  linkExports(crossed);
  crossings.show(state, crossed);
  movements.show(state, turns);
  zones.show(stays);
  showSpeeds(speeds);
  byId("lines-page").dataset.state = crossed.days_counted < crossed.days ? "counting" : "ready";
}

/** Links files of the numbers that are shown. @param {Api.LineCrossings} crossed */
function linkExports({ from_ms: from, to_ms: to, interval_s: interval, model }) {
  for (const menu of exports)
    for (const link of menu.querySelectorAll("a")) {
      const { format } = link.dataset;
      const query = queryOf(state, {
        from,
        to,
        interval,
        model,
        of: menu.dataset.of ?? null,
        format: format ?? null,
      });
      link.href = `${BASE}/places/export?${query}`;
    }
}

/** @param {Api.SourceDrawing} drawing */
const hasPlaces = (drawing) => drawing.lines.length + drawing.zones.length > 0;

/** @param {string} kind @param {string} title @param {string} words @param {import("frametally/js/status/nothing.js").Act|null} [act] */
function say(kind, title, words, act) {
  hideContent(kind);
  showNothing(title, words, act);
}

/** @param {string} kind */
function hideContent(kind) {
  byId("lines-content").hidden = byId("counting").hidden = byId("lines-note").hidden = true;
  byId("lines-page").dataset.state = kind;
}

/** @param {Api.LineCrossings} answer */
function showCounting({ days, days_counted: counted }) {
  byId("counting").hidden = counted >= days;
  if (counted >= days) return;
  Object.assign(control("counting-bar", HTMLProgressElement), { max: days, value: counted });
  const done = { counted: number(counted), count: days };
  byId("counting-words").textContent = t("traffic.counting_of_days_are_done", done);
  again = setTimeout(load, AGAIN_MS);
}

/** @param {Api.LineCrossings} answer */
function showNotes({ bars, note }) {
  const missing = bars.flatMap((bar) => bar.missing ?? []);
  const why = [...new Set(missing)].map((reason) => WHY_NOT[reason]).join("; ");
  const values = { without: number(missing.length), length: number(bars.length), why };
  const without = missing.length ? t("traffic.in_of_intervals_objects_were_not", values) : "";
  byId("lines-note").textContent = joined([note, without], " ");
  byId("lines-note").hidden = !byId("lines-note").textContent;
}

/** Requests the fullest frame of the source, to draw everything over it. @param {AbortSignal} signal */
const askFrame = (signal) =>
  get("frames", queryOf({ ...state, labels: [], interval: null }, { limit: 1, start: "peak" }), signal).then(
    ({ frames: [frame] }) => {
      if (frame) loadAhead(frame, PICTURE_SIZES);
      return frame;
    },
    () => undefined,
  );

/**
 * @param {Api.LineCrossings} crossed
 * @param {Api.ZoneStays} stays
 * @param {ReturnType<typeof askFrame>|null} asked
 * @param {AbortSignal} signal
 */
async function showDrawn(crossed, stays, asked, signal) {
  const shapes = [...crossed.lines, ...stays.zones];
  const over = shapesOver({ lines: crossed.lines, zones: stays.zones });
  const words = [...crossed.lines.map(lineWords), ...stays.zones.map(() => t("traffic.zone"))];
  const names = el(
    "ul.drawn-names",
    ...shapes.map(({ name }, at) =>
      el("li", swatch(shapeColor(at)), el("span.strong", name), el("span.muted.small", words[at])),
    ),
  );
  const { from_ms: from, to_ms: to } = crossed;
  const text = JSON.stringify([state.sources, from, to, shapes, document.documentElement.className]);
  const area = byId("drawn");
  if (area.dataset.of === text) return;
  area.dataset.of = text;
  if (!area.childElementCount) refill(area, el("div.drawn-room"), names);
  const frame = await (asked ?? askFrame(signal));
  if (signal.aborted) return void (area.dataset.of = "");
  const alt = t("traffic.the_sources_picture_with", { shapes: shapes.map(({ name }) => name).join(", ") });
  const shown = frame
    ? framePicture({ ...frame, boxes: [], over }, colors, { alt, sizes: PICTURE_SIZES })
    : el("p.muted", t("traffic.there_is_no_picture_of_this"));
  refill(area, shown, names);
}

/** @param {Api.CountedLine} line */
const lineWords = ({ inward, to_right, to_left }) => {
  const part = inward ? t("traffic.leg_of_the_junction") : "";
  return t("traffic.line_with_the_arrow_against_it", { part, to_right, to_left });
};

/** @param {unknown} error */
function fail(error) {
  byId("lines-page").setAttribute("aria-busy", "false");
  if (!(error instanceof ApiError)) return showOwnFault(error);
  if (error.parameter === "timezone" && state.timezone === null && zoneOf(state) !== "UTC") {
    giveUpZone(zoneOf(state));
    load();
    return;
  }
  if (error.parameter === "source" && form.source.length) {
    showFresh((since = Date.now()));
    const names = [...form.source.options].slice(0, MOST_NAMED).map(({ text }) => text);
    const title = t("traffic.there_is_no_source", { name: error.value });
    say("unknown", title, t("traffic.choose_another_source", { names: names.join(", ") }));
    byId("edit").hidden = true;
    return;
  }
  if (since === null) byId("lines-page").dataset.state = "failed";
  if (error.passes) {
    showOutage(error, since, load);
    again = setTimeout(load, RETRY_MS);
  } else showFault(t("web.this_cannot_be_shown_title"), wordsOf(error));
}

window.addEventListener("popstate", () => {
  state = parseWhole(location.search, history.state);
  load();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", load);
load();
listen({
  index: (version) => {
    counts.named = version;
    follow();
  },
  status: showStrip,
  away: (error) => showOutage(error, since, load),
  back: load,
});
