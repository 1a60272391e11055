// Taking what is on screen along: the numbers as files, the chart as a picture, the view as a link.

import { chartPicture } from "../chart/picture.js";
import { BASE, selectionQuery } from "../shared/api.js";
import { byId, closeFromOutside, control, el } from "../shared/dom.js";
import { formatState } from "../shared/state.js";
import { zoneOf } from "../shared/zones.js";

const FORMATS = { xlsx: "Excel (XLSX)", csv: "CSV", json: "JSON", parquet: "Parquet" };

export class Exports {
  constructor() {
    /** @type {Page.State|null} */
    this.state = null;
    /** @type {Api.Counts|null} */
    this.counts = null;
    /** @type {Page.View|null} */
    this.view = null;
    this.links = Object.entries(FORMATS).map(([format, name]) => ({
      format,
      link: el("a", { class: "button", text: name, download: "", id: `export-${format}` }),
    }));
    const picture = el("button", { type: "button", class: "button", id: "export-png", text: "PNG" });
    picture.addEventListener("click", () => this.#savePicture());
    byId("export-links").replaceChildren(...this.links.map(({ link }) => link), picture);
    byId("copy-link").addEventListener("click", () => this.#copyLink());
    closeFromOutside(control("export", HTMLDetailsElement));
  }

  /**
   * @param {Page.State} state
   * @param {Api.Counts} counts
   * @param {Page.View|null} view
   */
  show(state, counts, view) {
    this.state = state;
    this.counts = counts;
    this.view = view;
    const shown = pinned(state, counts);
    for (const { format, link } of this.links) {
      const query = selectionQuery(shown, { bars: true });
      query.set("format", format);
      if (state.compare && view?.other) query.set("compare", state.compare);
      link.href = `${BASE}/export?${query}`;
    }
    const picture = control("export-png", HTMLButtonElement);
    const why = !view
      ? "There is no chart"
      : state.view === "table"
        ? "A picture of the chart: choose Bars or Lines"
        : "";
    picture.disabled = why !== "";
    if (why) picture.title = why;
    else picture.removeAttribute("title");
  }

  async #savePicture() {
    if (!this.view || !this.counts) return;
    const blob = await chartPicture(this.view, this.counts);
    const url = URL.createObjectURL(blob);
    el("a", { href: url, download: "frametally.png" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  async #copyLink() {
    if (!this.state || !this.counts) return;
    const url = new URL(location.href);
    url.search = formatState(pinned(this.state, this.counts));
    const button = byId("copy-link");
    try {
      await navigator.clipboard.writeText(String(url));
      button.textContent = "Link copied";
    } catch {
      history.replaceState(null, "", url);
      button.textContent = "Copy it from the address";
    }
    setTimeout(() => (button.textContent = "Copy link"), 2500);
  }
}

/**
 * The state with what it leaves to the data or the viewer written out, so that it is the same for all and for ever.
 * @param {Page.State} state
 * @param {Api.Counts} counts
 * @returns {Page.State}
 */
export function pinned(state, counts) {
  return {
    ...state,
    model: counts.model,
    metric: counts.metric,
    from: counts.from_ms,
    to: counts.to_ms,
    interval: counts.interval_s,
    timezone: zoneOf(state),
  };
}
