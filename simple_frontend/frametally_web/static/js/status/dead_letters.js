// Frames that could not be detected, each with its picture, what was wrong with it, and what mends it.

import { framePicture } from "../frames/boxed_picture.js";
import { copyText } from "../shared/copying.js";
import { el, withCode } from "../shared/dom.js";
import { moment, number } from "../shared/format.js";

/**
 * @param {Api.DeadLetterFrames} answer
 * @param {(source: string) => string} nameOf
 */
export function deadLetterCards({ dead_letters: letters, dead_letters_left_out: left }, nameOf) {
  return el(
    "div",
    {},
    el("ul", { class: "strip" }, ...letters.map((letter) => el("li", {}, card(letter, nameOf)))),
    el(
      "p",
      { class: "muted small" },
      left ? `And ${number(left)} more: ` : "",
      left ? el("code", { text: "frametally dead-letters list" }) : "",
      left ? ". " : "",
      "What is announced again is detected by ",
      el("code", { text: "frametally consume" }),
      ".",
    ),
  );
}

/**
 * @param {Api.DeadLetterFrame} letter
 * @param {(source: string) => string} nameOf
 */
function card({ cause, reason, remedy, command, source, captured_at_ms: at, image_url: url }, nameOf) {
  const where = source === null ? "Its message does not tell of which source" : nameOf(source);
  const title = at === null ? where : `${where} · ${moment(at)}`;
  const copy = el("button", { type: "button", class: "button", text: "Copy" });
  copy.addEventListener("click", () => copyText(command, copy));
  return el(
    "article",
    { class: "frame-card dead-letter", "aria-label": `${cause}: ${title}` },
    url
      ? framePicture({ image_url: `${url}&w=320`, width_px: null, height_px: null, boxes: [] }, () => "", {
          alt: `What is stored of ${title}`,
          lazy: true,
          missing: "There is no picture that can be shown.",
        })
      : el("span", { class: "picture missing", text: "Its message names no picture." }),
    el(
      "div",
      { class: "dead-letter-words" },
      el("p", { class: "strong", text: cause }),
      el("p", { class: "muted small", text: title }),
      el("p", { text: `${reason}.` }),
      el("p", {}, "To mend it: ", ...withCode(remedy), ". Then run:"),
      el("p", { class: "dead-letter-command" }, el("code", { text: command }), copy),
    ),
  );
}
