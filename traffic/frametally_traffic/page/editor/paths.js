// The paths of a day, beneath what is drawn: where objects went, where they began (rings) and ended (dots).

import { get } from "frametally/js/shared/api.js";
import { svg } from "frametally/js/shared/dom.js";
import { startOf } from "frametally/js/shared/time.js";

const DAY_MS = 86_400_000;
const MOST = "250";

/**
 * The paths of the day that holds a moment.
 * @param {string} source
 * @param {number} ms
 * @param {string|null} model
 */
export function askPaths(source, ms, model) {
  const from = startOf(ms, "day");
  const query = new URLSearchParams({ source, from: String(from), to: String(from + DAY_MS), limit: MOST });
  if (model) query.set("model", model);
  return get("paths", query);
}

/**
 * The layer, in pixels of the picture that is shown.
 * @param {Api.Paths} paths
 * @param {{width_px: number, height_px: number}} size
 * @param {number} unit  pixels of the picture in one of the screen
 * @param {Page.ColorOf} colorOf
 */
export function layerOf(paths, size, unit, colorOf) {
  const [byX, byY] = [
    size.width_px / (paths.width_px ?? size.width_px),
    size.height_px / (paths.height_px ?? size.height_px),
  ];
  const parts = paths.paths.flatMap(({ label, began, ended, path }) => {
    const points = path.map(([, x, y]) => [x * byX, y * byY]);
    const color = colorOf(label);
    const way = svg("path", { d: `M${points.map((point) => point.join(" ")).join("L")}`, stroke: color });
    /** @param {number} at @param {string} kind */
    const end = (at, kind) => {
      const [cx, cy] = points.at(at) ?? [0, 0];
      const fill = kind === "ended" ? color : "none";
      return svg("circle", { class: kind, cx, cy, r: 3.5 * unit, stroke: color, fill });
    };
    // Of one that goes on beyond the day, that end is none.
    return [way, began === "hour" ? null : end(0, "began"), ended === "hour" ? null : end(-1, "ended")];
  });
  return svg("g", { class: "paths", "aria-hidden": "true" }, ...parts);
}

/**
 * What of them is shown, in words.
 * @param {Api.Paths} paths
 */
export function pathsWords({ paths, paths_left_out: left, note, model }) {
  if (note) return note;
  if (model === null) return "Nothing is counted yet: there are no paths.";
  if (!paths.length) return "No object was followed on this day.";
  const all = left ? `${paths.length} of ${paths.length + left} paths` : `${paths.length} paths`;
  return `${all} of this day: a ring where one began, a dot where it ended.`;
}
