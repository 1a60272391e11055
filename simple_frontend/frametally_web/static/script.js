// The dashboard: what the viewer chooses goes into the address, the API is asked, the answers are shown.

import { Filters } from "./js/filters/form.js";
import { FramesCard } from "./js/proof/card.js";
import { Results } from "./js/results/card.js";
import { Extras } from "./js/results/extras.js";
import { ApiError, get, selectionQuery } from "./js/shared/api.js";
import { comparisonOf } from "./js/shared/compare.js";
import { byId, control } from "./js/shared/dom.js";
import { useZone } from "./js/shared/time.js";
import { METRICS } from "./js/shared/metrics.js";
import { colorsOf, groupLabels } from "./js/shared/palette.js";
import { rankedLabels } from "./js/shared/series.js";
import { DEFAULT, formatState, parseState } from "./js/shared/state.js";
import { giveUpOwnZone, hasOwnZone, OWN_ZONE, zoneOf } from "./js/shared/zones.js";
import { Health } from "./js/status/health.js";
import { listen } from "./js/status/live.js";
import { showFault, showFresh, showMistake, showOutage } from "./js/status/notices.js";

const REFRESH_S = 60;
const WAITING_FOR_DATA_S = 5;
const RETRY_S = [2, 3, 5, 10];
// While footage is processed counts change often: as often as this the page follows.
const LEAST_BETWEEN_LOADS_MS = 700;

let state = parseState(location.search);
/** @type {(Page.Answers & {since: number, shownFor?: string})|null} */
let shown = null; // the answers on the page, and when they came
/** @type {AbortController|null} */
let asking = null; // the load under way
let failures = 0;
let timer = 0;
let isAway = false;
let indexVersion = "";
let loadedAt = 0;
let isLoading = false;
let isStale = false; // the counts changed while they were loaded

const filters = new Filters(change);
const results = new Results({
  bar: (bar) => showBar(bar, true),
  change,
  unzoom,
  reset: () => showEverything(),
});
const frames = new FramesCard({ bar: showBar, change, frame: noteFrame, load: () => load() });
const extras = new Extras(change);
const health = new Health();

/**
 * The viewer chose something: a new entry in the browser's history, and new answers.
 * @param {Partial<Page.State>} part
 */
function change(part) {
  const keepsBars = Object.keys(part).every((name) => ["labels", "metric", "compare"].includes(name));
  remember({ ...state, ...part, at: keepsBars ? state.at : null, frame: null });
  load();
}

function unzoom() {
  if (state.from !== null || state.to !== null) change({ from: null, to: null, interval: null });
}

/** @param {string} [fault]  the parameter that could not be: it is not kept */
function showEverything(fault = "") {
  const { view, chart, boxes, metric } = state;
  const timezone = fault === "timezone" ? null : state.timezone;
  remember({ ...DEFAULT, view, chart, boxes, timezone, metric });
  load();
}

/** @param {Page.State} next */
function remember(next) {
  const query = formatState(next);
  const isNew = query !== formatState(state);
  state = next;
  if (isNew) history.pushState(null, "", query ? `?${query}` : location.pathname);
}

/**
 * Asks the API for all that the page shows, and asks again after a while.
 * @param {Object} [options]
 * @param {boolean} [options.quietly]  nobody waits for it: what is shown does not fade meanwhile
 */
async function load({ quietly = false } = {}) {
  asking?.abort();
  const mine = (asking = new AbortController());
  clearTimeout(timer);
  loadedAt = Date.now();
  isLoading = true;
  isStale = false;
  if (!quietly) byId("dashboard").setAttribute("aria-busy", "true");
  let againInS;
  try {
    useZone(zoneOf(state));
    const answers = await ask(mine.signal);
    failures = 0;
    isAway = false;
    show({ ...answers, since: Date.now() });
    againInS = answers.models.length ? REFRESH_S : WAITING_FOR_DATA_S;
    if (answers.models.length) await showTheRest(mine.signal);
  } catch (error) {
    if (mine.signal.aborted) return;
    if (isAboutOwnZone(error)) {
      giveUpOwnZone();
      return load();
    }
    againInS = fail(error);
  }
  if (asking !== mine) return;
  byId("dashboard").setAttribute("aria-busy", "false");
  isLoading = false;
  if (isStale) follow();
  else if (againInS) timer = window.setTimeout(refresh, againInS * 1000);
}

function refresh() {
  if (document.hidden) document.addEventListener("visibilitychange", refresh, { once: true });
  else load({ quietly: true });
}

/**
 * @param {AbortSignal} signal
 * @returns {Promise<Page.Answers>}
 */
async function ask(signal) {
  const model = new URLSearchParams(state.model ? { model: state.model } : {});
  const [{ models }, { labels }, { sources }, counts] = await Promise.all([
    get("models", undefined, signal),
    get("labels", model, signal),
    get("sources", model, signal),
    get("counts", selectionQuery(state, { bars: true }), signal),
  ]);
  const comparison = comparisonOf(state, { models, sources, counts });
  const other = comparison && {
    comparison,
    counts: await get("counts", selectionQuery(comparison.state, { bars: true }), signal),
  };
  return { models, labels, sources, counts, other };
}

/** @param {AbortSignal} signal */
async function showTheRest(signal) {
  if (!shown) return;
  await Promise.all([
    frames.load(state, shown, colors(), sourceName, signal),
    extras.show(state, shown, sourceName, signal),
  ]);
}

/** @param {Page.Answers & {since: number}} answers */
function show(answers) {
  const before = shown;
  shown = answers;
  showFresh(answers.since);
  const hasData = answers.models.length > 0;
  byId("dashboard").dataset.state = hasData ? "ready" : "empty";
  byId("no-data").hidden = hasData;
  byId("content").hidden = !hasData;
  byId("footer-model").textContent = hasData ? `Counted with the model ${answers.counts.model}.` : "";
  if (hasData && !(before && sameAnswers(before, answers))) render();
  else shown.shownFor = before?.shownFor;
}

/**
 * @param {Page.Answers & {shownFor?: string}} one
 * @param {Page.Answers} other
 */
function sameAnswers(one, other) {
  const text = (/** @type {Page.Answers} */ answers) =>
    JSON.stringify([answers.models, answers.labels, answers.sources, answers.counts, answers.other?.counts]);
  return one.shownFor === formatState(state) && text(one) === text(other);
}

/** Puts the answers on the page as the state asks for it. */
function render() {
  if (!shown) return;
  shown.shownFor = formatState(state);
  const colorOf = colors();
  filters.show(state, shown, colorOf);
  results.show(state, shown, colorOf);
  control("boxes", HTMLInputElement).checked = state.boxes;
  for (const id of ["frames", "lightbox"]) byId(id).classList.toggle("without-boxes", !state.boxes);
  frames.showHead(state, shown, results);
}

function colors() {
  const ranked = shown?.labels.map(({ label }) => label) ?? [];
  const inChart = shown ? rankedLabels(shown.counts, METRICS[shown.counts.metric]) : [];
  return colorsOf(ranked, inChart.length ? groupLabels(inChart).own : ranked);
}

/** @param {string} source */
function sourceName(source) {
  return shown?.sources.find((one) => one.source === source)?.name ?? source;
}

/**
 * The address names the frame that is looked at. "Back" goes to the bar before, not through its frames.
 * @param {string} frame
 */
function noteFrame(frame) {
  state = { ...state, frame };
  if (shown) shown.shownFor = formatState(state);
  history.replaceState(null, "", `?${formatState(state)}`);
}

/**
 * @param {number|null} bar  its start, ms; null: none
 * @param {boolean} goThere
 */
function showBar(bar, goThere = false) {
  remember({ ...state, at: bar, frame: null });
  render();
  if (goThere) frames.goThere();
  load();
}

// What goes wrong.

/**
 * Whether bars cannot be made in the browser's own zone, which nobody asked for.
 * @param {unknown} error
 */
function isAboutOwnZone(error) {
  return (
    error instanceof ApiError &&
    error.parameter === "timezone" &&
    state.timezone === null &&
    hasOwnZone() &&
    OWN_ZONE !== "UTC"
  );
}

/**
 * @param {unknown} error
 * @returns {number|null} seconds until the next attempt
 */
function fail(error) {
  if (!(error instanceof ApiError)) {
    console.error(error);
    showFault(
      "The page met an error of its own",
      "Load it again; if that does not help, its console has the reason.",
    );
    return null;
  }
  if (!shown) byId("dashboard").dataset.state = "failed";
  if (!error.passes) {
    showMistake(error, () => showEverything(error.parameter));
    return null;
  }
  isAway = true;
  showOutage(error.message, shown?.since ?? null, () => load());
  failures += 1;
  return RETRY_S[Math.min(failures, RETRY_S.length) - 1];
}

/** The counts changed: soon, and not too often, the page follows. */
function follow() {
  isStale = isLoading;
  if (isLoading) return;
  clearTimeout(timer);
  const wait = Math.max(loadedAt + LEAST_BETWEEN_LOADS_MS - Date.now(), 0);
  timer = window.setTimeout(refresh, wait);
  health.refresh();
}

function start() {
  if (!window.Chart) {
    byId("dashboard").dataset.state = "failed";
    showFault(
      "The chart library did not load",
      "Run “python simple_frontend/fetch_assets.py”, then load this page again.",
    );
    return;
  }
  /** @type {Record<string, Partial<Page.State>>} */
  const views = {
    "view-bars": { view: "chart", chart: "bars" },
    "view-lines": { view: "chart", chart: "lines" },
    "view-table": { view: "table" },
  };
  for (const [id, part] of Object.entries(views)) {
    byId(id).addEventListener("click", () => {
      remember({ ...state, ...part });
      render();
    });
  }
  control("boxes", HTMLInputElement).addEventListener("change", () => {
    remember({ ...state, boxes: control("boxes", HTMLInputElement).checked });
    render();
  });
  byId("unzoom").addEventListener("click", unzoom);
  window.addEventListener("popstate", () => {
    state = parseState(location.search);
    load();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    frames.forget();
    extras.forget();
    if (!shown?.models.length) return;
    render();
    load();
  });
  results.showLoading();
  frames.showLoading();
  load();
  listen({
    index(version) {
      // The first one, too: what was loaded before it came may be older.
      if (version !== indexVersion) follow();
      indexVersion = version;
    },
    status: (books) => health.show(books),
    away(reason) {
      if (!isAway) showOutage(reason, shown?.since ?? null, () => load());
      isAway = true;
    },
    back() {
      if (isAway) load();
    },
  });
}

start();
