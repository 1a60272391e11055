// The card on an empty page: what will be there, and one button.

import { byId, el } from "../shared/dom.js";
import { has, isHere } from "../shell/navigation.js";
import { t } from "../shared/texts.js";

/** @typedef {{words: string, onclick?: () => void, href?: string, primary?: boolean}} Act */

/** Removes the card, because the page has content. */
export function hideNothing() {
  byId("nothing").hidden = true;
}

/** @param {string} title @param {string} text @param {Act|null} [act]  a primary one adds the page's sketch above it */
export function showNothing(title, text, act) {
  const place = byId("nothing");
  const said = title + text + (act?.href ?? "");
  if (!place.hidden && place.dataset.text === said) return; // keep a focused button
  place.dataset.text = said;
  const { words, primary, ...does } = act ?? { words: "" };
  const kind = `${does.href ? "a" : "button"}.button${primary ? ".primary" : ""}`;
  place.replaceChildren(
    el("h2", title),
    el("p.muted", text),
    act ? el(kind, { id: "nothing-act", ...does }, words) : "",
  );
  place.hidden = false;
}

/** The card before anything is counted. @param {string} text  what will be on this page */
export function showNothingYet(text) {
  const mayUpload = has("correct") && isHere("videos");
  const act = { words: t("web.upload_your_first_video"), href: "/videos", primary: true };
  showNothing(t("web.nothing_has_been_counted_yet"), text, mayUpload ? act : null);
}
