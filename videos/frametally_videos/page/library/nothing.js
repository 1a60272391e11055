// What stands where the list would be: there are no videos yet, none that match, or they cannot be shown.

import { byId, el } from "frametally/js/shared/dom.js";

const place = byId("nothing");

/** The list has something to show. */
export function hideNothing() {
  place.hidden = true;
}

/**
 * There are no videos at all.
 * @param {Page.Videos} answer
 */
export function showNoVideos({ uploads_allowed: allowed, remedy }) {
  if (allowed) {
    const opener = byId("upload-open");
    const upload = () => (opener.ariaExpanded === "true" ? byId("upload-choose").focus() : opener.click());
    put(
      "There are no videos yet",
      "Drop videos here, or choose them. Each video is counted automatically, and you can watch it here later.",
      el("button", { type: "button", class: "button primary", text: "Upload video", onclick: upload }),
    );
  } else {
    put("There are no videos yet", `Uploads are off here. ${remedy ?? ""}`);
  }
}

/** There are videos, and none is what is asked for. @param {() => void} onClear */
export const showNoMatch = (onClear) =>
  put(
    "No video matches",
    "No videos match your search and filter.",
    el("button", { type: "button", class: "button", text: "Show all videos", onclick: onClear }),
  );

/**
 * They cannot be shown.
 * @param {string} reason
 * @param {string} remedy
 * @param {() => void} onRetry
 */
export const showFailed = (reason, remedy, onRetry) =>
  put(
    "The videos cannot be shown",
    `${reason} ${remedy}`.trim(),
    el("button", { type: "button", class: "button", text: "Try again", onclick: onRetry }),
  );

/**
 * @param {string} title
 * @param {string} text
 * @param {HTMLElement} [button]
 */
function put(title, text, button) {
  if (!place.hidden && place.dataset.text === title + text) return; // a button that has the keyboard keeps it
  place.dataset.text = title + text;
  place.replaceChildren(el("h2", { text: title }), el("p", { class: "muted", text }), button ?? "");
  place.hidden = false;
}
