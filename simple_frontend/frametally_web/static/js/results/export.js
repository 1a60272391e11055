// Exports the view: the numbers as files, the chart as a picture, the view as a link.

import { chartPicture } from "../chart/picture.js";
import { BASE, selectionQuery } from "../shared/api.js";
import { byId, closeFromOutside, control, copyText, el } from "../shared/dom.js";
import { duration, span, zoneName } from "../shared/format.js";
import { answeredOf, formatWhole } from "../shared/state.js";
import { WEEKDAYS } from "../shared/time.js";
import { inSentence, joined, t } from "../shared/texts.js";

const NAMED = 5;

/**
 * The sources, the labels, the time and the model.
 * @param {Page.State} state
 * @param {Api.Counts} counts
 * @param {Page.Looks["nameOf"]} nameOf
 * @param {Page.Metric} metric
 */
export function questionLine(state, counts, nameOf, metric) {
  const { from_ms: from, to_ms: to, interval_s: interval } = counts;
  const sources = (state.sources.length ? state.sources : counts.sources).map(nameOf);
  return joined([
    named(sources, t("web.count_sources", { count: sources.length })),
    state.zone ? t("web.within", { zone: state.zone }) : "",
    state.labels.length
      ? named(state.labels, t("web.count_labels", { count: state.labels.length }))
      : t("web.all_labels_word"),
    inSentence(metric.name),
    from !== null && to !== null ? span(from, to) : "",
    state.hours ?? "",
    state.weekdays.map((day) => WEEKDAYS[day - 1]).join(", "),
    interval ? t("web.bars_of_interval", { interval: duration(interval) }) : "",
    zoneName(from ?? 0),
    counts.model,
  ]);
}

/** @param {string[]} all @param {string} many  for too many names */
const named = (all, many) => (all.length > NAMED ? many : all.join(", "));

export class Exports {
  constructor() {
    /** @type {{state: Page.State, counts: Api.Counts, view: Page.View|null}|null} */
    this.shown = null;
    /** A link for each format. */
    this.links = [...byId("export-links").querySelectorAll("a")];
    byId("export-png").addEventListener("click", () => this.#savePicture());
    byId("copy-link").addEventListener("click", () => this.#copyLink());
    byId("copy-embed").addEventListener("click", () => this.#copyEmbed());
    closeFromOutside(control("export", HTMLDetailsElement));
  }

  /** @param {Page.State} state @param {Api.Counts} counts @param {Page.View|null} view */
  show(state, counts, view) {
    this.shown = { state, counts, view };
    const shown = pinned(state, counts);
    for (const link of this.links) {
      const more = { format: link.dataset.format, compare: view?.other && state.compare };
      link.href = `${BASE}/export?${selectionQuery(shown, { bars: true }, more)}`;
    }
    const picture = control("export-png", HTMLButtonElement);
    const why = !view
      ? t("web.there_is_no_chart")
      : state.view === "table"
        ? t("web.a_picture_of_the_chart_choose")
        : "";
    picture.disabled = why !== "";
    if (why) picture.title = why;
    else picture.removeAttribute("title");
  }

  async #savePicture() {
    if (!this.shown?.view) return;
    const blob = await chartPicture(this.shown.view, this.shown.counts);
    const url = URL.createObjectURL(blob);
    el("a", { href: url, download: "frametally.png" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  async #copyLink() {
    if (!this.shown) return;
    const url = new URL(location.href);
    url.search = formatWhole(pinned(this.shown.state, this.shown.counts));
    const says = { done: t("web.link_copied"), otherwise: t("web.copy_it_from_the_address") };
    const isCopied = await copyText(String(url), byId("copy-link"), says);
    if (!isCopied) history.replaceState(null, "", url);
  }

  /** Copies the chart as it is now; choices left open stay open, so that it follows the data. */
  #copyEmbed() {
    if (!this.shown) return;
    const url = new URL("embed", location.href);
    const { state, counts } = this.shown;
    url.search = formatWhole({ ...state, at: null, frame: null, view: "chart" }, answeredOf(state, counts));
    const address = String(url).replaceAll("&", "&amp;"); // the URL has already escaped quotes
    const code = `<iframe src="${address}" title="Counts" width="800" height="420"></iframe>`;
    copyText(code, byId("copy-embed"), { done: t("web.code_copied") });
  }
}

/**
 * The state with all open choices resolved, so that it is the same for everyone, permanently.
 * @param {Page.State} state
 * @param {Api.Counts} counts
 * @returns {Page.State}
 */
export const pinned = (state, counts) => ({
  ...state,
  ...answeredOf(state, counts),
  from: counts.from_ms,
  to: counts.to_ms,
});
