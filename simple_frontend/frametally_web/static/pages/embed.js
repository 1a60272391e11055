// The embedded chart, for other sites: its address contains the question, like the dashboard's.

import { showLegend, TimeChart } from "../js/chart/plot.js";
import { rangeOf } from "../js/chart/tooltip.js";
import { ask, askSigned } from "../js/loading/loader.js";
import { ApiError, forgetAnswers, isSigned } from "../js/shared/api.js";
import { chartView } from "../js/shared/compare.js";
import { byId, control, el } from "../js/shared/dom.js";
import { METRICS } from "../js/shared/metrics.js";
import { colorsOf } from "../js/shared/palette.js";
import { answeredOf, formatWhole, parseState, unreadWords } from "../js/shared/state.js";
import { useZone, zoneOf } from "../js/shared/time.js";
import { t } from "../js/shared/texts.js";

const REFRESH_MS = 60_000;

const asked = parseState(location.search);
let state = asked;
/** @type {Api.Counts|undefined} */
let counted;
let asking = new AbortController();
const unread = unreadWords(location.search);
byId("chart-unread").textContent = unread;
byId("chart-unread").hidden = !unread;
const chart = new TimeChart(control("chart", HTMLCanvasElement), {
  bar: (start) => window.open(addressOf({ ...state, at: start }), "_blank", "noopener"),
  zoom: (from, to) => change({ from, to }),
  unzoom: () => change({ from: asked.from, to: asked.to }),
});

/** @param {Page.State} shown */
function addressOf(shown) {
  return `./?${formatWhole(shown, answeredOf(shown, counted))}`;
}

/** @param {Partial<Page.State>} part */
function change(part) {
  if (isSigned) return; // the signature covers only this selection
  state = { ...state, ...part };
  load();
}

async function load() {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  useZone(zoneOf(state));
  try {
    show(await (isSigned ? askSigned : ask)(state, signal));
  } catch (error) {
    if (signal.aborted) return;
    // An open range grows with the data, until it has more bars than the server allows: use longer bars.
    const longer = error instanceof ApiError && error.parameter === "interval" && error.instead[0];
    if (longer && !isSigned) return change({ interval: Number(longer) });
    byId("chart").hidden = counted === undefined;
    say(error instanceof Error ? error.message : t("web.this_cannot_be_shown_sentence"));
    byId("embed").dataset.state = "failed";
  }
}

/** @param {Pick<Page.Answers, "counts"|"other"> & {labels: {label: string}[]}} answers */
function show({ labels, counts, other }) {
  counted = counts;
  const metric = METRICS[counts.metric];
  const all = labels.map(({ label }) => label);
  const colorOf = colorsOf(all, counts.labels.length ? counts.labels : all);
  const view = chartView(state, { counts, other }, colorOf);
  byId("chart-title").textContent = metric.title;
  byId("chart-subtitle").textContent = view && rangeOf(view, counts.zone);
  control("open", HTMLAnchorElement).href = addressOf(state);
  byId("chart").hidden = !view;
  say(view ? "" : t("web.no_footage_in_this_selection"));
  if (view) {
    showLegend(byId("legend"), view, state.labels, (chosen) => change({ labels: chosen }));
    chart.show(view);
  }
  byId("embed").dataset.state = "ready";
}

/** @param {string} words */
function say(words) {
  const message = byId("chart-message");
  message.hidden = !words;
  message.replaceChildren(el("p.strong", words));
}

setInterval(() => {
  if (document.hidden) return;
  forgetAnswers();
  load();
}, REFRESH_MS);
load();
