// Forgetting a video: what goes with it is said before anything does.

import { el } from "frametally/js/shared/dom.js";
import { plural } from "frametally/js/shared/format.js";
import { tellNews } from "../library/news.js";
import { bytes } from "../library/words.js";
import { sendRemoval } from "./asking.js";
import { speak, wordsOf } from "frametally/js/shell/saying.js";

export function makeForgetting() {
  /** @type {Page.Video|null} */
  let shown = null;
  const ask = el("button", {
    type: "button",
    class: "button",
    text: "Forget this video…",
    onclick: () => turn(true),
  });
  const meaning = el("ul", { class: "meaning" });
  const keep = el("button", { type: "button", class: "button", text: "Keep it", onclick: () => turn(false) });
  const forget = el("button", { type: "button", class: "button danger", text: "Forget it", onclick: go });
  const said = el("p", { class: "form-said", role: "alert", hidden: true });
  const question = el(
    "div",
    { class: "forget-question", role: "group", "aria-label": "Forget this video", hidden: true },
    el("p", { class: "strong", text: "Forget this video for good?" }),
    meaning,
    said,
    el("div", { class: "notice-buttons" }, keep, forget),
  );
  question.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation(); // it closes the question, not the video
    turn(false);
  });
  const element = el("div", { class: "forgetting" }, ask, question);

  /** @param {boolean} isAsked */
  function turn(isAsked) {
    if (isAsked && shown) meaning.replaceChildren(...meaningOf(shown).map((text) => el("li", { text })));
    said.hidden = true;
    ask.hidden = isAsked;
    question.hidden = !isAsked;
    (isAsked ? keep : ask).focus();
  }

  async function go() {
    if (!shown) return;
    forget.disabled = true;
    try {
      await sendRemoval(shown.id);
      speak("The video is being removed");
      turn(false);
      tellNews();
    } catch (error) {
      said.textContent = wordsOf(error);
      said.hidden = false;
    } finally {
      forget.disabled = false;
    }
  }

  return {
    element,
    /** @param {Page.Video} video */
    show(video) {
      if (shown?.id !== video.id) {
        ask.hidden = false;
        question.hidden = true;
      }
      shown = video;
      element.hidden = video.state === "deleting";
    },
  };
}

/**
 * What is gone afterwards.
 * @param {Page.Video} video
 */
export function meaningOf({ size_bytes: size, frames, detections_counted: counted }) {
  const taken = frames.announced ? [`${plural(frames.announced, "frame")} that were taken from it go.`] : [];
  const bars = counted
    ? [`${plural(counted, "detection")} go from all charts, once their days are counted anew.`]
    : [];
  return [
    `The file goes from the store (${bytes(size)}); nothing here brings it back.`,
    ...taken,
    ...bars,
    "Whoever has the file can upload it again.",
  ];
}
