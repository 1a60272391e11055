// Lines, zones and paths over a source's picture, drawn in the picture's pixels.

import { svg } from "../shared/dom.js";
import { themeColor } from "../shared/palette.js";

/** @typedef {{name: string, points: [number, number][], width_px: number, height_px: number}} Shape */
/** @typedef {import("./boxed_picture.js").Size} Size */
/**
 * @typedef {Object} Shown
 * @property {Shape[]} [lines]
 * @property {Shape[]} [zones]
 * @property {Pick<Api.ProvedCrossing, "path"|"width_px"|"height_px">} [way]  a path, with the unit of its points
 * @property {[number, number]} [foot]  in pixels of the stored frame
 */

/**
 * Whether a shape is valid at an event time; without a time, every shape is.
 * @param {{from_ms: number|null, to_ms: number|null}} shape
 * @param {number|null} ms
 */
export const holdsAt = ({ from_ms, to_ms }, ms) =>
  ms === null || ((from_ms === null || from_ms <= ms) && (to_ms === null || ms < to_ms));

// Relative to the picture's width, so that names look the same at every size.
const NAME_PART = 1 / 44;
const ARROW_PART = 1 / 22;

/** The colours of lines and zones, by position in the list. @param {number} position */
export const shapeColor = (position) =>
  `color-mix(in srgb, ${themeColor(`series-${position % 6}`)}, white 25%)`;

/**
 * @param {Shown} shown
 * @param {boolean} [named]  whether to show names of lines and zones
 * @returns {(size: Size) => SVGElement}
 */
export const shapesOver =
  (shown, named = true) =>
  (size) => {
    const { width, height } = size;
    const { lines = [], zones = [] } = shown;
    return svg(
      "svg",
      { class: "boxes shapes", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
      ...zones.map((zone, position) => zoneOf(zone, shapeColor(lines.length + position), size)),
      ...lines.map((line, position) => lineOf(line, shapeColor(position), size)),
      ...(named ? [...lines, ...zones].map((shape) => nameOf(shape, size)) : []),
      ...pathOf(shown, size),
    );
  };

/**
 * Points of a shape, in pixels of the frame in view, which may be stored in a smaller size.
 * @param {Omit<Shape, "name">} shape
 * @param {Size} size
 * @returns {[number, number][]}
 */
const onFrame = ({ points, width_px, height_px }, { width, height }) =>
  points.map(([x, y]) => [(x * width) / width_px, (y * height) / height_px]);

/** @param {number[][]} points */
const listOf = (points) => points.map((point) => point.map((one) => one.toFixed(1)).join(",")).join(" ");

/** @param {Shape} line @param {string} color @param {Size} size */
function lineOf(line, color, size) {
  const points = onFrame(line, size);
  return svg("g", ...strokes(listOf(points), { class: "over", stroke: color }), arrowOf(points, size));
}

/** A line on a dark edge, visible on any picture. @param {string} points @param {Record<string, string>} over */
const strokes = (points, over) => [
  svg("polyline", { class: "under", points }),
  svg("polyline", { ...over, points }),
];

/**
 * The direction `to_right`: to the right of someone who walks along the line.
 * @param {[number, number][]} points
 * @param {Size} size
 */
function arrowOf(points, { width }) {
  const middle = Math.floor((points.length - 1) / 2);
  const [[ax, ay], [bx, by]] = [points[middle], points[middle + 1]];
  const long = Math.hypot(bx - ax, by - ay) || 1;
  const [ux, uy] = [(bx - ax) / long, (by - ay) / long];
  const [x, y, r] = [(ax + bx) / 2, (ay + by) / 2, width * ARROW_PART];
  const [tipX, tipY] = [x - uy * r, y + ux * r];
  const wing = (/** @type {1|-1} */ side) => [
    tipX + uy * r * 0.35 + side * ux * r * 0.25,
    tipY - ux * r * 0.35 + side * uy * r * 0.25,
  ];
  const arrow = listOf([[x, y], [tipX, tipY], wing(1), [tipX, tipY], wing(-1)]);
  return svg("g", ...strokes(arrow, { class: "way" }));
}

/** @param {Shape} zone @param {string} color @param {Size} size */
function zoneOf(zone, color, size) {
  const points = onFrame(zone, size);
  const shape = svg("polygon", { class: "over", points: listOf(points), stroke: color });
  shape.style.color = color;
  return svg("g", svg("polygon", { class: "under", points: listOf(points) }), shape);
}

/** @param {Shape} shape @param {Size} size */
function nameOf({ name, ...shape }, { width, height }) {
  const [[x, y]] = onFrame(shape, { width, height });
  const font = width * NAME_PART;
  // Near the right edge the name ends at its position, so that it is not cut off. Letters are 0.65 of their height
  // wide.
  const isLeft = x > width / 2 && x + font * (1 / 3 + 0.65 * name.length) > width;
  return svg("text", {
    x: isLeft ? Math.min(x - font / 3, width - 2) : Math.max(x + font / 3, 2),
    "text-anchor": isLeft ? "end" : "start",
    y: Math.min(Math.max(y - font / 3, font), height - 4),
    "font-size": font,
    "stroke-width": font / 5,
    text: name,
  });
}

/** @param {Shown} shown @param {Size} size */
function pathOf({ way, foot }, size) {
  const color = themeColor("series-1");
  const { width, height } = size;
  const shape = { width_px: way?.width_px ?? width, height_px: way?.height_px ?? height };
  const path = onFrame({ ...shape, points: (way?.path ?? []).map(([, x, y]) => [x, y]) }, size);
  /** @param {[number, number]} at @param {number} part  of the width @param {Record<string, string>} look */
  const dot = ([cx, cy], part, look) => svg("circle", { cx, cy, r: width * part, ...look });
  return [
    ...(path.length ? strokes(listOf(path), { class: "over", stroke: color }) : []),
    ...path.slice(0, 1).map((at) => dot(at, 1 / 160, { fill: color })),
    ...(foot ? [dot(foot, 1 / 110, { fill: "#fff", stroke: "#000" })] : []),
  ];
}
