// The form above the list: what is searched for, filtered and ordered.

import { byId, control, fillSelect } from "frametally/js/shared/dom.js";
import { number } from "frametally/js/shared/format.js";
import { ORDERS, STATE_GROUPS } from "./question.js";
import { STATES, visible } from "./words.js";

const TYPING_MS = 250;
const SEVERAL = "*"; // of several sources; no slug has it
/** @type {Record<string, string>} */
const GROUP_NAMES = { work: "In work", ...STATES };

const fields = {
  text: control("asked-text", HTMLInputElement),
  source: control("asked-source", HTMLSelectElement),
  state: control("asked-state", HTMLSelectElement),
  order: control("asked-order", HTMLSelectElement),
};

/** @typedef {import("./question.js").Question} Question */

/**
 * @param {() => Question} questionNow
 * @param {(change: Partial<Question>) => void} onChange
 */
export function startAsked(questionNow, onChange) {
  /** @type {number|undefined} */
  let typing;
  const takeText = () => {
    clearTimeout(typing);
    const text = fields.text.value.trim();
    if (text !== questionNow().text) onChange({ text });
  };
  fields.text.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(takeText, TYPING_MS);
  });
  byId("videos-asked").addEventListener("submit", (event) => {
    event.preventDefault();
    takeText();
  });
  fields.source.addEventListener("change", () => {
    if (fields.source.value !== SEVERAL)
      onChange({ sources: fields.source.value ? [fields.source.value] : [] });
  });
  fields.state.addEventListener("change", () => onChange({ state: fields.state.value }));
  fields.order.addEventListener("change", () => onChange({ order: fields.order.value }));
}

/**
 * @param {Question} question
 * @param {Page.Videos["states"]} states
 * @param {Map<string, string>} sources  their names by slug
 */
export function showAsked({ text, sources: asked, state, order }, states, sources) {
  if (document.activeElement !== fields.text) fields.text.value = text;
  /** @type {[string, string][]} */
  const named = [...sources].map(([slug, name]) => [slug, visible(name)]);
  named.sort((one, other) => one[1].localeCompare(other[1], "en"));
  for (const slug of asked) if (!sources.has(slug)) named.push([slug, slug]);
  if (asked.length > 1) named.unshift([SEVERAL, `${asked.length} sources`]);
  const source = asked.length > 1 ? SEVERAL : (asked[0] ?? "");
  fillSelect(fields.source, [["", "All sources"], ...named], source);
  fillSelect(fields.state, stateOptions(states, state), state);
  fillSelect(
    fields.order,
    ORDERS.map(([by, way, name]) => [`${by}:${way}`, name]),
    order,
  );
}

/**
 * The states that there are, with how many videos are in each.
 * @param {Page.Videos["states"]} states
 * @param {string} asked
 * @returns {[string, string][]}
 */
function stateOptions(states, asked) {
  const count = (/** @type {Page.VideoState[]} */ group) =>
    group.reduce((sum, state) => sum + (states[state] ?? 0), 0);
  return [
    ["", "All states"],
    ...Object.entries(STATE_GROUPS)
      .filter(([name, group]) => count(group) || name === asked)
      .map(
        ([name, group]) =>
          /** @type {[string, string]} */ ([name, `${GROUP_NAMES[name]} (${number(count(group))})`]),
      ),
  ];
}
