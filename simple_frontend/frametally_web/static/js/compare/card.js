// Both sides of a comparison in what both have filmed: by label, and where they differ most.

import { el } from "../shared/dom.js";
import { number, plural, span } from "../shared/format.js";
import { METRICS } from "../shared/metrics.js";
import { showByLabel } from "./by_label.js";
import { showMost } from "./most.js";

/**
 * One side.
 * @typedef {Object} Side
 * @property {string} name  "a week earlier"
 * @property {Page.State} state
 * @property {number|null} base  the stored interval that it was read from
 */

/**
 * @typedef {Object} Context
 * @property {[here: Side, there: Side]} sides
 * @property {Page.ColorOf} colorOf
 * @property {(source: string) => string} nameOf
 * @property {(label: string) => void} onLabel  that label alone
 * @property {(start: number) => void} onBar
 */

/**
 * @param {HTMLElement} area
 * @param {Api.Differences} found
 * @param {Context} context
 */
export function showComparison(area, found, context) {
  const metric = METRICS[found.metric];
  const name = context.sides[1].name;
  const parts = found.seen_by_both
    ? [el("div", { class: "compare-labels" }), el("div", { class: "compare-most" })]
    : [];
  area.replaceChildren(
    el("h3", { text: `Compared with ${name}` }),
    el("p", { class: "muted small", text: rangesOf(found) }),
    el("p", { class: "small compare-seen", text: seenWords(found) }),
    parts.length ? el("div", { class: "compare-parts" }, ...parts) : "",
  );
  if (!parts.length) return;
  showByLabel(parts[0], found, metric, context);
  showMost(parts[1], found, metric, context);
}

/** @param {Api.Differences} found */
function rangesOf({ from_ms: from, to_ms: to, other_from_ms: otherFrom, other_to_ms: otherTo }) {
  const range = (/** @type {number|null} */ start, /** @type {number|null} */ end) =>
    start === null || end === null ? "–" : span(start, end);
  const [here, there] = [range(from, to), range(otherFrom, otherTo)];
  return here === there ? here : `${here} beside ${there}`;
}

/**
 * What is compared, and the holes of both sides.
 * @param {Api.Differences} found
 */
function seenWords({ seen_by_both: both, only_here: here, only_there: there, frames, other_frames: others }) {
  const holes = [here && `${number(here)} only here`, there && `${number(there)} only there`].filter(Boolean);
  const alone = holes.length ? ` Filmed ${holes.join(", ")}: that is no difference.` : "";
  if (!both) {
    const side = here ? "Nothing was filmed on the other side." : "Nothing was filmed on this side.";
    return here && there ? `No interval was filmed on both sides.${alone}` : side;
  }
  return (
    `Compared in ${plural(both, "interval")} that both sides have filmed: ` +
    `${number(frames)} frames here, ${number(others)} there.${alone}`
  );
}
