// Why there is no bar: a small panel under the chart with a hole's ends, the last frame before it, the first after it,
// and what the books say.

import { ApiError, get } from "../shared/api.js";
import { byId, el, iconButton } from "../shared/dom.js";
import { framePicture } from "../frames/boxed_picture.js";
import { moment, number, span } from "../shared/format.js";
import { zoneOf } from "../shared/zones.js";

/** Of more sources than this one is asked to choose. */
const AT_ONCE = 3;
// Of a picture, at most: see lanes.css.
const SIZES = "240px";

/** @typedef {{source: string, name: string}} Named */

export class GapPanel {
  constructor() {
    this.area = byId("gap-panel");
    this.view = "";
    /** @type {AbortController|null} */
    this.asking = null;
    /** @type {HTMLElement|null} */
    this.opener = null;
    this.area.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    });
  }

  /**
   * @param {import("./words.js").Hole} hole
   * @param {Named[]} sources  that have it
   * @param {Page.State} state
   * @param {Page.ColorOf} colorOf
   */
  async show(hole, sources, state, colorOf) {
    this.asking?.abort();
    const mine = (this.asking = new AbortController());
    const { activeElement } = document;
    if (!this.area.contains(activeElement))
      this.opener = activeElement instanceof HTMLElement ? activeElement : null;
    const close = iconButton("Close", "×", () => this.close());
    const body = el("div", { class: "gap-sources", "aria-busy": "true" });
    const kind = hole.kind[0].toUpperCase() + hole.kind.slice(1);
    const some = sources.slice(0, AT_ONCE);
    const left = sources.length - some.length;
    this.area.replaceChildren(
      el("div", { class: "gap-head" }, el("h3", { text: `${kind}, ${span(...hole.span)}` }), close),
      body,
      ...(left
        ? [el("p", { class: "muted small", text: `And ${number(left)} more sources: click their lanes.` })]
        : []),
    );
    this.area.hidden = false;
    this.area.focus();
    const answers = await Promise.all(some.map((one) => ask(one, hole.at, state, mine.signal)));
    if (mine.signal.aborted) return;
    body.setAttribute("aria-busy", "false");
    body.replaceChildren(
      ...some.map((one, position) => sourceElement(one, answers[position], hole, colorOf)),
    );
  }

  /**
   * Closes when something else is shown than when it opened.
   * @param {string} view
   */
  closeUnless(view) {
    if (view !== this.view) this.close();
    this.view = view;
  }

  close() {
    this.asking?.abort();
    if (this.area.hidden) return;
    const had = this.area.contains(document.activeElement);
    this.area.hidden = true;
    this.area.replaceChildren();
    if (had) this.opener?.focus();
  }
}

/**
 * @param {Named} one
 * @param {number} at  ms
 * @param {Page.State} state
 * @param {AbortSignal} signal
 * @returns {Promise<Api.FootageGap|string>} or why there is no answer
 */
async function ask({ source }, at, state, signal) {
  const query = new URLSearchParams({ source, at: String(at), timezone: zoneOf(state) });
  if (state.model) query.set("model", state.model);
  if (state.zone) query.set("zone", state.zone);
  try {
    return await get("gap", query, signal);
  } catch (error) {
    if (error instanceof ApiError) return error.message;
    if (signal.aborted) return "";
    throw error;
  }
}

/**
 * @param {Named} one
 * @param {Api.FootageGap|string} answer
 * @param {import("./words.js").Hole} hole
 * @param {Page.ColorOf} colorOf
 */
function sourceElement({ name }, answer, hole, colorOf) {
  const title = el("h4", { text: name });
  if (typeof answer === "string")
    return el(
      "section",
      {},
      title,
      el("p", { class: "muted", text: `The reason cannot be shown. ${answer}` }),
    );
  const { from_ms: from, to_ms: to, before, after, reasons } = answer;
  const isOther = from !== null && to !== null && (from !== hole.span[0] || to !== hole.span[1]);
  return el(
    "section",
    {},
    title,
    isOther ? el("p", { class: "muted", text: `Nothing is counted ${span(from, to)}.` }) : null,
    el("ul", { class: "gap-reasons" }, ...reasons.map(({ words }) => el("li", { text: words }))),
    el(
      "div",
      { class: "gap-frames" },
      frameElement("Last frame before", before, colorOf),
      frameElement("First frame after", after, colorOf),
    ),
  );
}

/**
 * @param {string} what
 * @param {Api.FrameBoxes|null} frame
 * @param {Page.ColorOf} colorOf
 */
function frameElement(what, frame, colorOf) {
  const words = frame ? `${what}: ${moment(frame.captured_at_ms)}` : `${what}: none`;
  const caption = el("figcaption", { class: "muted small", text: words });
  return frame
    ? el("figure", {}, framePicture(frame, colorOf, { alt: words, lazy: true, sizes: SIZES }), caption)
    : el("figure", {}, caption);
}
