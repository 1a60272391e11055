// The dashboard: what the viewer chooses goes into the address, the API is asked, the answers are shown.

import { ApiError, get, selectionQuery } from "./js/api.js";
import { byId, el } from "./js/dom.js";
import { Filters } from "./js/filters.js";
import { plural, span } from "./js/format.js";
import { showFrames, showFrameSkeletons, showFramesMessage } from "./js/frames.js";
import { showFault, showFresh, showMistake, showOutage } from "./js/notices.js";
import { colorsOf } from "./js/palette.js";
import { Results } from "./js/results.js";
import { DEFAULT, formatState, parseState } from "./js/state.js";

const REFRESH_S = 30;
const WAITING_FOR_DATA_S = 5;
const RETRY_S = [3, 5, 10, 20];

let state = parseState(location.search);
let shown = null; // the answers on the page, and when they came
let framesShown = ""; // what the strip was made from
let asking = null; // AbortController of the load under way
let failures = 0;
let timer = 0;

const filters = new Filters(change);
const results = new Results({
  bar: (start) => showBar(start, true),
  labels: (labels) => change({ labels }),
  reset: showEverything,
});

/** The viewer chose something: a new entry in the browser's history, and new answers. */
function change(part) {
  const keepsBars = Object.keys(part).every((name) => name === "labels");
  remember({ ...state, ...part, at: keepsBars ? state.at : null });
  load();
}

function showEverything() {
  const { view, boxes } = state;
  remember({ ...DEFAULT, view, boxes });
  load();
}

function remember(next) {
  state = next;
  const query = formatState(state);
  history.pushState(null, "", query ? `?${query}` : location.pathname);
}

/** Asks the API for all that the page shows, and asks again after a while. */
async function load() {
  asking?.abort();
  const mine = (asking = new AbortController());
  clearTimeout(timer);
  byId("dashboard").setAttribute("aria-busy", "true");
  let againInS;
  try {
    const answers = await ask(mine.signal);
    failures = 0;
    show({ ...answers, since: Date.now() });
    againInS = answers.models.length ? REFRESH_S : WAITING_FOR_DATA_S;
    if (answers.models.length) await loadFrames(mine.signal);
  } catch (error) {
    if (mine.signal.aborted) return;
    againInS = fail(error);
  }
  if (asking !== mine) return;
  byId("dashboard").setAttribute("aria-busy", "false");
  if (againInS) timer = setTimeout(refresh, againInS * 1000);
}

function refresh() {
  if (document.hidden) document.addEventListener("visibilitychange", load, { once: true });
  else load();
}

async function ask(signal) {
  const model = new URLSearchParams(state.model ? { model: state.model } : {});
  const [{ models }, { labels }, { sources }, counts] = await Promise.all([
    get("models", undefined, signal),
    get("labels", model, signal),
    get("sources", model, signal),
    get("counts", selectionQuery(state), signal),
  ]);
  return { models, labels, sources, counts };
}

function show(answers) {
  const before = shown;
  shown = answers;
  showFresh(answers.since);
  const hasData = answers.models.length > 0;
  byId("dashboard").dataset.state = hasData ? "ready" : "empty";
  byId("no-data").hidden = hasData;
  byId("content").hidden = !hasData;
  byId("footer").textContent = hasData ? `Counted with the model ${answers.counts.model}.` : "";
  if (hasData && !(before && sameAnswers(before, answers))) render();
}

function sameAnswers(one, other) {
  const text = ({ models, labels, sources, counts }) => JSON.stringify([state, models, labels, sources, counts]);
  return one.shownFor === formatState(state) && text(one) === text(other);
}

/** Puts the answers on the page as the state asks for it. */
function render() {
  shown.shownFor = formatState(state);
  const colorOf = colors();
  filters.show(state, shown, colorOf);
  results.show(state, shown, colorOf);
  byId("boxes").checked = state.boxes;
  byId("frames").classList.toggle("without-boxes", !state.boxes);
  byId("lightbox").classList.toggle("without-boxes", !state.boxes);
  showBarTools();
}

function colors() {
  const ranked = shown.labels.map(({ label }) => label);
  return colorsOf(ranked, shown.counts.labels.length ? shown.counts.labels : ranked);
}

function sourceName(source) {
  return shown.sources.find((one) => one.source === source)?.name ?? source;
}

// The frames behind the selection, or behind the bar that was chosen.

async function loadFrames(signal) {
  const { counts } = shown;
  if (!counts.coverage.length) {
    showFramesMessage(byId("frames"), "There is no footage here, so there are no frames.");
    framesShown = "";
    return;
  }
  const [from, to] = barRange();
  const query = selectionQuery({ ...state, from, to, interval: null });
  const wanted = JSON.stringify([String(query), counts.totals]);
  if (wanted === framesShown) return;
  try {
    const evidence = await get("evidence", query, signal);
    showFrames(byId("frames"), evidence, colors(), sourceName);
    framesShown = wanted;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    framesShown = "";
    const retry = el("button", { type: "button", class: "button", text: "Try again", onclick: load });
    showFramesMessage(byId("frames"), `The frames cannot be shown. ${error.message} ${error.remedy}`, retry);
  }
}

/** The range that the strip is about: the chosen bar's, cut to the range asked for. */
function barRange() {
  if (state.at === null) return [state.from, state.to];
  const end = state.at + shown.counts.interval_s * 1000;
  return [Math.max(state.at, state.from ?? -Infinity), Math.min(end, state.to ?? Infinity)];
}

function showBar(start, scroll = false) {
  remember({ ...state, at: start });
  render();
  load();
  if (scroll) byId("frames-title").scrollIntoView({ block: "nearest" });
}

function showBarTools() {
  const { counts, models } = shown;
  const chosen = state.at !== null && counts.interval_s;
  byId("bar-tools").hidden = !chosen;
  byId("frames-title").textContent = chosen ? "Busiest frame per label in this interval" : "Busiest frame per label";
  const row = chosen ? results.rows.find((one) => one.start === state.at) : null;
  if (!chosen) {
    byId("frames-subtitle").textContent = counts.coverage.length
      ? "The frame that shows most of it. Choose a bar for the frames behind it."
      : "";
    return;
  }
  const end = state.at + counts.interval_s * 1000;
  const what = row?.frames ? `: ${plural(row.total, "detection")} in ${plural(row.frames, "frame")}` : "";
  byId("frames-subtitle").textContent = span(state.at, end) + what;
  const { previous, next } = results.neighboursOf(state.at);
  step("bar-previous", previous);
  step("bar-next", next);
  const finest = models.find((one) => one.model === counts.model)?.base_intervals_s[0];
  byId("bar-zoom").disabled = counts.interval_s <= finest;
}

function step(id, start) {
  byId(id).disabled = start === null;
  byId(id).onclick = () => showBar(start);
}

// What goes wrong.

/** @returns {number|null} seconds until the next attempt */
function fail(error) {
  if (!(error instanceof ApiError)) {
    console.error(error);
    showFault("The page met an error of its own", "Load it again; if that does not help, its console has the reason.");
    return null;
  }
  if (!shown) byId("dashboard").dataset.state = "failed";
  if (!error.passes) {
    showMistake(error, showEverything);
    return null;
  }
  const retryInS = RETRY_S[Math.min(failures, RETRY_S.length - 1)];
  failures += 1;
  showOutage(error, shown?.since ?? null, retryInS, load);
  return retryInS;
}

function start() {
  if (!window.Chart || !window.luxon) {
    byId("dashboard").dataset.state = "failed";
    showFault("The chart library did not load", "Run “python simple_frontend/fetch_assets.py”, then load this page again.");
    return;
  }
  for (const view of ["chart", "table"]) {
    byId(`view-${view}`).addEventListener("click", () => {
      remember({ ...state, view });
      if (shown) render();
    });
  }
  byId("boxes").addEventListener("change", (event) => {
    remember({ ...state, boxes: event.target.checked });
    if (shown) render();
  });
  byId("bar-close").addEventListener("click", () => showBar(null));
  byId("bar-zoom").addEventListener("click", () => {
    const [from, to] = barRange();
    change({ from, to, interval: null });
  });
  window.addEventListener("popstate", () => {
    state = parseState(location.search);
    load();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    framesShown = "";
    if (shown?.models.length) {
      render();
      load();
    }
  });
  results.showLoading();
  showFrameSkeletons(byId("frames"));
  load();
}

start();
