// A frame with its boxes: the picture, and over it a drawing in the frame's pixels. The names of the boxes are part
// of the drawing, so that they stay at their boxes at any size.

import { el, svg } from "../shared/dom.js";
import { labelName, percent } from "../shared/format.js";
import { t } from "../shared/texts.js";

const NEAR = "100px";

/** @type {WeakMap<Element, () => void>} */
const waiting = new WeakMap();

const observer = new IntersectionObserver(
  (entries) => entries.filter((one) => one.isIntersecting).forEach(({ target }) => begin(target)),
  { rootMargin: NEAR },
);

// Printing needs all pictures.
addEventListener("beforeprint", () => document.querySelectorAll("[data-waits]").forEach(begin));

/**
 * Calls back when an element comes near the viewport; a later call for the same element replaces the callback.
 * @param {Element} place
 * @param {() => void} ask  called at most once
 */
export function whenNear(place, ask) {
  waiting.set(place, ask);
  place.toggleAttribute("data-waits", true);
  observer.observe(place);
}

/** @param {Element} place */
function begin(place) {
  observer.unobserve(place);
  place.removeAttribute("data-waits");
  waiting.get(place)?.();
  waiting.delete(place);
}

/** @typedef {[left: number, top: number, width: number, height: number]} Rect */
/** @typedef {{width: number, height: number}} Size */

/**
 * A position for each name, in the frame's pixels; earlier names choose first.
 * @param {Rect[]} boxes
 * @param {Size[]} names  size of each name
 * @param {Size} frame
 */
export function placeNames(boxes, names, frame) {
  /** @type {Rect[]} */
  const taken = [];
  boxes.forEach((box, index) => {
    let best = null;
    let least = Infinity;
    for (const place of placesAt(box, names[index], frame)) {
      const covered = taken.reduce((sum, other) => sum + overlap(place, other), 0);
      if (covered >= least) continue;
      [best, least] = [place, covered];
      if (!covered) break;
    }
    if (best) taken.push(best);
  });
  return taken;
}

/**
 * Possible positions of a name, best first: above, inside, then below the box; from its left edge, then to its right
 * edge.
 * @param {Rect} box
 * @param {Size} name
 * @param {Size} frame
 */
function placesAt([x, y, wide, high], { width, height }, frame) {
  const lefts = [x, x + wide - width];
  const tops = [y - height, y, y + high - height, y + high];
  const most = [frame.width - width, frame.height - height];
  return tops.flatMap((top) =>
    lefts.map(
      (left) => /** @type {Rect} */ ([clamp(left, 0, most[0]), clamp(top, 0, most[1]), width, height]),
    ),
  );
}

/**
 * Returns `least` if `most` is below it: a name wider than its picture starts at the left edge.
 * @param {number} value
 * @param {number} least
 * @param {number} most
 */
function clamp(value, least, most) {
  return Math.max(least, Math.min(value, most));
}

/** The overlap of two rectangles. @param {Rect} one @param {Rect} other */
function overlap([x, y, wide, high], [left, top, width, height]) {
  const across = Math.min(x + wide, left + width) - Math.max(x, left);
  const down = Math.min(y + high, top + height) - Math.max(y, top);
  return across > 0 && down > 0 ? across * down : 0;
}

/**
 * @typedef {Object} Picture
 * @property {string} image_url
 * @property {number|null} width_px  `null` for the width of the JPEG
 * @property {number|null} height_px
 * @property {Api.Box[]} boxes
 * @property {(size: Size) => SVGElement} [over]  returns a drawing over the picture
 */

const GONE = t("web.this_frame_is_no_longer_in");
// Widths of smaller pictures on the server.
const WIDTHS_PX = [320, 640, 1280];
// Size on the screen, whatever the size of the picture.
const NAME = { font_px: 12, height_px: 17, padding_px: 4 };

/**
 * @param {Picture} frame
 * @param {Page.ColorOf} colorOf
 * @param {Object} options
 * @param {string} options.alt
 * @param {boolean} [options.named]  whether to show each box's label and confidence
 * @param {boolean} [options.lazy]  whether to wait until the picture comes near the viewport
 * @param {string} [options.missing]  the text if the picture is missing
 * @param {string} [options.sizes]  shown width, as in an img's `sizes`, to load a smaller JPEG
 * @param {boolean} [options.isCrop]  whether to show only the area around the first box
 * @returns {HTMLElement}  an element with the frame's aspect ratio, from the custom property --ratio
 */
export function framePicture(
  frame,
  colorOf,
  { alt, named = false, lazy = false, missing = GONE, sizes, isCrop = false },
) {
  const picture = el("span.picture");
  const { width_px: width, height_px: height } = frame;
  const image = el("img", { alt, decoding: "async", draggable: "false", width, height });
  /** @param {Size} size */
  const draw = (size) => {
    picture.style.setProperty("--ratio", String(size.width / size.height));
    if (isCrop) crop(picture, frame.boxes[0].box, size);
    if (frame.over) picture.append(frame.over(size));
    if (frame.boxes.length) picture.append(framesBoxes(frame.boxes, size, colorOf, named));
  };
  image.addEventListener("error", () => {
    picture.classList.add("missing");
    picture.replaceChildren(el("span", missing));
  });
  image.addEventListener("load", () => {
    picture.classList.add("loaded");
    if (width === null) draw({ width: image.naturalWidth, height: image.naturalHeight });
  });
  picture.append(image);
  const ask = () => load(image, frame, sizes);
  if (lazy) whenNear(picture, ask);
  else ask();
  if (width !== null && height !== null) draw({ width, height });
  return picture;
}

// A crop shows a box with its surroundings, and never only a few pixels.
const CROP = { ratio: 4 / 3, around: 1.5, least_px: 48 };

/**
 * Moves everything outside the area around a box out of view.
 * @param {HTMLElement} picture
 * @param {[number, number, number, number]} box
 * @param {Size} frame
 */
function crop(picture, [x, y, wide, high], frame) {
  const wanted = Math.max(wide, high * CROP.ratio, CROP.least_px) * CROP.around;
  const width = Math.min(wanted, frame.width, frame.height * CROP.ratio);
  const height = width / CROP.ratio;
  const left = clamp(x + wide / 2 - width / 2, 0, frame.width - width);
  const top = clamp(y + high / 2 - height / 2, 0, frame.height - height);
  picture.classList.add("crop");
  const places = { ratio: CROP.ratio, wide: frame.width / width, high: frame.height / height, left: left / width, top: top / height }; // prettier-ignore
  for (const [name, value] of Object.entries(places)) picture.style.setProperty(`--${name}`, String(value));
}

/**
 * @param {HTMLImageElement} image
 * @param {Picture} frame
 * @param {string} [sizes]  as in framePicture
 */
function load(image, frame, sizes) {
  image.sizes = sizes ?? "";
  image.srcset = (sizes && smaller(frame)) ?? "";
  image.src = frame.image_url;
}

/** Preloads the JPEG that framePicture will show. @param {Picture} frame @param {string} sizes */
export const loadAhead = (frame, sizes) => load(new Image(), frame, sizes);

/**
 * The frame's JPEGs by width; `null` if there is only one, or its width is unknown.
 * @param {Picture} frame
 */
function smaller({ image_url: url, width_px: width }) {
  const widths = WIDTHS_PX.filter((one) => width !== null && one < width);
  if (!widths.length) return null;
  return [...widths.map((one) => `${url}&w=${one} ${one}w`), `${url} ${width}w`].join(", ");
}

/**
 * The boxes with their names, if any. The most confident boxes choose their name's position first and are on top.
 * @param {Api.Box[]} boxes
 * @param {Size} frame
 * @param {Page.ColorOf} colorOf
 * @param {boolean} named
 */
export function framesBoxes(boxes, frame, colorOf, named) {
  const falling = [...boxes].sort((a, b) => b.confidence - a.confidence);
  const colors = falling.map(({ label }) => `color-mix(in srgb, ${colorOf(label)}, white 30%)`);
  // A dark edge under the colour is visible on any picture.
  const rects = falling.flatMap(({ box: [x, y, width, height] }, index) => [
    svg("rect", { x, y, width, height, class: "box", stroke: colors[index] }),
    svg("rect", { x, y, width, height, class: "halo" }),
  ]);
  const names = svg("g", { class: "plates" });
  const all = svg(
    "svg",
    { class: "boxes", viewBox: `0 0 ${frame.width} ${frame.height}`, "aria-hidden": "true" },
    ...rects.reverse(),
    names,
  );
  if (!named) return all;
  const words = falling.map(({ label, confidence }) => `${labelName(label)} ${percent(confidence)}`);
  new ResizeObserver(() => {
    // Scaled like the drawing, which is fully visible whatever its container's proportions.
    const scale = Math.min(all.clientWidth / frame.width, all.clientHeight / frame.height);
    if (!scale) return;
    const sizes = words.map((text) => ({
      width: (widthOf(text) + 2 * NAME.padding_px) / scale,
      height: NAME.height_px / scale,
    }));
    const places = falling.map(({ box }) => box);
    const plates = placeNames(places, sizes, frame).map((place, index) =>
      plate(words[index], place, scale, colors[index]),
    );
    names.replaceChildren(...plates.reverse());
  }).observe(all);
  return all;
}

/**
 * @param {string} text
 * @param {Rect} place
 * @param {number} scale  screen pixels per frame pixel
 * @param {string} color
 */
function plate(text, [x, y, width, height], scale, color) {
  return svg(
    "g",
    { class: "plate" },
    svg("rect", { x, y, width, height, stroke: color }),
    svg("text", {
      x: x + NAME.padding_px / scale,
      y: y + height / 2,
      "font-size": NAME.font_px / scale,
      "dominant-baseline": "central",
      text,
    }),
  );
}

/** @type {CanvasRenderingContext2D|null} */
let ruler = null;

/** The width of a name on the screen, in pixels. @param {string} text */
function widthOf(text) {
  if (!ruler) {
    ruler = document.createElement("canvas").getContext("2d");
    if (ruler) ruler.font = `${NAME.font_px}px ${getComputedStyle(document.body).fontFamily}`;
  }
  return ruler?.measureText(text).width ?? text.length * NAME.font_px;
}
