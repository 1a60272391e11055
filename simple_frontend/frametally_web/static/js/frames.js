// The strip of evidence: the busiest frame per label, each opening large.

import { el, swatch } from "./dom.js";
import { moment, plural } from "./format.js";
import { openLightbox } from "./lightbox.js";
import { pictureWithBoxes } from "./overlay.js";
import { remarksOn } from "./remarks.js";

/**
 * @param {HTMLElement} area
 * @param {Object} evidence  the API's answer
 * @param {(label: string) => string} colorOf
 * @param {(source: string) => string} nameOf
 */
export function showFrames(area, evidence, colorOf, nameOf) {
  const frames = evidence.frames.map((frame) => ({ ...frame, source: nameOf(frame.source) }));
  if (!frames.length) {
    showFramesMessage(area, "No frame here has anything that was counted.");
    return;
  }
  area.classList.remove("bare");
  area.replaceChildren(
    el(
      "ul",
      { class: "strip" },
      ...frames.map((frame, position) =>
        el("li", {}, card(frame, colorOf(frame.label), () => openLightbox(frames, position, colorOf))),
      ),
    ),
    evidence.labels_left_out
      ? el("p", {
          class: "muted small",
          text: `${plural(evidence.labels_left_out, "more label")}: choose labels above to see their frames.`,
        })
      : "",
  );
}

/** One sentence in place of the strip, and perhaps a button. */
export function showFramesMessage(area, text, button = null) {
  area.classList.add("bare");
  area.replaceChildren(el("p", { class: "muted", text }), button ?? "");
}

/** Grey shapes where the frames will be. */
export function showFrameSkeletons(area) {
  area.classList.remove("bare");
  area.replaceChildren(
    el(
      "ul",
      { class: "strip", "aria-hidden": "true" },
      ...Array.from({ length: 4 }, () =>
        el("li", {}, el("div", { class: "frame-card" }, el("div", { class: "picture skeleton" }), el("div", { class: "skeleton line" }))),
      ),
    ),
  );
}

function card(frame, color, open) {
  const what = `${frame.label}: ${frame.count} in this frame`;
  return el(
    "button",
    { type: "button", class: "frame-card", onclick: open, "aria-label": `${what}, ${frame.source}, ${moment(frame.captured_at_ms)}. Open large` },
    pictureWithBoxes(frame, color, { captions: false, alt: "" }),
    el(
      "span",
      { class: "frame-caption" },
      el("span", { class: "frame-label" }, swatch(color), el("span", { class: "name", text: frame.label }), el("span", { class: "count", text: `× ${frame.count}` })),
      el("span", { class: "muted small", text: moment(frame.captured_at_ms) }),
      el("span", { class: "muted small ellipsis", text: frame.source }),
      ...remarksOn(frame),
    ),
  );
}
