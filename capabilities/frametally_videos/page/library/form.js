// The surroundings of the list of videos: the form above it, the page buttons, and the text for an empty list.

import { byId, control, el, fillSelect, refill } from "frametally/js/shared/dom.js";
import { number } from "frametally/js/shared/format.js";
import { showNothing } from "frametally/js/status/nothing.js";
import { ORDERS, PAGE_SIZE, STATE_GROUPS } from "./question.js";
import { STATES, visible } from "./words.js";
import { t } from "frametally/js/shared/texts.js";

const TYPING_MS = 250;
const SEVERAL = "*"; // several sources; no slug contains it
/** @type {Record<string, string>} */
const GROUP_NAMES = { work: t("videos.in_work"), ...STATES };

const fields = {
  text: control("asked-text", HTMLInputElement),
  source: control("asked-source", HTMLSelectElement),
  state: control("asked-state", HTMLSelectElement),
  order: control("asked-order", HTMLSelectElement),
};

/** @typedef {import("./question.js").Question} Question */

/** @param {() => Question} questionNow @param {(change: Partial<Question>) => void} onChange */
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
 * @param {Api.LibraryPage["states"]} states
 * @param {Map<string, string>} sources  names by slug
 */
export function showAsked({ text, sources: asked, state, order }, states, sources) {
  if (document.activeElement !== fields.text) fields.text.value = text;
  const named = [...sources].map(([slug, name]) => [slug, visible(name)]);
  named.sort((one, other) => one[1].localeCompare(other[1], "en"));
  for (const slug of asked) if (!sources.has(slug)) named.push([slug, slug]);
  if (asked.length > 1) named.unshift([SEVERAL, t("videos.sources", { length: asked.length })]);
  const source = asked.length > 1 ? SEVERAL : (asked[0] ?? "");
  fillSelect(fields.source, [["", t("web.all_sources")], ...named], source);
  fillSelect(fields.state, stateOptions(states, state), state);
  const orders = ORDERS.map(([by, way, name]) => [`${by}:${way}`, name]);
  fillSelect(fields.order, orders, order);
}

/**
 * The existing states, with the number of videos in each.
 * @param {Api.LibraryPage["states"]} states
 * @param {string} asked
 */
function stateOptions(states, asked) {
  const count = (/** @type {Api.LibraryVideo["state"][]} */ group) =>
    group.reduce((sum, state) => sum + (states[state] ?? 0), 0);
  return [
    ["", t("videos.all_states")],
    ...Object.entries(STATE_GROUPS)
      .filter(([name, group]) => count(group) || name === asked)
      .map(([name, group]) => [name, `${GROUP_NAMES[name]} (${number(count(group))})`]),
  ];
}

/** Explains that there are no videos at all. @param {Api.LibraryPage} answer */
export function showNoVideos({ uploads_allowed: allowed, remedy }) {
  const opener = byId("upload-open");
  const upload = () => (opener.ariaExpanded === "true" ? byId("upload-choose").focus() : opener.click());
  const title = t("videos.there_are_no_videos_yet");
  if (!allowed) return showNothing(title, t("videos.uploads_are_off_here", { remedy: remedy ?? "" }));
  const act = { words: t("videos.upload_video_title"), onclick: upload, primary: true };
  showNothing(title, t("videos.drop_videos_here_or_choose_them"), act);
}

/** Cursors of the pages up to this one; the first page does not have one. */
export function cursorsNow() {
  const kept = history.state?.cursors;
  return Array.isArray(kept) && kept.every((one) => typeof one === "string") ? kept : [];
}

/** @param {string[]} cursors */
export const keepCursors = (cursors) => ({ ...history.state, cursors });

/** @param {Api.LibraryPage} answer @param {(cursors: string[]) => void} onStep */
export function showSteps({ next, total, videos }, onStep) {
  const cursors = cursorsNow();
  const place = byId("videos-steps");
  place.hidden = !cursors.length && !next;
  if (place.hidden) return;
  const first = cursors.length * PAGE_SIZE;
  const range = { first: number(first + 1), first2: number(first + videos.length), total: number(total) };
  const words = videos.length ? t("videos.rows_of_total", range) : t("videos.nothing_on_this_page_any_more");
  const button = (/** @type {string} */ text, /** @type {string[]|null} */ to) =>
    el("button.button", { disabled: to === null, onclick: () => to && onStep(to) }, text);
  refill(
    place,
    button(t("videos.previous"), cursors.length ? cursors.slice(0, -1) : null),
    el("span.muted", words),
    button(t("videos.next"), next ? [...cursors, next] : null),
  );
}
