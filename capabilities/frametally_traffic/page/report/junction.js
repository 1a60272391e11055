// The junction: its legs over a frame, and a diagram of its movements with north at the top.

import { svg } from "frametally/js/shared/dom.js";
import { number } from "frametally/js/shared/format.js";
import { themeColor } from "frametally/js/shared/palette.js";
import { framePicture } from "frametally/js/frames/boxed_picture.js";
import { shapesOver } from "frametally/js/frames/shapes_over.js";
import { columnsOf, MOTOR, sumWords, totalsOf } from "./tables.js";
import { t } from "frametally/js/shared/texts.js";

/** @typedef {Api.Traffic} Report */
/** @typedef {[x: number, y: number]} Place */

const SIDES = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"];
const SIZE = 400;
const MIDDLE = SIZE / 2;
const ROAD = { from: 20, to: 128 };
const LANE = 10;
const WIDEST = 13;
const COLORS = 6;
/** Room for the names on both sides of the diagram. */
const MARGIN = 90;

/**
 * A frame with the legs' lines, their names, and arrows that point into the junction; `null` if there is no frame.
 * @param {Report} report
 */
export function junctionPicture({ image_url: url, legs, name }) {
  if (!url) return null;
  const [{ width_px, height_px }] = legs;
  const lines = legs.map((leg) => ({
    ...leg,
    points: leg.inward === "to_left" ? leg.points.toReversed() : leg.points,
    name: leg.side ? `${leg.name} (${leg.side})` : leg.name,
  }));
  const frame = { image_url: url, width_px, height_px, boxes: [], over: shapesOver({ lines }) };
  const alt = t("traffic.the_junction_with_its_legs", { name });
  return framePicture(frame, () => "", { alt, sizes: "480px" });
}

/** Whether each leg is on a different side: only then is north known. @param {Report} report */
export const knowsNorth = ({ legs }) =>
  legs.every(({ side }) => side) && new Set(legs.map(({ side }) => side)).size === legs.length;

/** Motor vehicles by movement; the width shows their number. @param {Report} report */
export function junctionDiagram(report) {
  const { legs, movements } = report;
  const isNorthUp = knowsNorth(report);
  /** @type {Map<string, number>} */
  const angles = new Map();
  legs.forEach(({ name, side }, order) => {
    const turn = isNorthUp ? SIDES.indexOf(side ?? "N") / SIDES.length : order / legs.length;
    angles.set(name, 2 * Math.PI * turn);
  });
  const order = legs.map(({ name }) => name);
  const totals = totalsOf(report, columnsOf(report, MOTOR)).map((total) => total ?? 0);
  const most = Math.max(...totals, 1);
  const flows = movements.flatMap(({ from_leg: from, to_leg: to }, at) => {
    if (!totals[at]) return [];
    const line = svg("path", {
      class: "flow",
      d: wayOf(angles.get(from) ?? 0, angles.get(to) ?? 0),
      stroke: themeColor(`series-${order.indexOf(from) % COLORS}`),
      "stroke-width": 1 + ((WIDEST - 1) * totals[at]) / most,
    });
    line.append(
      svg("title", { text: t("traffic.from_to_totals", { from, to, totals: number(totals[at]) }) }),
    );
    return [{ line, total: totals[at] }];
  });
  flows.sort((a, b) => b.total - a.total);
  const viewBox = `${-MARGIN} 0 ${SIZE + 2 * MARGIN} ${SIZE}`;
  const words = t("traffic.motor_vehicles_by_movement_the_tables");
  return svg(
    "svg",
    { class: "diagram", viewBox, role: "img", "aria-label": words },
    ...[...angles.values()].map((angle) => {
      const [[x1, y1], [x2, y2]] = [at(angle, ROAD.from), at(angle, ROAD.to)];
      return svg("line", { class: "road", x1, y1, x2, y2 });
    }),
    svg("circle", { class: "middle", cx: MIDDLE, cy: MIDDLE, r: 33 }),
    ...flows.map(({ line }) => line),
    ...legs.flatMap((leg) => nameOf(leg, angles.get(leg.name) ?? 0)),
    ...(isNorthUp ? northArrow() : []),
  );
}

/** @param {Api.JunctionLeg} leg @param {number} angle */
function nameOf({ name, came_over: came, went_over: went, missing }, angle) {
  // Names are wider than they are high.
  const [x, y] = at(angle, ROAD.to + 30 + 52 * Math.abs(Math.sin(angle)));
  const shown = name.length > 18 ? `${name.slice(0, 17)}…` : name;
  const counts = t("traffic.in_out", { came: sumWords(came, missing), went: sumWords(went, missing) });
  return [
    svg("text", { class: "leg-name", x, y: y - 10, text: shown }),
    svg("text", { class: "leg-counts", x, y: y + 11, text: counts }),
  ];
}

/**
 * The path from one leg through the centre to another; both directions of a leg keep apart.
 * @param {number} from  clockwise from north
 * @param {number} to
 */
function wayOf(from, to) {
  const [start, before] = [at(from, ROAD.to, -LANE), at(from, 42, -LANE)];
  const [after, end] = [at(to, 42, LANE), at(to, ROAD.to, LANE)];
  const bend = from === to ? at(from, 6) : /** @type {Place} */ ([MIDDLE, MIDDLE]);
  const text = (/** @type {Place} */ [x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`;
  return `M${text(start)}L${text(before)}Q${text(bend)} ${text(after)}L${text(end)}`;
}

/**
 * A point at a distance from the centre, and a distance to the right of someone who looks outwards.
 * @param {number} angle
 * @param {number} out
 * @param {number} [right]
 * @returns {Place}
 */
const at = (angle, out, right = 0) => [
  MIDDLE + Math.sin(angle) * out + Math.cos(angle) * right,
  MIDDLE - Math.cos(angle) * out + Math.sin(angle) * right,
];

const northArrow = () => [
  svg("path", { class: "north", d: `M${SIZE + 44} 14l9 26l-9 -6l-9 6z` }),
  svg("text", { class: "leg-name", x: SIZE + 44, y: 52, text: "N" }),
];
