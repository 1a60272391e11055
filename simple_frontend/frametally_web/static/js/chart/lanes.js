// The lanes of footage under the chart, one for each source, and the panel that explains a gap: the frames at its
// ends, and the reason from the books.

import { framePicture } from "../frames/boxed_picture.js";
import { withValues } from "../shared/address.js";
import { ApiError, get } from "../shared/api.js";
import { byId, el, iconButton, svg } from "../shared/dom.js";
import { moment, number, span } from "../shared/format.js";
import { gapsOf, isPartial, partOf, shareWords, spanOf, spansOf } from "../shared/series.js";
import { outsideOf, together } from "../shared/spans.js";
import { zoneOf } from "../shared/time.js";
import { breaksOf, foldOf } from "./fold.js";
import { searchOf } from "./lanes_search.js";
import { describeHole, holesOf } from "./tooltip.js";
import { t } from "../shared/texts.js";

/** With more sources, the panel asks you to choose one. */
const SOURCES_AT_ONCE = 3;
// Largest width of a picture: see lanes.css.
const SIZES = "240px";

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
   * @param {import("./tooltip.js").Hole} hole
   * @param {string[]} sources  sources with this gap
   * @param {Page.State} state
   * @param {number|null} base  the stored interval of the chart's bars, in seconds
   * @param {Page.Looks} looks
   */
  async show(hole, sources, state, base, { colorOf, nameOf }) {
    this.asking?.abort();
    const mine = (this.asking = new AbortController());
    const { activeElement } = document;
    if (!this.area.contains(activeElement))
      this.opener = activeElement instanceof HTMLElement ? activeElement : null;
    const close = iconButton(t("web.close"), "×", () => this.close());
    const body = el("div.gap-sources", { "aria-busy": "true" });
    const kind = hole.kind[0].toUpperCase() + hole.kind.slice(1);
    const some = sources.slice(0, SOURCES_AT_ONCE);
    const left = sources.length - some.length;
    this.area.replaceChildren(
      el("div.gap-head", el("h3", `${kind}, ${span(...hole.span)}`), close),
      body,
      left ? el("p.muted.small", t("web.and_more_sources_click_their_lanes", { count: left })) : "",
    );
    this.area.hidden = false;
    this.area.focus();
    const answers = await Promise.all(some.map((one) => ask(one, hole.at, state, base, mine.signal)));
    if (mine.signal.aborted) return;
    body.setAttribute("aria-busy", "false");
    body.replaceChildren(
      ...some.map((one, position) => sourceElement(nameOf(one), answers[position], hole, colorOf)),
    );
  }

  /** Closes the panel if the view has changed since it opened. @param {string} view */
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
 * @param {string} source
 * @param {number} at  ms
 * @param {Page.State} state
 * @param {number|null} base
 * @param {AbortSignal} signal
 * @returns {Promise<Api.FootageGap|string>}  the answer, or why there is none
 */
async function ask(source, at, state, base, signal) {
  const { model, zone } = state;
  const query = withValues("", { source, at, timezone: zoneOf(state), model, zone, base });
  try {
    return await get("gap", query, signal);
  } catch (error) {
    if (error instanceof ApiError) return error.message;
    if (signal.aborted) return "";
    throw error;
  }
}

/**
 * @param {string} name
 * @param {Api.FootageGap|string} answer
 * @param {import("./tooltip.js").Hole} hole
 * @param {Page.ColorOf} colorOf
 */
function sourceElement(name, answer, hole, colorOf) {
  const title = el("h4", name);
  if (typeof answer === "string")
    return el("section", title, el("p.muted", t("web.the_reason_cannot_be_shown", { answer })));
  const { from_ms: from, to_ms: to, before, after, reasons } = answer;
  const isOther = from !== null && to !== null && (from !== hole.span[0] || to !== hole.span[1]);
  return el(
    "section",
    title,
    isOther ? el("p.muted", t("web.nothing_is_counted", { from: span(from, to) })) : null,
    el("ul.gap-reasons", ...reasons.map(({ words }) => el("li", words))),
    el(
      "div.gap-frames",
      frameElement(t("web.last_frame_before"), before, colorOf),
      frameElement(t("web.first_frame_after"), after, colorOf),
    ),
  );
}

/** @param {string} what @param {Api.FrameBoxes|null} frame @param {Page.ColorOf} colorOf */
function frameElement(what, frame, colorOf) {
  const words = frame ? `${what}: ${moment(frame.captured_at_ms)}` : t("web.none", { what });
  const caption = el("figcaption.muted.small", words);
  const picture = frame && framePicture(frame, colorOf, { alt: words, lazy: true, sizes: SIZES });
  return el("figure", picture, caption);
}

const AT_ONCE = 8;
/** Width of a lane's drawing, in its units; shorter stretches are drawn with a minimum width. */
const WIDTH = 1000;
const HEIGHT = 8;
const LEAST = 1.5;

/** @typedef {"filmed"|"part"|"unanalysed"|"nothing"|"gap"|"beyond"|"outside"} State */
/** @type {Record<State, string>} */
const WORDS = {
  filmed: t("web.filmed_word"),
  part: t("web.filmed_in_part"),
  unanalysed: t("web.filmed_not_analysed"),
  nothing: t("web.filmed_shows_nothing"),
  gap: t("web.no_footage"),
  beyond: t("web.before_or_after_its_footage"),
  outside: t("web.outside_the_hours_asked_for"),
};
const STATES = /** @type {State[]} */ (Object.keys(WORDS));

/**
 * @typedef {Object} Lane
 * @property {string} source
 * @property {Record<State, Page.Span[]>} spans
 * @property {Page.Nothing[]} nothing  with their reasons
 * @property {string} share  filmed share of the chosen time; empty if unknown
 */

/**
 * When each source has footage.
 * @param {Api.Counts} apart  counts by source
 * @param {Page.State} state
 * @param {Page.Span} range  the chart's range
 * @returns {Lane[]}
 */
export function lanesOf(apart, state, [from, to]) {
  const interval = apart.interval_s ?? 1;
  const asked = /** @type {Page.Span} */ ([apart.from_ms ?? from, apart.to_ms ?? to]);
  const outside = outsideOf(state, asked[0], asked[1], interval);
  return apart.sources.map((source) => {
    const { answer, rows, notAnalysed: unanalysed, nothing } = partOf(apart, source);
    const part = rows.filter(isPartial);
    const joined = (/** @type {Page.Row[]} */ some) => together(some.map(spanOf));
    const known = [...joined(rows), ...unanalysed, ...spansOf(nothing)];
    const gap = gapsOf(rows, [...unanalysed, ...spansOf(nothing), ...outside], asked[0], asked[1]);
    const first = Math.min(...known.map(([start]) => start));
    const last = Math.max(...known.map(([, end]) => end));
    const isBeyond = (/** @type {Page.Span} */ [start, end]) => end <= first || start >= last;
    const [{ part: filmed, asked_s: askedS } = { part: null, asked_s: 0 }] = answer.filmed;
    return {
      source,
      spans: {
        filmed: joined(rows.filter((row) => !part.includes(row))),
        part: joined(part),
        unanalysed,
        nothing: spansOf(nothing),
        gap: gap.filter((one) => !isBeyond(one)),
        beyond: gap.filter(isBeyond),
        outside,
      },
      nothing,
      // The filmed time is unknown for single pictures.
      share: filmed === null ? "" : shareWords({ part: filmed, askedS, sources: 1 }),
    };
  });
}

/** Reserves space for the lanes, which load after the chart. @param {number} sources  0 for no lanes */
export function makeRoomForLanes(sources) {
  const area = byId("lanes");
  area.hidden = !sources;
  area.style.setProperty("--lanes", String(Math.min(sources, AT_ONCE)));
}

/**
 * @param {HTMLElement} area
 * @param {Lane[]} lanes
 * @param {Page.View} view  of the chart above
 * @param {(source: string) => string} nameOf
 * @param {Object} on
 * @param {(source: string, hole: import("./tooltip.js").Hole) => void} on.hole
 * @param {(ms: number) => void} on.moment  called when you choose a position with footage
 */
export function showLanes(area, lanes, view, nameOf, on) {
  const named = lanes
    .map((lane) => ({ ...lane, name: nameOf(lane.source) }))
    .sort((a, b) => a.name.localeCompare(b.name));
  const isAll = area.dataset.all === "true";
  const some = isAll ? named : named.slice(0, AT_ONCE);
  const states = STATES.filter((one) => named.some(({ spans }) => spans[one].length));
  const left = named.length - some.length;
  const showAll = () => {
    area.dataset.all = "true";
    showLanes(area, lanes, view, nameOf, on);
    area.querySelectorAll("button")[AT_ONCE]?.focus();
  };
  const items = some.map((lane) => el("li", laneElement(lane, view, on)));
  const wasSearching = document.activeElement?.matches(".lanes-search");
  area.replaceChildren(
    el(
      "p.lanes-key.muted.small.row",
      el("span", named.length === 1 ? t("web.footage") : t("web.footage_of_each_source")),
      ...states.map((one) =>
        el("span.lane-key", el(`span.lane-swatch.${one}`, { "aria-hidden": "true" }), WORDS[one]),
      ),
    ),
    ...searchOf(area, some, items),
    el("ul", ...items),
    left ? el("button.button.lanes-more", { onclick: showAll }, t("web.more", { left: number(left) })) : "",
  );
  if (wasSearching) area.querySelector("input")?.focus();
}

/** @param {Lane & {name: string}} lane @param {Page.View} view @param {Parameters<typeof showLanes>[4]} on */
function laneElement({ source, name, spans, nothing, share }, view, on) {
  const range = /** @type {Page.Span} */ ([view.from, view.to]);
  const fold = foldOf(range, spans.outside, breaksOf(view));
  const holes = holesOf({ gaps: [...spans.gap, ...spans.beyond], notAnalysed: spans.unanalysed, nothing });
  const lengthOf = (/** @type {import("./tooltip.js").Hole} */ hole) => hole.span[1] - hole.span[0];
  const [longest] = [...holes].sort((a, b) => lengthOf(b) - lengthOf(a));
  const spoken = longest
    ? t("web.with_the_longest_enter_says_why", {
        length: t("web.count_holes", { count: holes.length }),
        span: span(...longest.span),
      })
    : t("web.without_a_hole");
  const shareText = share && (nothing.length ? t("web.share_usable", { share }) : t("web.filmed", { share }));
  const shareElement = el("span", shareText);
  const picture = drawing(spans, range, fold);
  const lane = el(
    "button.lane",
    el("span.lane-name.name", name),
    el("span.lane-share.muted", shareElement, el("span.visually-hidden", spoken)),
    picture,
  );
  /** Enter shows the reason of this gap. */
  let chosen = longest;
  const momentAt = (/** @type {MouseEvent} */ event) => {
    const box = lane.getBoundingClientRect();
    return Math.floor(fold.ms((event.clientX - box.left) / box.width));
  };
  const holeAt = (/** @type {number} */ ms) =>
    holes.find(({ span: [start, end] }) => start <= ms && ms < end);
  lane.addEventListener("mousemove", (event) => {
    const ms = momentAt(event);
    const state = STATES.findLast((one) => spans[one].some(([start, end]) => start <= ms && ms < end));
    const hole = holeAt(ms);
    lane.title = hole
      ? t("web.click_for_the_reason", { span: span(...hole.span), kind: hole.kind })
      : state
        ? WORDS[state]
        : "";
  });
  lane.addEventListener("click", (event) => {
    const ms = momentAt(event);
    const byHand = event.detail > 0;
    const hole = byHand ? holeAt(ms) : chosen;
    if (hole) on.hole(source, { ...hole, at: byHand ? ms : hole.at });
    else if (byHand) on.moment(ms);
  });
  const mark = svg("rect", { class: "chosen", y: 0, height: HEIGHT });
  lane.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || !longest) return;
    event.preventDefault();
    // The first key press shows the gap that is already chosen.
    const to = holes.indexOf(chosen) + (mark.isConnected ? by : 0);
    chosen = holes[Math.min(Math.max(to, 0), holes.length - 1)];
    const { left, width } = placeOf(chosen.span, range, fold);
    mark.setAttribute("x", String(left));
    mark.setAttribute("width", String(width));
    picture.append(mark);
    shareElement.textContent = span(...chosen.span);
    byId("spoken").textContent = t("web.enter_says_why", { hole: describeHole(chosen) });
  });
  lane.addEventListener("blur", () => {
    chosen = longest;
    mark.remove();
    shareElement.textContent = shareText;
  });
  return lane;
}

/**
 * The position of a span in the drawing, in its units.
 * @param {Page.Span} span
 * @param {Page.Span} range
 * @param {import("./fold.js").Fold} fold
 */
function placeOf([start, end], [from, to], fold) {
  const x = (/** @type {number} */ ms) => WIDTH * fold.share(Math.min(Math.max(ms, from), to));
  return { left: x(start), width: Math.max(x(end) - x(start), LEAST) };
}

/** The layers, bottom first. @type {State[]} */
const LAYERS = ["outside", "filmed", "part", "unanalysed", "nothing", "gap", "beyond"];

/**
 * @param {Record<State, Page.Span[]>} spans
 * @param {Page.Span} range
 * @param {import("./fold.js").Fold} fold
 */
function drawing(spans, range, fold) {
  const rects = LAYERS.flatMap((kind) =>
    spans[kind].map((one) => {
      const { left, width } = placeOf(one, range, fold);
      const y = kind === "part" ? HEIGHT / 2 : 0;
      return svg("rect", { class: kind, x: left, y, width, height: HEIGHT - y });
    }),
  );
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    ...rects,
  );
}
