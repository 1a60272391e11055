// The dashboard: it writes the viewer's choices to the address, requests the API, and shows the answers.

import { ContextBar } from "../js/context/bar.js";
import { remediesOf } from "../js/context/remedies.js";
import { ask, askSummary, Loader } from "../js/loading/loader.js";
import { FramesCard } from "../js/proof/card.js";
import { Results } from "../js/results/card.js";
import { Extras } from "../js/results/extras.js";
import { ApiError } from "../js/shared/api.js";
import { byId, control, nextTask } from "../js/shared/dom.js";
import { giveUpZone, useZone, zoneOf } from "../js/shared/time.js";
import { colorsOf } from "../js/shared/palette.js";
import { carrySelection, leadThere, rove } from "../js/shell/navigation.js";
import {
  answeredOf,
  entryOf,
  EVERYTHING,
  formatState,
  formatWhole,
  parseWhole,
  unreadWords,
  withoutStaleBar,
} from "../js/shared/state.js";
import { listen, showStrip } from "../js/status/live.js";
import {
  showFresh,
  showFuture,
  showMistake,
  showOutage,
  showOwnFault,
  showUnread,
} from "../js/status/notices.js";
import { t } from "../js/shared/texts.js";

let state = parseWhole(location.search, history.state);
/** Unreadable parts of the address; the page reports them until the viewer chooses something. */
let unread = unreadWords(location.search);
/** The last address that this page wrote. */
let written = "";
/** @type {(Page.Answers & {since: number, shownFor?: string})|null} */
let shown = null; // the answers on the page, and when they arrived
let isAway = false;
// If the summary takes longer than this, the page shows the chart first.
const SUMMARY_PATIENCE_MS = 300;
// The chart keeps its bars when these change.
const KEEP_BARS = ["labels", "metric", "compare", "empty"];
let renderings = 0;

// Separate tasks keep the page responsive while it builds its parts.
await nextTask();
const context = new ContextBar({ change, widen: () => results.zooms.out() });
await nextTask();
const results = new Results({
  bar: (bar) => showBar(bar, { goThere: true }),
  peak: (bar, image) => showBar(bar, { goThere: true, image }),
  change,
  reset: () => showEverything(),
  look: (row) => frames.sight.look(row),
});
await nextTask();
const frames = new FramesCard({
  bar: (bar) => showBar(bar),
  change,
  frame: noteFrame,
  load: () => loader.load(),
});
const extras = new Extras({
  change,
  hole: (sources, hole) => results.showHole(sources, hole),
  moment: (ms) => results.openAt(ms),
  bar: (bar) => showBar(bar, { goThere: true }),
});
const loader = new Loader({ ask: load, fail });

/**
 * Applies a choice: a new entry in the browser's history, and new answers.
 * @param {Partial<Page.State>} part
 */
function change(part) {
  const keepsBars = Object.keys(part).every((name) => KEEP_BARS.includes(name));
  remember({ ...state, ...part, at: keepsBars ? state.at : null, frame: null });
  loader.load();
}

function showEverything() {
  remember({ ...state, ...EVERYTHING, model: null, at: null, frame: null, empty: false });
  loader.load();
}

/** @param {Page.State} next */
function remember(next) {
  const query = formatState(next);
  const isNew = query !== formatState(state);
  state = next;
  if (!isNew) return;
  unread = "";
  history.pushState(entryOf(state), "", location.pathname);
  written = "";
  writeAddress();
}

/** The address contains the whole question, so that everyone who opens the link sees the same numbers. */
function writeAddress() {
  const isAnswered = shown?.shownFor === formatState(state);
  const query = formatWhole(state, answeredOf(state, isAnswered ? shown?.counts : undefined));
  if (query !== written) history.replaceState(entryOf(state), "", `?${query}`);
  written = query;
}

/**
 * @param {AbortSignal} signal
 * @param {boolean} quietly  whether nobody is waiting for it
 * @returns {Promise<"all"|"part"|"nothing">}  which answers arrived
 */
async function load(signal, quietly) {
  useZone(zoneOf(state));
  const adding = askSummary(state, signal);
  adding.catch(() => {}); // it is aborted with the other requests
  const answers = await ask(state, signal);
  isAway = false;
  const before = shown?.shownFor === formatState(state) ? shown.summary : null;
  const inTime = await Promise.race([adding, pause(SUMMARY_PATIENCE_MS)]);
  await show({ ...answers, summary: inTime ?? before, since: Date.now() });
  signal.throwIfAborted();
  if (!answers.models.length) return "nothing";
  results.announce(answers.counts, quietly);
  const [summary] = await Promise.all([inTime ?? showLate(adding, signal), showTheRest(signal)]);
  const isMissing = summary instanceof ApiError && summary.passes;
  return isMissing || answers.otherFault ? "part" : "all";
}

/** @param {number} ms @returns {Promise<null>} */
const pause = (ms) => new Promise((resolve) => setTimeout(() => resolve(null), ms));

/**
 * Adds a summary to a chart that is already on the page.
 * @param {ReturnType<typeof askSummary>} adding
 * @param {AbortSignal} signal
 */
async function showLate(adding, signal) {
  const summary = await adding;
  signal.throwIfAborted();
  if (shown) {
    shown.summary = summary;
    results.showSummary(state, shown);
  }
  return summary;
}

/** @param {AbortSignal} signal */
async function showTheRest(signal) {
  if (!shown) return;
  await Promise.all([
    frames.load(state, shown, looks(), signal),
    extras.show(state, { ...shown, view: results.view }, looks(), signal),
  ]);
}

/** @param {Page.Answers & {since: number}} answers */
async function show(answers) {
  const before = shown;
  shown = answers;
  showFresh(answers.since);
  showUnread(unread);
  showFuture(state, answers, change);
  const hasData = answers.models.length > 0;
  if (!hasData) byId("dashboard").dataset.state = "empty";
  byId("no-data").hidden = hasData;
  byId("content").hidden = !hasData;
  byId("footer-model").textContent = hasData
    ? t("web.counted_with_the_model", { model: answers.counts.model })
    : "";
  state = withoutStaleBar(state, answers.counts);
  if (!hasData || (before && sameAnswers(before, answers))) {
    shown.shownFor = before?.shownFor;
    if (hasData) writeAddress();
    return;
  }
  await render();
}

/** @param {Page.Answers & {shownFor?: string}} one @param {Page.Answers} other */
function sameAnswers(one, other) {
  /** @param {Page.Answers} answers */
  const text = ({ models, labels, sources, counts, summary, other: beside }) =>
    JSON.stringify([models, labels, sources, counts, summary, beside?.counts]);
  return one.shownFor === formatState(state) && text(one) === text(other);
}

/** Shows the answers for the state; a later call replaces one in progress. */
async function render() {
  const mine = ++renderings;
  for (const parts = rendering(); !parts.next().done;) {
    await nextTask();
    if (mine !== renderings) return;
  }
}

/** Builds each part in its own task, starting with those that people use first. */
function* rendering() {
  if (!shown) return;
  const parts = results.parts(state, shown, looks());
  parts.next();
  control("boxes", HTMLInputElement).checked = state.boxes;
  for (const id of ["frames", "lightbox"]) byId(id).classList.toggle("without-boxes", !state.boxes);
  frames.showHead(state, shown, results);
  yield;
  context.show(state, shown, looks().colorOf);
  carrySelection(state);
  yield;
  yield* parts;
  byId("dashboard").dataset.state = "ready";
  shown.shownFor = formatState(state);
  writeAddress();
}

/** @returns {Page.Looks} */
function looks() {
  const ranked = shown?.labels.map(({ label }) => label) ?? [];
  const inChart = shown?.counts.labels ?? [];
  return {
    colorOf: colorsOf(ranked, inChart.length ? inChart : ranked),
    nameOf: (source) => shown?.sources.find((one) => one.source === source)?.name ?? source,
  };
}

/**
 * Puts the current frame into the address. "Back" returns to the previous bar, not through its frames.
 * @param {string} frame
 */
function noteFrame(frame) {
  state = { ...state, frame };
  if (shown) shown.shownFor = formatState(state);
  writeAddress();
}

/**
 * @param {number|null} bar  start in ms, or `null` for none
 * @param {Object} [options]
 * @param {boolean} [options.goThere]  scrolls to its frames
 * @param {string|null} [options.image]  image of the first frame; unique objects have other pictures
 */
function showBar(bar, { goThere = false, image = null } = {}) {
  const metric = image && shown?.counts.metric === "objects" ? "peak" : state.metric;
  remember({ ...state, metric, at: bar, frame: image });
  render();
  if (goThere) frames.goThere();
  loader.load();
}

// Errors.

/** @param {unknown} error @returns {"again"|"later"|"never"}  when to retry */
function fail(error) {
  if (!(error instanceof ApiError)) {
    showOwnFault(error);
    return "never";
  }
  // The default zone, which nobody chose, cannot have these bars.
  if (error.parameter === "timezone" && state.timezone === null && zoneOf(state) !== "UTC") {
    giveUpZone(zoneOf(state));
    return "again";
  }
  if (!shown) byId("dashboard").dataset.state = "failed";
  if (!error.passes) {
    showMistake(error, remediesOf(error, state), change);
    context.showWithoutCounts(state, looks().colorOf);
    return "never";
  }
  away(error);
  return "later";
}

/** @param {ApiError} error */
function away(error) {
  isAway = true;
  showOutage(error, shown?.since ?? null, () => loader.reload());
}

/** @type {Record<string, Partial<Page.State>>} */
const VIEWS = {
  "view-bars": { view: "chart", chart: "bars" },
  "view-lines": { view: "chart", chart: "lines" },
  "view-table": { view: "table" },
};
for (const [id, part] of Object.entries(VIEWS)) {
  byId(id).addEventListener("click", () => {
    remember({ ...state, ...part });
    render();
  });
}
control("boxes", HTMLInputElement).addEventListener("change", () => {
  remember({ ...state, boxes: control("boxes", HTMLInputElement).checked });
  render();
});
window.addEventListener("popstate", () => {
  state = parseWhole(location.search, history.state);
  unread = unreadWords(location.search);
  written = location.search.slice(1);
  loader.load();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  frames.forget();
  extras.forget();
  if (!shown?.models.length) return;
  render();
  loader.load();
});
rove(byId("summary"), "button");
rove(byId("measures"), "button");
for (const id of ["legend", "chart-tools"]) rove(byId(id), ":scope > button, :scope > * > button, summary");
leadThere();
loader.load();
listen({
  index: (version) => loader.tell(version),
  status: showStrip,
  away(error) {
    if (!isAway || !error.status) away(error);
  },
  back() {
    if (isAway) loader.reload();
  },
});
