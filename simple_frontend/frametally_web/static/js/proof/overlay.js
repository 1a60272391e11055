// A frame's picture with its counted boxes drawn over it.

import { el, svg } from "../shared/dom.js";

/**
 * @typedef {Object} Picture
 * @property {string} image_url
 * @property {number|null} width_px  null: that of the JPEG
 * @property {number|null} height_px
 * @property {Api.Box[]} boxes
 */

/**
 * @param {Picture} frame
 * @param {Page.ColorOf} colorOf
 * @param {Object} options
 * @param {"none"|"confidence"|"label"} options.captions  what to write at each box
 * @param {string} options.alt
 * @param {boolean} [options.lazy]  load it when it comes into view
 * @returns {HTMLElement} a box in the frame's proportions
 */
export function pictureWithBoxes(frame, colorOf, { captions, alt, lazy = false }) {
  const picture = el("span", { class: "picture" });
  const image = el("img", {
    src: frame.image_url,
    alt,
    loading: lazy ? "lazy" : "eager",
    decoding: "async",
    width: frame.width_px,
    height: frame.height_px,
  });
  /**
   * @param {number} width
   * @param {number} height
   */
  const draw = (width, height) => {
    picture.style.setProperty("--ratio", String(width / height));
    if (!frame.boxes.length) return;
    picture.append(drawBoxes(frame.boxes, width, height, colorOf));
    if (captions !== "none") picture.append(writeCaptions(frame.boxes, width, height, captions));
  };
  image.addEventListener("error", () => {
    picture.classList.add("missing");
    picture.replaceChildren(el("span", { text: "This frame is no longer in the store." }));
  });
  image.addEventListener("load", () => {
    picture.classList.add("loaded");
    if (frame.width_px === null) draw(image.naturalWidth, image.naturalHeight);
  });
  picture.append(image);
  if (frame.width_px !== null && frame.height_px !== null) draw(frame.width_px, frame.height_px);
  return picture;
}

/**
 * @param {Api.Box[]} boxes
 * @param {number} width
 * @param {number} height
 * @param {Page.ColorOf} colorOf
 */
function drawBoxes(boxes, width, height, colorOf) {
  // Dark below, colour above: seen on any picture.
  const rects = boxes.flatMap(({ label, box: [x, y, wide, high] }) => [
    svg("rect", { x, y, width: wide, height: high, class: "halo" }),
    svg("rect", {
      x,
      y,
      width: wide,
      height: high,
      class: "box",
      stroke: `color-mix(in srgb, ${colorOf(label)}, white 30%)`,
    }),
  ]);
  return svg(
    "svg",
    {
      class: "boxes",
      viewBox: `0 0 ${width} ${height}`,
      preserveAspectRatio: "xMidYMid meet",
      "aria-hidden": "true",
    },
    ...rects,
  );
}

/**
 * The surest on top, where they overlap.
 * @param {Api.Box[]} boxes
 * @param {number} width
 * @param {number} height
 * @param {"confidence"|"label"} captions
 */
function writeCaptions(boxes, width, height, captions) {
  const rising = [...boxes].sort((a, b) => a.confidence - b.confidence);
  const plates = rising.map(({ label, confidence, box: [x, y, wide] }) => {
    const sure = `${Math.round(confidence * 100)} %`;
    const plate = el("span", {
      class: y > height / 12 ? "plate" : "plate inside",
      text: captions === "label" ? `${label} ${sure}` : sure,
    });
    // Near the right edge it ends with its box, so that it can be read.
    if (x > 0.8 * width) plate.style.right = `${100 - (100 * (x + wide)) / width}%`;
    else plate.style.left = `${(100 * x) / width}%`;
    plate.style.top = `${(100 * y) / height}%`;
    return plate;
  });
  return el("span", { class: "plates", "aria-hidden": "true" }, ...plates);
}
