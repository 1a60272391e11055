// Coverage: a thin lane per source under the chart, along its time axis, that says when it was filmed and when not.

import { el, svg } from "../shared/dom.js";
import { number, percent, plural, span } from "../shared/format.js";
import { gapsOf, notAnalysedOf, partOf, rowsOf } from "../shared/series.js";
import { outsideOf, together } from "../shared/spans.js";

const AT_ONCE = 8;
/** Units of a lane's drawing; what is shorter than the least is drawn as long as it. */
const WIDTH = 1000;
const HEIGHT = 8;
const LEAST = 1.5;

/** @typedef {"filmed"|"part"|"unanalysed"|"gap"|"outside"} State */
/** @type {Record<State, string>} */
const WORDS = {
  filmed: "filmed",
  part: "filmed in part",
  unanalysed: "filmed, not analysed",
  gap: "no footage",
  outside: "outside the hours asked for",
};

/**
 * @typedef {Object} Lane
 * @property {string} source
 * @property {Record<State, Page.Span[]>} spans
 * @property {number|null} share  of the time asked for, that was filmed; null: not known
 */

/**
 * When each source was filmed.
 * @param {Api.Counts} apart  by source
 * @param {Page.State} state
 * @param {Page.Span} range  that the chart shows
 * @returns {Lane[]}
 */
export function lanesOf(apart, state, [from, to]) {
  const interval = apart.interval_s ?? 1;
  const asked = /** @type {Page.Span} */ ([apart.from_ms ?? from, apart.to_ms ?? to]);
  const outside = outsideOf(state, asked[0], asked[1], interval);
  return apart.sources.map((source) => {
    const isHere = (/** @type {{source: string|null}} */ one) => one.source === source;
    const rows = rowsOf({ coverage: apart.coverage.filter(isHere), buckets: [] });
    const unanalysed = notAnalysedOf({ not_analysed: (apart.not_analysed ?? []).filter(isHere) });
    const part = rows.filter((row) => partOf(row, asked));
    const spansOf = (/** @type {Page.Row[]} */ some) =>
      together(some.map((row) => /** @type {Page.Span} */ ([row.start, row.end])));
    const gap = gapsOf(rows, [...unanalysed, ...outside], asked[0], asked[1]);
    // Of single pictures, and of what older versions counted, nobody knows how much of a bar was filmed.
    const isKnown = rows.every((row) => row.coveredS);
    const filmed = sum(
      rows.map(
        (row) => partOf(row, asked)?.filmed ?? Math.min(row.end, asked[1]) - Math.max(row.start, asked[0]),
      ),
    );
    const whole = asked[1] - asked[0] - sum(outside.map(([start, end]) => end - start));
    return {
      source,
      spans: {
        filmed: spansOf(rows.filter((row) => !part.includes(row))),
        part: spansOf(part),
        unanalysed,
        gap,
        outside,
      },
      share: isKnown ? (whole > 0 ? Math.min(filmed / whole, 1) : 0) : null,
    };
  });
}

/** @param {number[]} values */
const sum = (values) => values.reduce((total, value) => total + value, 0);

/**
 * @param {HTMLElement} area
 * @param {Lane[]} lanes
 * @param {Page.Span} range
 * @param {(source: string) => string} nameOf
 * @param {Object} on
 * @param {(source: string, hole: import("./words.js").Hole) => void} on.hole
 * @param {(ms: number) => void} on.moment  a place with footage was chosen
 */
export function showLanes(area, lanes, range, nameOf, on) {
  const named = lanes
    .map((lane) => ({ ...lane, name: nameOf(lane.source) }))
    .sort((a, b) => a.name.localeCompare(b.name));
  const isAll = area.dataset.all === "true";
  const some = isAll ? named : named.slice(0, AT_ONCE);
  const states = /** @type {State[]} */ (Object.keys(WORDS)).filter((one) =>
    named.some(({ spans }) => spans[one].length),
  );
  const left = named.length - some.length;
  const more = el("button", {
    type: "button",
    class: "button lanes-more",
    text: `${number(left)} more`,
    onclick: () => {
      area.dataset.all = "true";
      showLanes(area, lanes, range, nameOf, on);
      area.querySelectorAll("button")[AT_ONCE]?.focus();
    },
  });
  area.replaceChildren(
    el(
      "p",
      { class: "lanes-key muted small" },
      el("span", { text: named.length === 1 ? "Footage" : "Footage of each source" }),
      ...states.map((one) =>
        el(
          "span",
          { class: "lane-key" },
          el("span", { class: `lane-swatch ${one}`, "aria-hidden": "true" }),
          WORDS[one],
        ),
      ),
    ),
    el("ul", {}, ...some.map((lane) => el("li", {}, laneElement(lane, range, on)))),
    ...(left ? [more] : []),
  );
}

/**
 * @param {Lane & {name: string}} lane
 * @param {Page.Span} range
 * @param {Parameters<typeof showLanes>[4]} on
 */
function laneElement({ source, name, spans, share }, range, on) {
  const [from, to] = range;
  const holes = [
    ...spans.gap.map((one) => ({ span: one, kind: /** @type {const} */ ("no footage") })),
    ...spans.unanalysed.map((one) => ({ span: one, kind: /** @type {const} */ ("filmed, not analysed") })),
  ];
  const longest = [...holes].sort((a, b) => b.span[1] - b.span[0] - (a.span[1] - a.span[0]))[0];
  const spoken = longest
    ? `with ${plural(holes.length, "hole")}, the longest ${span(...longest.span)}. Enter says why.`
    : "without a hole.";
  const lane = el(
    "button",
    { type: "button", class: "lane" },
    el("span", { class: "lane-name name", text: name }),
    el(
      "span",
      { class: "lane-share muted" },
      share === null ? "" : `${percent(share)} filmed`,
      el("span", { class: "visually-hidden", text: spoken }),
    ),
    drawing(spans, range),
  );
  const momentAt = (/** @type {MouseEvent} */ event) => {
    const box = lane.getBoundingClientRect();
    return Math.floor(from + ((event.clientX - box.left) / box.width) * (to - from));
  };
  const holeAt = (/** @type {number} */ ms) =>
    holes.find(({ span: [start, end] }) => start <= ms && ms < end);
  lane.addEventListener("mousemove", (event) => {
    const ms = momentAt(event);
    const state = /** @type {State[]} */ (Object.keys(WORDS)).findLast((one) =>
      spans[one].some(([start, end]) => start <= ms && ms < end),
    );
    const hole = holeAt(ms);
    lane.title = hole
      ? `${span(...hole.span)}: ${hole.kind}. Click for the reason.`
      : state
        ? WORDS[state]
        : "";
  });
  lane.addEventListener("click", (event) => {
    const ms = momentAt(event);
    const byHand = event.detail > 0;
    const hole = byHand ? holeAt(ms) : longest;
    if (hole) on.hole(source, { ...hole, at: byHand ? ms : hole.span[0] });
    else if (byHand) on.moment(ms);
  });
  return lane;
}

/**
 * @param {Record<State, Page.Span[]>} spans
 * @param {Page.Span} range
 */
function drawing(spans, [from, to]) {
  const x = (/** @type {number} */ ms) => (WIDTH * (Math.min(Math.max(ms, from), to) - from)) / (to - from);
  const rects = /** @type {State[]} */ (["outside", "filmed", "part", "unanalysed", "gap"]).flatMap((kind) =>
    spans[kind].map(([start, end]) =>
      svg("rect", {
        class: kind,
        x: x(start),
        y: kind === "part" ? HEIGHT / 2 : 0,
        width: Math.max(x(end) - x(start), LEAST),
        height: kind === "part" ? HEIGHT / 2 : HEIGHT,
      }),
    ),
  );
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    ...rects,
  );
}
