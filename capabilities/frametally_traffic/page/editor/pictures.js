// The surroundings of the drawing: the picture under it, a day's paths, and the list of shapes.

import { holdsAt } from "frametally/js/frames/shapes_over.js";
import { withValues } from "frametally/js/shared/address.js";
import { get } from "frametally/js/shared/api.js";
import { byId, control, el, svg } from "frametally/js/shared/dom.js";
import { fromInput, moment, toInput, toTheMinute } from "frametally/js/shared/format.js";
import { plus, startOf } from "frametally/js/shared/time.js";
import { fits, KIND_NAMES, runsAlongBorder } from "./shapes.js";
import { joined, t } from "frametally/js/shared/texts.js";

/** @type {Record<string, Parameters<typeof plus>[1]>} */
const STEPS = {
  second: { seconds: 1 },
  minute: { minutes: 1 },
  hour: { hours: 1 },
  day: { days: 1 },
};

/** @param {(ms: number) => void} onChoose */
export function choosePicture(onChoose) {
  const time = control("picture-time", HTMLInputElement);
  const step = control("picture-step", HTMLSelectElement);
  /** @type {number|null} */
  let now = null;
  time.addEventListener("change", () => {
    const ms = fromInput(time.value);
    if (ms !== null) onChoose(ms);
  });
  /** @param {1|-1} sign */
  const go = (sign) => {
    if (now === null) return;
    const by = Object.entries(STEPS[step.value] ?? STEPS.minute).map(([unit, count]) => [unit, count * sign]);
    onChoose(plus(now, Object.fromEntries(by)));
  };
  byId("picture-earlier").addEventListener("click", () => go(-1));
  byId("picture-later").addEventListener("click", () => go(1));
  return {
    /** @param {Api.StoredPicture} picture */
    show(picture) {
      now = picture.captured_at_ms;
      time.value = now === null ? "" : toInput(now);
      byId("picture-words").textContent =
        now === null ? "" : t("traffic.picture_of_time", { now: moment(now) });
    },
  };
}

const DAY_MS = 86_400_000;
const MOST = 250;

/**
 * Requests the paths of the day that contains a moment.
 * @param {string} source
 * @param {number} ms
 * @param {string|null} model
 */
export function askPaths(source, ms, model) {
  const from = startOf(ms, "day");
  return get("paths", withValues("", { source, from, to: from + DAY_MS, limit: MOST, model }));
}

/**
 * The paths, in pixels of the picture in view.
 * @param {Api.Paths} paths
 * @param {{width_px: number, height_px: number}} size
 * @param {number} unit  picture pixels per screen pixel
 * @param {Page.ColorOf} colorOf
 */
export function layerOf(paths, size, unit, colorOf) {
  const byX = size.width_px / (paths.width_px ?? size.width_px);
  const byY = size.height_px / (paths.height_px ?? size.height_px);
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
    // A path that continues into another day does not have that end.
    return [way, began === "hour" ? null : end(0, "began"), ended === "hour" ? null : end(-1, "ended")];
  });
  return svg("g", { class: "paths", "aria-hidden": "true" }, ...parts);
}

/** Which of the paths are shown, in words. @param {Api.Paths} paths */
export function pathsWords({ paths, paths_left_out: left, note, model }) {
  if (note) return note;
  if (model === null) return t("traffic.nothing_is_counted_yet_there_are");
  if (!paths.length) return t("traffic.no_object_was_followed_on_this");
  const { length } = paths;
  const all = left
    ? t("traffic.of_paths", { length, length2: length + left })
    : t("traffic.paths", { length });
  return t("traffic.of_this_day_a_ring_where", { all });
}

const SIGNS = { line: "/", zone: "▱", calibration: "+" };

/**
 * @param {Page.Shape[]} shapes
 * @param {Page.Shape|null} chosen
 * @param {{atMs: number|null, width_px: number, height_px: number}} picture  its event time and size
 * @param {(id: number) => void} choose
 */
export function shapeList(shapes, chosen, picture, choose) {
  if (!shapes.length) return el("p.muted", t("traffic.nothing_is_drawn_yet"));
  const items = shapes.map((one) => {
    const when = whenOf(one);
    const remark =
      (!holdsAt(one, picture.atMs) && t("traffic.not_in_this_picture")) ||
      (!fits(one, picture) && t("traffic.drawn_over_another_shape")) ||
      (runsAlongBorder(one) && t("traffic.runs_along_the_border"));
    const pressed = { "aria-pressed": String(one.id === chosen?.id), onclick: () => choose(one.id) };
    return el(
      "li",
      el(
        `button.shape-item.${one.kind}`,
        pressed,
        el("span.shape-sign", { "aria-hidden": "true" }, SIGNS[one.kind]),
        el("span.name", one.name || t("traffic.no_name")),
        el("span.muted.small", joined([KIND_NAMES[one.kind], when], ", ")),
        remark && el("span.remark", remark),
      ),
    );
  });
  return el("ul.shape-list", ...items);
}

/** @param {Page.Shape} shape */
function whenOf({ from_ms: from, to_ms: to }) {
  if (from !== null && to !== null) return t("traffic.to", { from: toTheMinute(from), to: toTheMinute(to) });
  if (from !== null) return t("traffic.from", { from: toTheMinute(from) });
  return to === null ? "" : t("traffic.until", { to: toTheMinute(to) });
}
