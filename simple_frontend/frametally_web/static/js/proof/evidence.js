// The busiest frame per label, for a first look; each opens large.

import { el, swatch } from "../shared/dom.js";
import { moment, plural } from "../shared/format.js";
import { framePicture } from "../frames/boxed_picture.js";
import { framesFrom, openLightbox } from "./lightbox.js";

// Of the picture on a card, at most.
const SIZES = "(max-width: 640px) 76vw, 320px";

/**
 * @param {HTMLElement} area
 * @param {Api.EvidenceFrames} evidence
 * @param {Page.ColorOf} colorOf
 * @param {(source: string) => string} nameOf
 */
export function showEvidence(area, evidence, colorOf, nameOf) {
  if (!evidence.frames.length) {
    showMessage(area, "No frame here has anything that was counted.");
    return;
  }
  const frames = evidence.frames.map((frame) => ({
    ...frame,
    title: `${frame.label} × ${frame.count}`,
    caption: `${nameOf(frame.source)} · ${moment(frame.captured_at_ms)}`,
    remarks: remarksOn(frame),
  }));
  area.classList.remove("bare");
  area.replaceChildren(
    el(
      "ul",
      { class: "strip" },
      ...frames.map((frame, position) =>
        el(
          "li",
          {},
          card(frame, colorOf, nameOf, () => openLightbox(framesFrom(frames, position), colorOf)),
        ),
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

/**
 * What is to be known about a frame beside its picture.
 * @param {{time_source?: string|null, note?: string|null}} frame
 */
export function remarksOn({ time_source: timeSource, note }) {
  const remarks = timeSource === "file_time" ? ["Time guessed from the file's date or the upload"] : [];
  return note ? [...remarks, note] : remarks;
}

/**
 * One sentence in place of frames, and perhaps a button.
 * @param {HTMLElement} area
 * @param {string} text
 * @param {HTMLElement|null} [button]
 */
export function showMessage(area, text, button = null) {
  area.classList.add("bare");
  area.replaceChildren(el("p", { class: "muted", text }), button ?? "");
}

/**
 * Says why the frames cannot be had, with a button that asks again.
 * @param {HTMLElement} area
 * @param {{message: string, remedy?: string}} error
 * @param {() => void} again
 */
export function showFailure(area, { message, remedy = "" }, again) {
  const retry = el("button", { type: "button", class: "button", text: "Try again", onclick: again });
  showMessage(area, `The frames cannot be shown. ${message} ${remedy}`, retry);
}

/**
 * @param {Api.EvidenceFrame & {title: string, remarks: string[]}} frame
 * @param {Page.ColorOf} colorOf
 * @param {(source: string) => string} nameOf
 * @param {() => void} open
 */
function card(frame, colorOf, nameOf, open) {
  const source = nameOf(frame.source);
  return el(
    "button",
    { type: "button", class: "frame-card", onclick: open, title: "Open large" },
    framePicture(frame, colorOf, { alt: "", lazy: true, sizes: SIZES }),
    el(
      "span",
      { class: "frame-caption" },
      el(
        "span",
        { class: "frame-label" },
        swatch(colorOf(frame.label)),
        el("span", { class: "name", text: frame.label }),
        el("span", { class: "count muted", text: `× ${frame.count}` }),
      ),
      el("span", { class: "muted small", text: moment(frame.captured_at_ms) }),
      el("span", { class: "muted small ellipsis", text: source }),
      ...frame.remarks.map((text) => el("span", { class: "remark", text })),
    ),
  );
}
