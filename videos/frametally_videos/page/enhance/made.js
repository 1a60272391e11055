// The videos that were made of one: what they are, and the buttons that play, download and remove them.

import { el } from "frametally/js/shared/dom.js";
import { enhancementWords } from "../jobs/words.js";
import { plural } from "frametally/js/shared/format.js";
import { tellNews } from "../library/news.js";
import { bytes, playTime, visible } from "../library/words.js";
import { speak, wordsOf } from "frametally/js/shell/saying.js";
import { sendDerivativeRemoval } from "./asking.js";

/**
 * What one is called.
 * @param {Page.Derivative} made
 */
export const nameOf = ({ kind, enhancement, recipe }) =>
  kind === "playable"
    ? "For browsers"
    : `Enhanced: ${enhancementWords(enhancement) || `as it was (${recipe})`}`;

/** @param {Page.Derivative} made */
function wordsOfMade({ width_px: width, height_px: height, size_bytes: size, duration_s: length, ...made }) {
  const { method, video_encoder: encoder, sound } = made;
  return [
    `${width} × ${height} px`,
    playTime(length),
    bytes(size),
    method === "remux" ? "the pictures are the original's" : `encoded by ${encoder ?? "an encoder"}`,
    { copied: "sound copied", encoded: "sound encoded anew", none: "no sound" }[sound],
  ].join(" · ");
}

/**
 * @param {Page.Derivative} made
 * @param {boolean} leave  whether it may be removed
 * @param {{play: (recipe: string) => void, removed: () => void}} on
 */
export function madeRow(made, leave, on) {
  const name = nameOf(made);
  const said = el("p", { class: "form-said small", role: "alert", hidden: true });
  const remove = el("button", {
    type: "button",
    class: "button",
    text: "Remove",
    "aria-label": `Remove ${name}`,
    hidden: !leave,
    onclick: async () => {
      remove.disabled = true;
      try {
        await sendDerivativeRemoval(made.video_id, made.recipe);
        speak("It is removed");
        on.removed();
        tellNews();
      } catch (error) {
        said.textContent = wordsOf(error);
        said.hidden = false;
        remove.disabled = false;
      }
    },
  });
  const play = el("button", {
    type: "button",
    class: "button",
    text: "Play",
    "aria-label": `Play ${name}`,
    onclick: () => on.play(made.recipe),
  });
  const download = el("a", {
    class: "button",
    href: made.url,
    download: `${made.kind}-${made.recipe}.mp4`,
    text: "Download",
    "aria-label": `Download ${name}`,
  });
  return el(
    "li",
    { class: "made", "data-recipe": made.recipe, "data-kind": made.kind },
    el(
      "div",
      {},
      el("p", { class: "strong", text: name }),
      el("p", { class: "muted small", text: wordsOfMade(made) }),
      made.tried.length
        ? el(
            "details",
            { class: "muted small" },
            el("summary", { text: `${plural(made.tried.length, "encoder")} could not be used` }),
            ...made.tried.map((text) => el("p", { text: visible(text) })),
          )
        : null,
    ),
    el("div", { class: "job-buttons" }, play, download, remove),
    said,
  );
}
