// One frame, large, with its boxes, labels and confidences; arrow keys go to the next.

import { byId, el, iconButton } from "../shared/dom.js";
import { framePicture } from "../shared/frame_picture.js";

/** @typedef {import("../shared/frame_picture.js").Picture & {title: string, caption: string, remarks: string[]}} LargeFrame */

/**
 * Opens the dialog on `frames[position]`.
 * @param {LargeFrame[]} frames
 * @param {number} position
 * @param {Page.ColorOf} colorOf
 * @param {(position: number) => void} [onStep]  told of each frame that is gone to
 */
export function openLightbox(frames, position, colorOf, onStep = () => {}) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("lightbox"));
  /**
   * @param {number} next
   * @param {string|null} focused
   */
  const show = (next, focused = null) => {
    dialog.replaceChildren(content(frames, next, colorOf, dialog, show));
    dialog.onkeydown = (event) => {
      if (event.key === "ArrowLeft" && next > 0) show(next - 1);
      if (event.key === "ArrowRight" && next < frames.length - 1) show(next + 1);
    };
    const button = focused && dialog.querySelector(`[data-step="${focused}"]:not([disabled])`);
    const target = button || dialog.querySelector(".close");
    if (target instanceof HTMLElement) target.focus();
    onStep(next);
  };
  // A click beside the picture closes it, as people expect.
  dialog.onclick = (event) => {
    if (event.target === dialog) dialog.close();
  };
  dialog.showModal();
  show(position);
}

/**
 * @param {LargeFrame[]} frames
 * @param {number} position
 * @param {Page.ColorOf} colorOf
 * @param {HTMLDialogElement} dialog
 * @param {(next: number, focused: string|null) => void} show
 */
function content(frames, position, colorOf, dialog, show) {
  const frame = frames[position];
  const alt = `Frame: ${frame.title}, ${frame.caption}`;
  /**
   * @param {number} by
   * @param {string} name
   * @param {string} sign
   */
  const step = (by, name, sign) =>
    iconButton(name, sign, () => show(position + by, String(by)), {
      "data-step": by,
      disabled: frames[position + by] === undefined,
    });
  return el(
    "div",
    { class: "lightbox-inner" },
    el(
      "header",
      {},
      el("h2", { id: "lightbox-title", class: "name", text: frame.title }),
      el(
        "div",
        { class: "lightbox-tools" },
        step(-1, "Previous frame", "‹"),
        step(1, "Next frame", "›"),
        iconButton("Close", "×", () => dialog.close(), { class: "button icon close" }),
      ),
    ),
    framePicture(frame, colorOf, { alt, named: true }),
    el(
      "p",
      { class: "lightbox-caption" },
      el("span", { text: frame.caption }),
      ...frame.remarks.map((text) => el("span", { class: "remark", text })),
      el("a", { href: frame.image_url, target: "_blank", rel: "noopener", text: "Open the picture alone" }),
    ),
  );
}
