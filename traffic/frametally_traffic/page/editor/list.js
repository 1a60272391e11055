// All that is drawn, by name: each is chosen by a click.

import { el } from "frametally/js/shared/dom.js";
import { toTheMinute } from "frametally/js/shared/format.js";
import { holdsAt } from "./shapes.js";

const SIGNS = { line: "/", zone: "▱", calibration: "+" };

/**
 * @param {Page.Shape[]} shapes
 * @param {Page.Shape|null} chosen
 * @param {number|null} atMs  when the picture is of
 * @param {(id: number) => void} choose
 */
export function shapeList(shapes, chosen, atMs, choose) {
  if (!shapes.length) return el("p", { class: "muted", text: "Nothing is drawn yet." });
  const items = shapes.map((one) => {
    const when = whenOf(one);
    return el(
      "li",
      {},
      el(
        "button",
        {
          type: "button",
          class: `shape-item ${one.kind}`,
          "aria-pressed": String(one.id === chosen?.id),
          onclick: () => choose(one.id),
        },
        el("span", { class: "shape-sign", "aria-hidden": "true", text: SIGNS[one.kind] }),
        el("span", { class: "name", text: one.name || "(no name)" }),
        el("span", { class: "muted small", text: [one.kind, when].filter(Boolean).join(", ") }),
        holdsAt(one, atMs) ? null : el("span", { class: "remark", text: "not in this picture" }),
      ),
    );
  });
  return el("ul", { class: "shape-list" }, ...items);
}

/** @param {Page.Shape} shape */
function whenOf({ from_ms: from, to_ms: to }) {
  if (from !== null && to !== null) return `${toTheMinute(from)} to ${toTheMinute(to)}`;
  if (from !== null) return `from ${toTheMinute(from)}`;
  return to === null ? "" : `until ${toTheMinute(to)}`;
}
