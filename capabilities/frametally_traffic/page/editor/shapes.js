// The drawing in the editor: one flat form for lines, zones and calibrations, and functions that change it.

import { t } from "frametally/js/shared/texts.js";

const MOST = 200;

/** @template T */
export class History {
  /** @param {T} first */
  constructor(first) {
    this.now = first;
    /** @type {T[]} */
    this.past = [];
    /** @type {T[]} */
    this.future = [];
    this.key = "";
  }

  /**
   * Adds a step. Undo treats consecutive steps with the same key as one, for example a point moved with arrow keys.
   * @param {T} next
   * @param {string} [key]
   */
  put(next, key = "") {
    if (next === this.now) return;
    if (!key || key !== this.key) this.past = [...this.past, this.now].slice(-MOST);
    this.future = [];
    this.key = key;
    this.now = next;
  }

  undo() {
    const before = this.past.at(-1);
    if (before === undefined) return;
    this.future.push(this.now);
    this.past = this.past.slice(0, -1);
    this.key = "";
    this.now = before;
  }

  redo() {
    const after = this.future.pop();
    if (after === undefined) return;
    this.past = [...this.past, this.now];
    this.key = "";
    this.now = after;
  }
}

/** @typedef {[x: number, y: number]} Point */
/** @typedef {{width_px: number, height_px: number}} Size */

export const KINDS = /** @type {const} */ (["line", "zone", "calibration"]);
/** The name of a kind, for use within a sentence. */
export const KIND_NAMES = {
  line: t("traffic.kind_line"),
  zone: t("traffic.zone"),
  calibration: t("traffic.kind_calibration"),
};
/** @type {Record<Page.ShapeKind, {fewest: number, most: number, closed: boolean}>} */
export const LIMITS = {
  line: { fewest: 2, most: 8, closed: false },
  zone: { fewest: 3, most: 32, closed: true },
  calibration: { fewest: 2, most: 32, closed: false },
};
export const SIDES = /** @type {const} */ (["N", "NE", "E", "SE", "S", "SW", "W", "NW"]);

let lastId = 0;

/**
 * @param {Page.ShapeKind} kind
 * @param {string} name
 * @param {Point[]} points  in pixels of a picture of that size
 * @param {Size} size
 * @returns {Page.Shape}
 */
export const newShape = (kind, name, points, { width_px, height_px }) => ({
  id: ++lastId,
  kind,
  name,
  from_ms: null,
  to_ms: null,
  width_px,
  height_px,
  points,
  to_right: "forward",
  to_left: "backward",
  inward: null,
  side: null,
  metres: kind === "calibration" && points.length > 2 ? points.map(() => [null, null]) : [],
  sides_m: [],
  distance_m: null,
});

/** Converts an API answer to shapes. @param {Api.SourceDrawing} drawing @returns {Page.Shape[]} */
export function shapesOf({ lines, zones, calibrations }) {
  /** @param {Page.ShapeKind} kind @param {any} one */
  const made = (kind, one) => ({ ...newShape(kind, one.name, [], one), ...one, kind });
  return [
    ...lines.map((one) => made("line", one)),
    ...zones.map((one) => made("zone", one)),
    ...calibrations.map(({ rectangles = [], points = [], ...rest }) => ({
      ...made("calibration", rest),
      points: rectangles.length ? rectangles.flatMap((one) => one.points) : points,
      sides_m: rectangles.map((one) => one.sides_m),
    })),
  ];
}

/** Converts shapes to the API's form of a drawing. @param {Page.Shape[]} shapes */
export function drawingOf(shapes) {
  /** @param {Page.ShapeKind} kind */
  const of = (kind) => shapes.filter((one) => one.kind === kind).map(bodyOf);
  return { lines: of("line"), zones: of("zone"), calibrations: of("calibration") };
}

/** Converts a shape to the API's form. @param {Page.Shape} shape */
export function bodyOf({ kind, name, from_ms, to_ms, width_px, height_px, points, ...rest }) {
  const common = { name, from_ms, to_ms, width_px, height_px };
  const { to_right, to_left, inward, side, metres, sides_m, distance_m } = rest;
  if (kind === "line") return { ...common, points, to_right, to_left, inward, side };
  if (kind === "zone") return { ...common, points };
  if (!sides_m.length) return { ...common, points, metres, distance_m };
  const rectangles = sides_m.map((sides, at) => ({
    points: points.slice(4 * at, 4 * at + 4),
    sides_m: sides,
  }));
  return { ...common, rectangles };
}

/** The fields that are still missing, as a sentence; empty if the shape is complete. @param {Page.Shape} shape */
export function lackOf({ kind, name, metres, sides_m }) {
  if (!name.trim()) return t("traffic.a_has_no_name_give_it", { kind: KIND_NAMES[kind] });
  const empty = [...metres, ...sides_m].findIndex((pair) => pair.some((value) => value === null));
  if (empty < 0) return "";
  const what = sides_m.length
    ? t("traffic.sides_of_rectangle", { empty: empty + 1 })
    : t("traffic.metres_of_point", { empty: empty + 1 });
  return t("traffic.lacks_the_fill_them_in_or", { kind: KIND_NAMES[kind], name, what });
}

/** The first unused name of a kind. @param {Page.ShapeKind} kind @param {Page.Shape[]} shapes */
export function freeName(kind, shapes) {
  const names = new Set(shapes.map(({ name }) => name));
  for (let number = 1; ; number += 1) if (!names.has(`${kind} ${number}`)) return `${kind} ${number}`;
}

/**
 * Moves one point, within the picture and to whole pixels.
 * @param {Page.Shape} shape
 * @param {number} at
 * @param {Point} point
 */
export const withPoint = (shape, at, point) => ({
  ...shape,
  points: shape.points.map((old, index) => (index === at ? within(point, shape) : old)),
});

/**
 * Moves the whole shape, as far as it stays within the picture.
 * @param {Page.Shape} shape
 * @param {Point} by
 * @returns {Page.Shape}
 */
export function movedBy(shape, [dx, dy]) {
  const xs = shape.points.map(([x]) => x);
  const ys = shape.points.map(([, y]) => y);
  const x = Math.round(Math.min(Math.max(dx, -Math.min(...xs)), shape.width_px - Math.max(...xs)));
  const y = Math.round(Math.min(Math.max(dy, -Math.min(...ys)), shape.height_px - Math.max(...ys)));
  return { ...shape, points: shape.points.map(([px, py]) => [px + x, py + y]) };
}

/** Whether you can add or delete points: rectangles keep their four corners. @param {Page.Shape} shape */
export const mayGrow = (shape) => !shape.sides_m.length && shape.points.length < LIMITS[shape.kind].most;

/** @param {Page.Shape} shape */
export const mayShrink = (shape) => !shape.sides_m.length && shape.points.length > LIMITS[shape.kind].fewest;

/**
 * Adds a point after another one; a calibration adds it at the end.
 * @param {Page.Shape} shape
 * @param {number} behind
 * @param {Point} [point]  by default, halfway to the next one
 * @returns {Page.Shape}
 */
export function withNewPoint(shape, behind, point = middleBehind(shape, behind)) {
  const points = shape.points.toSpliced(behind + 1, 0, within(point, shape));
  if (shape.kind !== "calibration") return { ...shape, points };
  // Two points with a distance are a scale; a third point turns it into points with metres.
  const metres = points.map((_, at) => shape.metres[at <= behind ? at : at - 1] ?? [null, null]);
  metres[behind + 1] = [null, null];
  return { ...shape, points, metres, distance_m: null };
}

/**
 * Deletes one of the points.
 * @param {Page.Shape} shape
 * @param {number} at
 * @returns {Page.Shape}
 */
export function withoutPoint(shape, at) {
  const points = shape.points.toSpliced(at, 1);
  const metres = points.length > 2 && shape.metres.length ? shape.metres.toSpliced(at, 1) : [];
  return { ...shape, points, metres };
}

/**
 * The point halfway to the next one, or next to the last one.
 * @param {Page.Shape} shape
 * @param {number} behind
 * @returns {Point}
 */
export function middleBehind({ kind, points, width_px }, behind) {
  const [x, y] = points[behind];
  const next = LIMITS[kind].closed ? points[(behind + 1) % points.length] : points[behind + 1];
  return next
    ? [(x + next[0]) / 2, (y + next[1]) / 2]
    : [x + (x < width_px / 2 ? 1 : -1) * width_px * 0.05, y];
}

/**
 * Where a line's direction arrows are, and which way `to_right` points: to the right of someone who walks from its
 * first point to its last.
 * @param {Point[]} points
 * @returns {{at: Point, right: Point}}
 */
export function directionOf(points) {
  const steps = points.slice(1).map(([x, y], at) => Math.hypot(x - points[at][0], y - points[at][1]));
  const half = steps.reduce((sum, step) => sum + step, 0) / 2;
  let at = 0;
  let passed = 0;
  while (at < steps.length - 1 && passed + steps[at] < half) passed += steps[at++];
  const [[x, y], [nextX, nextY]] = [points[at], points[at + 1]];
  const step = steps[at] || 1;
  const part = Math.min(Math.max((half - passed) / step, 0), 1);
  return {
    at: [x + (nextX - x) * part, y + (nextY - y) * part],
    right: [-(nextY - y) / step, (nextX - x) / step],
  };
}

/**
 * Whether a picture has the proportions of the one that you drew over; otherwise the shape is not counted. Same as
 * `has_one_shape` in frametally/rules/places.py.
 * @param {Size} drawn
 * @param {Size} picture
 */
export function fits(drawn, picture) {
  const [small, large] = [drawn, picture].sort(
    (a, b) => a.width_px - b.width_px || a.height_px - b.height_px,
  );
  const off = Math.abs(small.width_px * large.height_px - small.height_px * large.width_px);
  return off <= Math.max(0.01 * small.height_px * large.width_px, (large.width_px + large.height_px) / 2);
}

/**
 * Whether a whole line is so close to one side of the picture that boxes are cut off there. Same as
 * `runs_along_border` in frametally_traffic/drawings/drawing_checks.py.
 * @param {Page.Shape} shape
 */
export function runsAlongBorder({ kind, points, width_px, height_px }) {
  if (kind !== "line") return false;
  const sides = [points.map(([x]) => x / width_px), points.map(([, y]) => y / height_px)];
  return sides.some((along) => Math.max(...along) < 1 / 20 || Math.min(...along) > 1 - 1 / 20);
}

/** A point clamped to the picture, in whole pixels. @param {Point} point @param {Size} size @returns {Point} */
export const within = ([x, y], { width_px, height_px }) => [
  Math.min(Math.max(Math.round(x), 0), width_px),
  Math.min(Math.max(Math.round(y), 0), height_px),
];
