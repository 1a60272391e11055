// One evidence frame, large, with its boxes and their confidences; arrow keys go to the next.

import { byId, el, swatch } from "./dom.js";
import { moment } from "./format.js";
import { pictureWithBoxes } from "./overlay.js";
import { remarksOn } from "./remarks.js";

/** Opens the dialog on `frames[position]`. */
export function openLightbox(frames, position, colorOf) {
  const dialog = byId("lightbox");
  const show = (next, focused = null) => {
    dialog.replaceChildren(content(frames, next, colorOf, dialog, show));
    dialog.onkeydown = (event) => {
      if (event.key === "ArrowLeft" && next > 0) show(next - 1);
      if (event.key === "ArrowRight" && next < frames.length - 1) show(next + 1);
    };
    const button = focused && dialog.querySelector(`[data-step="${focused}"]:not([disabled])`);
    (button ?? dialog.querySelector(".close")).focus();
  };
  // A click beside the picture closes it, as people expect.
  dialog.onclick = (event) => {
    if (event.target === dialog) dialog.close();
  };
  dialog.showModal();
  show(position);
}

function content(frames, position, colorOf, dialog, show) {
  const frame = frames[position];
  const color = colorOf(frame.label);
  const picture = pictureWithBoxes(frame, color, {
    captions: true,
    alt: `Frame of ${frame.source}: ${frame.count} × ${frame.label}`,
  });
  if (frame.width_px) picture.style.aspectRatio = `${frame.width_px} / ${frame.height_px}`;
  if (frame.width_px) picture.style.setProperty("--ratio", frame.width_px / frame.height_px);
  const step = (by, name, sign) =>
    el("button", {
      type: "button",
      class: "button icon",
      "data-step": by,
      "aria-label": name,
      text: sign,
      disabled: frames[position + by] === undefined,
      onclick: () => show(position + by, String(by)),
    });
  return el(
    "div",
    { class: "lightbox-inner" },
    el(
      "header",
      {},
      el("h2", { id: "lightbox-title", class: "frame-label" }, swatch(color), el("span", { class: "name", text: frame.label }), el("span", { class: "count", text: `× ${frame.count}` })),
      el(
        "div",
        { class: "lightbox-tools" },
        step(-1, "Previous frame", "‹"),
        step(1, "Next frame", "›"),
        el("button", { type: "button", class: "button icon close", "aria-label": "Close", text: "×", onclick: () => dialog.close() }),
      ),
    ),
    picture,
    el(
      "p",
      { class: "lightbox-caption" },
      el("span", { text: `${frame.source} · ${moment(frame.captured_at_ms)}` }),
      ...remarksOn(frame),
      el("a", { href: frame.image_url, target: "_blank", rel: "noopener", text: "Open the picture alone" }),
    ),
  );
}
