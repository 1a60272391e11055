// Which frames show a difference: of each side its fullest; of two models one that both have seen.

import { ApiError, get, selectionQuery } from "../shared/api.js";

/** @typedef {Api.FrameBoxes} Frame */
/** @typedef {import("./card.js").Side} Side */

/**
 * @param {Api.BarDifference} entry
 * @param {[here: Side, there: Side]} sides
 * @param {AbortSignal} signal
 * @returns {Promise<(Frame|null)[]>}  null: that side has none
 */
export async function framesOf(entry, sides, signal) {
  const { start_ms: start, end_ms: end, other_start_ms: otherStart, other_end_ms: otherEnd } = entry;
  const fullest = await Promise.all([
    fullestOf(entry, sides[0], [start, end], signal),
    fullestOf(entry, sides[1], [otherStart, otherEnd], signal),
  ]);
  if (sides[0].state.model === sides[1].state.model) return fullest;
  // The fullest of the one is beside the same of the other; of two such pairs the one that shows more.
  const [here, there] = fullest;
  const pairs = await Promise.all([
    here && boxesIn(here, entry.label, sides[1], signal).then((beside) => [here, beside]),
    there && boxesIn(there, entry.label, sides[0], signal).then((beside) => [beside, there]),
  ]);
  const [best] = pairs.filter((pair) => pair !== null).sort((a, b) => shownBy(b) - shownBy(a));
  return best ?? fullest;
}

/**
 * How far the boxes of a pair are apart; a pair with one side alone comes last.
 * @param {(Frame|null)[]} pair
 */
const shownBy = ([a, b]) => (a && b ? Math.abs(a.boxes.length - b.boxes.length) : -1);

/**
 * The frame of a bar that has most boxes of the label; where none has any, the first.
 * @param {Api.BarDifference} entry
 * @param {Side} side
 * @param {Page.Span} bar
 * @param {AbortSignal} signal
 * @returns {Promise<Api.CountedFrame|null>}
 */
async function fullestOf({ source, label }, { state, base }, [start, end], signal) {
  const query = selectionQuery(
    {
      ...state,
      labels: [label],
      sources: source ? [source] : state.sources,
      from: Math.max(start, state.from ?? start),
      to: Math.min(end, state.to ?? end),
    },
    { base },
  );
  for (const [name, value] of Object.entries({ start: "peak", empty: "1", limit: "1" }))
    query.set(name, value);
  return (await get("frames", query, signal)).frames[0] ?? null;
}

/**
 * What a model counted in a frame; null where it has not analysed it.
 * @param {Frame} frame
 * @param {string} label
 * @param {Side} side
 * @param {AbortSignal} signal
 * @returns {Promise<Api.FrameOfModel|null>}
 */
async function boxesIn({ image_path: path }, label, { state, base }, signal) {
  const query = new URLSearchParams({ path, label });
  if (state.model) query.set("model", state.model);
  if (base) query.set("base", String(base));
  try {
    return await get("frames/boxes", query, signal);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}
