// What the page says when something is wrong, and how fresh its numbers are.

import { byId, el } from "./dom.js";
import { timeOfDay } from "./format.js";

/**
 * An error that may pass: says so, and what is still shown.
 * @param {ApiError} error
 * @param {number|null} shownSince  ms, when what is shown was loaded; null if nothing is
 * @param {number} retryInS
 * @param {() => void} onRetry
 */
export function showOutage(error, shownSince, retryInS, onRetry) {
  const kept = shownSince ? ` What you see is from ${timeOfDay(shownSince)}.` : "";
  showNotice(
    "warning",
    "The counts are out of reach",
    `${error.message}${kept} Trying again in ${retryInS} s.`,
    el("button", { type: "button", class: "button", text: "Try now", onclick: onRetry }),
  );
  byId("freshness").textContent = "Not connected";
  byId("freshness").dataset.state = "away";
}

/** A request that cannot succeed as it is: says what is wrong and what to do. */
export function showMistake(error, onReset) {
  showNotice(
    "error",
    "This cannot be shown",
    `${error.message} ${error.remedy}`,
    el("button", { type: "button", class: "button", text: "Show everything", onclick: onReset }),
  );
}

/** Something that trying again does not mend. */
export function showFault(title, text) {
  showNotice("error", title, text, null);
}

/** All is well. */
export function showFresh(now) {
  byId("notice").hidden = true;
  byId("notice").replaceChildren();
  byId("freshness").textContent = `Up to date, ${timeOfDay(now)}`;
  byId("freshness").dataset.state = "ok";
}

function showNotice(kind, title, text, button) {
  const notice = byId("notice");
  notice.className = `notice ${kind}`;
  notice.replaceChildren(el("div", {}, el("p", { class: "strong", text: title }), el("p", { text })), button ?? "");
  notice.hidden = false;
}
