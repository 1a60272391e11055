// From one page of the list to the next and back. A cursor leads on only: the ones before are kept in the history's
// entry, so that a reload stays where it was.

import { byId, el, refill } from "frametally/js/shared/dom.js";
import { number } from "frametally/js/shared/format.js";
import { PAGE_SIZE } from "./asking.js";

/** Cursors of the pages up to this one; the first page has none. @returns {string[]} */
export function cursorsNow() {
  const kept = history.state?.cursors;
  return Array.isArray(kept) && kept.every((one) => typeof one === "string") ? kept : [];
}

/** @param {string[]} cursors */
export const keepCursors = (cursors) => ({ ...history.state, cursors });

/**
 * @param {Page.Videos} answer
 * @param {(cursors: string[]) => void} onStep
 */
export function showSteps({ next, total, videos }, onStep) {
  const cursors = cursorsNow();
  const place = byId("videos-steps");
  place.hidden = !cursors.length && !next;
  if (place.hidden) return;
  const first = cursors.length * PAGE_SIZE;
  const words = videos.length
    ? `${number(first + 1)} – ${number(first + videos.length)} of ${number(total)}`
    : "Nothing on this page any more";
  const button = (/** @type {string} */ text, /** @type {string[]|null} */ to) =>
    el("button", {
      type: "button",
      class: "button",
      text,
      disabled: to === null,
      onclick: () => to && onStep(to),
    });
  refill(
    place,
    button("‹ Previous", cursors.length ? cursors.slice(0, -1) : null),
    el("span", { class: "muted", text: words }),
    button("Next ›", next ? [...cursors, next] : null),
  );
}
