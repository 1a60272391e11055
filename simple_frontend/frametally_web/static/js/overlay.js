// A frame's picture with its counted boxes drawn over it.

import { el, svg } from "./dom.js";

/**
 * @param {Object} frame  as the API has it
 * @param {string} color  of the boxes
 * @param {Object} options
 * @param {boolean} options.captions  write each box's confidence
 * @param {string} options.alt
 * @returns {HTMLElement} a box in the frame's proportions
 */
export function pictureWithBoxes(frame, color, { captions, alt }) {
  const picture = el("span", { class: "picture" });
  const image = el("img", {
    src: frame.image_url,
    alt,
    loading: captions ? "eager" : "lazy",
    decoding: "async",
    width: frame.width_px,
    height: frame.height_px,
  });
  image.addEventListener("error", () => {
    picture.classList.add("missing");
    picture.replaceChildren(el("span", { class: "missing-text", text: "This frame is no longer in the store." }));
  });
  image.addEventListener("load", () => picture.classList.add("loaded"));
  picture.append(image);
  if (frame.boxes.length) picture.append(drawBoxes(frame, color));
  if (captions) picture.append(...writeConfidences(frame));
  return picture;
}

function drawBoxes({ width_px: width, height_px: height, boxes }, color) {
  // Dark below, colour above: seen on any picture.
  const rects = boxes.flatMap(({ box: [x, y, wide, high] }) => [
    svg("rect", { x, y, width: wide, height: high, class: "halo" }),
    svg("rect", { x, y, width: wide, height: high, class: "box", stroke: `color-mix(in srgb, ${color}, white 30%)` }),
  ]);
  return svg(
    "svg",
    { class: "boxes", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "xMidYMid meet", "aria-hidden": "true" },
    ...rects,
  );
}

// The surest on top, where they overlap.
function writeConfidences({ width_px: width, height_px: height, boxes }) {
  const rising = [...boxes].sort((a, b) => a.confidence - b.confidence);
  return rising.map(({ confidence, box: [x, y] }) => {
    const plate = el("span", {
      class: y > height / 12 ? "plate" : "plate inside",
      "aria-hidden": "true",
      text: `${Math.round(confidence * 100)} %`,
    });
    plate.style.left = `${(100 * x) / width}%`;
    plate.style.top = `${(100 * y) / height}%`;
    return plate;
  });
}
