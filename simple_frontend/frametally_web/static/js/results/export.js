// Taking what is on screen along: the numbers as files, the chart as a picture, the view as a link.

import { chartPicture } from "../chart/picture.js";
import { BASE, selectionQuery } from "../shared/api.js";
import { copyText } from "../shared/copying.js";
import { byId, closeFromOutside, control, el } from "../shared/dom.js";
import { answeredOf, formatWhole } from "../shared/state.js";

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
    byId("copy-embed").addEventListener("click", () => this.#copyEmbed());
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
    url.search = formatWhole(pinned(this.state, this.counts));
    const isCopied = await copyText(String(url), byId("copy-link"), {
      done: "Link copied",
      otherwise: "Copy it from the address",
    });
    if (!isCopied) history.replaceState(null, "", url);
  }

  /** The chart as it is now goes on with the data: what was left open stays open. */
  #copyEmbed() {
    if (!this.state || !this.counts) return;
    const url = new URL("embed", location.href);
    const { state, counts } = this;
    url.search = formatWhole({ ...state, at: null, frame: null, view: "chart" }, answeredOf(state, counts));
    const address = String(url).replaceAll("&", "&amp;"); // quotes an address has escaped itself
    const code = `<iframe src="${address}" title="Counts" width="800" height="420"></iframe>`;
    copyText(code, byId("copy-embed"), { done: "Code copied" });
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
    ...answeredOf(state, counts),
    from: counts.from_ms,
    to: counts.to_ms,
  };
}
