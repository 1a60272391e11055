// What the page says when something is wrong, and how fresh its numbers are.

import { byId, el } from "../shared/dom.js";
import { timeOfDay, timeSince } from "../shared/format.js";

/**
 * An error that may pass: says so, and what is still shown. The page is not connected only where nothing answered.
 * @param {import("../shared/api.js").ApiError} error
 * @param {number|null} shownSince  ms, when what is shown was loaded; null if nothing is
 * @param {() => void} onRetry
 * @param {string} [title]
 */
export function showOutage(
  { message: reason, status },
  shownSince,
  onRetry,
  title = "The counts are out of reach",
) {
  const said = /[.!?]$/.test(reason) ? reason : `${reason}.`;
  const kept = shownSince ? ` What you see is from ${timeSince(shownSince)}.` : "";
  showNotice(
    "warning",
    title,
    `${said}${kept} This page keeps trying.`,
    el("button", { type: "button", class: "button", text: "Try now", onclick: onRetry }),
  );
  const kind = shownSince ? "Not up to date" : "Not loaded yet";
  showFreshness("away", status ? kind : "Not connected");
}

/**
 * A request that cannot succeed as it is: says what is wrong, and offers what would do.
 * @param {import("../shared/api.js").ApiError} error
 * @param {import("../context/remedies.js").Remedy[]} remedies
 * @param {(change: Partial<Page.State>) => void} onChange
 */
export function showMistake(error, remedies, onChange) {
  const buttons = remedies.map(({ text, change }) =>
    el("button", { type: "button", class: "button", text, onclick: () => onChange(change) }),
  );
  showNotice(
    "error",
    "This cannot be shown",
    `${error.message} ${error.remedy}`,
    el("div", { class: "notice-buttons" }, ...buttons),
  );
}

/**
 * Something that trying again does not mend.
 * @param {string} title
 * @param {string} text
 */
export function showFault(title, text) {
  showNotice("error", title, text, null);
}

/**
 * All is well.
 * @param {number} now  ms
 */
export function showFresh(now) {
  byId("notice").hidden = true;
  byId("notice").replaceChildren();
  showFreshness("ok", `Up to date, ${timeOfDay(now)}`);
}

/**
 * @param {string} state
 * @param {string} text
 */
function showFreshness(state, text) {
  byId("freshness").textContent = text;
  byId("freshness").dataset.state = state;
}

/**
 * @param {string} kind
 * @param {string} title
 * @param {string} text
 * @param {HTMLElement|null} button
 */
function showNotice(kind, title, text, button) {
  const notice = byId("notice");
  const wanted = `${kind} ${title} ${text}`;
  if (!notice.hidden && notice.dataset.text === wanted) return;
  notice.dataset.text = wanted;
  notice.className = `notice ${kind}`;
  notice.replaceChildren(
    el("div", {}, el("p", { class: "strong", text: title }), el("p", { text })),
    button ?? "",
  );
  notice.hidden = false;
}
