// The card that a page shows while its list is empty.

import { byId, el } from "frametally/js/shared/dom.js";

const place = byId("nothing");

/** The list has something to show. */
export function hideNothing() {
  place.hidden = true;
}

/** @param {string} title @param {string} text @param {{words: string, onclick: () => void, primary?: boolean}} [button] */
export function showNothing(title, text, button) {
  if (!place.hidden && place.dataset.text === title + text) return; // a button that has the keyboard keeps it
  place.dataset.text = title + text;
  place.replaceChildren(
    el("h2", title),
    el("p.muted", text),
    button
      ? el(
          button.primary ? "button.button.primary" : "button.button",
          { onclick: button.onclick },
          button.words,
        )
      : "",
  );
  place.hidden = false;
}
