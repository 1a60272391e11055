// The drawing, as SVG over the picture. Symbols have a fixed size on the screen, whatever the size of the picture.

import { svg } from "frametally/js/shared/dom.js";
import { directionOf, LIMITS, mayGrow, middleBehind } from "./shapes.js";
import { t } from "frametally/js/shared/texts.js";

/** @typedef {import("./shapes.js").Point} Point */
/** @typedef {import("./shapes.js").Size} Size */

const HANDLE_PX = 7;
const TOUCH_PX = 20;
const ARROW_PX = 26;
/** Roughly the width of a letter, and half the height of a line of text. */
const LETTER_PX = 9.5;

/**
 * Converts pixels of the picture that you drew a shape over to pixels of the picture in view.
 * @param {Page.Shape} shape
 * @param {Size} size
 * @returns {(point: Point) => Point}
 */
const onPicture =
  ({ width_px, height_px }, size) =>
  ([x, y]) => [(x * size.width_px) / width_px, (y * size.height_px) / height_px];

/**
 * A shape with its name and its directions.
 * @param {Page.Shape} shape
 * @param {Size} size
 * @param {number} unit  picture pixels per screen pixel
 * @param {boolean} isChosen
 * @param {number[]|null} errorsPx  of a calibration's points
 */
export function markOf(shape, size, unit, isChosen, errorsPx) {
  const points = shape.points.map(onPicture(shape, size));
  const group = svg("g", { class: `mark ${shape.kind}`, "data-shape": shape.id, "data-chosen": isChosen });
  for (const part of partsOf(shape, points)) {
    const closed = LIMITS[shape.kind].closed || shape.sides_m.length > 0;
    const d = `M${part.map((point) => point.join(" ")).join("L")}${closed ? "Z" : ""}`;
    if (shape.kind !== "calibration" || closed || shape.distance_m !== null || points.length === 2) {
      group.append(svg("path", { class: "grip", d }), ...inked(d));
    }
  }
  if (shape.kind === "line") group.append(...arrows(shape, points, size, unit));
  if (shape.kind === "calibration") group.append(...references(points, unit, errorsPx));
  group.append(words(shape.name, nameAt(shape, points, unit, size), unit, "name"));
  return group;
}

/**
 * Handles that you can drag: points, and the middles between them, which add new points.
 * @param {Page.Shape} shape
 * @param {Size} size
 * @param {number} unit
 * @param {number} focused  the point with the keyboard focus
 */
export function handlesOf(shape, size, unit, focused) {
  const place = onPicture(shape, size);
  const group = svg("g", { class: "handles" });
  if (mayGrow(shape) && shape.kind !== "calibration") {
    const last = LIMITS[shape.kind].closed ? shape.points.length : shape.points.length - 1;
    for (let at = 0; at < last; at += 1) {
      const [cx, cy] = place(middleBehind(shape, at));
      const mark = { class: "between", "data-between": at, cx, cy, r: HANDLE_PX * 0.7 * unit };
      group.append(svg("circle", mark));
    }
  }
  shape.points.forEach((point, at) => {
    const [cx, cy] = place(point);
    const name = t("traffic.point_of_at", { at: at + 1, name: shape.name, point: point.join(", ") });
    const tabindex = at === focused ? 0 : -1;
    group.append(
      svg(
        "g",
        { class: "handle", "data-point": at, role: "button", tabindex, "aria-label": name },
        svg("circle", { class: "touch", cx, cy, r: TOUCH_PX * unit }),
        svg("circle", { class: "dot", cx, cy, r: HANDLE_PX * unit }),
      ),
    );
  });
  return group;
}

/**
 * The shape that you are drawing, and the cross that you move with the keyboard.
 * @param {Page.ShapeKind} kind
 * @param {Point[]} points
 * @param {Point} cross
 * @param {number} unit
 */
export function draftOf(kind, points, cross, unit) {
  const d = `M${[...points, cross].map((point) => point.join(" ")).join("L")}`;
  return svg(
    "g",
    { class: `mark draft ${kind}`, "data-chosen": true },
    ...(points.length ? inked(d) : []),
    ...points.map(([cx, cy]) => svg("circle", { class: "dot", cx, cy, r: HANDLE_PX * unit })),
    ...inked(crossAt(cross, 14 * unit)),
  );
}

/** A path that is visible on any picture. @param {string} d @param {string} [kind] */
const inked = (d, kind = "") =>
  ["halo", "ink"].map((layer) => svg("path", { class: `${layer} ${kind}`.trim(), d }));

/** @param {Point} point @param {number} arm  half its width */
const crossAt = ([x, y], arm) => `M${x - arm} ${y}H${x + arm}M${x} ${y - arm}V${y + arm}`;

/**
 * The parts of a shape: one for each rectangle; other shapes have a single part.
 * @param {Page.Shape} shape
 * @param {Point[]} points
 */
function partsOf({ sides_m }, points) {
  return sides_m.length ? sides_m.map((_, at) => points.slice(4 * at, 4 * at + 4)) : [points];
}

/** @param {Page.Shape} shape @param {Point[]} points @param {Size} size @param {number} unit */
function arrows({ to_right, to_left }, points, { width_px, height_px }, unit) {
  const { at, right } = directionOf(points);
  /** @param {number} sign @param {string} name */
  const arrow = (sign, name) => {
    const [dx, dy] = right.map((part) => part * sign * unit);
    const [x, y] = [at[0] + dx * ARROW_PX, at[1] + dy * ARROW_PX];
    const head = [-1, 1].map((turn) => `M${x} ${y}l${-8 * dx + turn * 6 * dy} ${-8 * dy - turn * 6 * dx}`);
    const d = `M${at.join(" ")}L${x} ${y}${head.join("")}`;
    // Next to a horizontal arrow, the name starts or ends at its tip; centred text would cover the arrow.
    const side = Math.abs(right[0]) < 0.7 ? "middle" : right[0] * sign > 0 ? "start" : "end";
    const reach = ARROW_PX + (side === "middle" ? 14 : 6);
    const long = name.length * LETTER_PX * unit;
    const before = { start: 0, middle: long / 2, end: long }[side];
    const beyond = /** @type {Point} */ ([
      clamp(at[0] + dx * reach, before, width_px - long + before),
      clamp(at[1] + dy * reach, LETTER_PX * unit, height_px - LETTER_PX * unit),
    ]);
    // If the picture has no room beyond the arrow, put the name above it.
    if (side !== "middle" && beyond[0] !== at[0] + dx * reach) beyond[1] -= 14 * unit;
    const word = words(name, beyond, unit, "way");
    word.dataset.side = side;
    return [...inked(d, "arrow"), word];
  };
  return [...arrow(1, to_right), ...arrow(-1, to_left)];
}

/** @param {number} value @param {number} least @param {number} most */
const clamp = (value, least, most) => Math.min(Math.max(value, least), Math.max(least, most));

/** @param {Point[]} points @param {number} unit @param {number[]|null} errorsPx */
const references = (points, unit, errorsPx) =>
  points.flatMap(([x, y], at) => {
    const error = errorsPx?.[at];
    const text =
      error === undefined ? `${at + 1}` : t("traffic.px_off", { point: at + 1, px: error.toFixed(1) });
    return [...inked(crossAt([x, y], 9 * unit)), words(text, [x, y + 20 * unit], unit, "way")];
  });

/** @param {Page.Shape} shape @param {Point[]} points @param {number} unit @param {Size} size @returns {Point} */
function nameAt({ kind, name }, points, unit, { width_px }) {
  const [x, y] = points[0];
  const half = (name.length * LETTER_PX * unit) / 2;
  if (kind !== "zone") return [clamp(x, half, width_px - half), Math.max(y - 14 * unit, LETTER_PX * unit)];
  const sum = points.reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
  return [sum[0] / points.length, sum[1] / points.length];
}

/** @param {string} text @param {Point} at @param {number} unit @param {string} kind */
const words = (text, [x, y], unit, kind) =>
  svg("text", { class: `words ${kind}`, x, y, "font-size": 13 * unit, "stroke-width": 3.5 * unit, text });
