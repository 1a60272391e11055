// The chosen shape: its name, directions, validity and points. The fields stay in place while you type, so that you
// can move between them with the keyboard.

import { el } from "frametally/js/shared/dom.js";
import { fromInput, toInput } from "frametally/js/shared/format.js";
import { headingsOf, rowOf, tableOf } from "frametally/js/shared/tables.js";
import {
  KIND_NAMES,
  LIMITS,
  mayGrow,
  mayShrink,
  SIDES,
  withNewPoint,
  withoutPoint,
  withPoint,
} from "./shapes.js";
import { t } from "frametally/js/shared/texts.js";

/**
 * @typedef {Object} Hands
 * @property {(shape: Page.Shape, key?: string) => void} change
 * @property {(shape: Page.Shape) => void} remove
 * @property {() => number|null} pictureMs  event time of the picture in view
 */
/** @typedef {{form: string, element: HTMLElement, show: (shape: Page.Shape) => void}} Made */

export class Details {
  /** @param {HTMLElement} area @param {Hands} hands */
  constructor(area, hands) {
    this.area = area;
    this.hands = hands;
    /** @type {Made|null} */
    this.made = null;
  }

  /** @param {Page.Shape|null} shape */
  show(shape) {
    this.area.hidden = !shape;
    if (!shape) {
      this.made = null;
      return this.area.replaceChildren();
    }
    const { id, points, metres, sides_m: sides, distance_m: distance } = shape;
    const form = JSON.stringify([id, points.length, metres.length, sides.length, distance !== null]);
    if (this.made?.form !== form) {
      const made = makeForm(shape, this.hands);
      const had = this.area.contains(document.activeElement) ? document.activeElement?.ariaLabel : null;
      this.made = { ...made, form };
      this.area.replaceChildren(made.element);
      const named = [...this.area.querySelectorAll("[aria-label]")];
      const again = had && named.find((one) => one.ariaLabel === had);
      if (again instanceof HTMLElement) again.focus();
    }
    this.made.show(shape);
  }

  /** Moves the focus to the name. */
  focus() {
    const name = this.area.querySelector("input");
    name?.focus();
    name?.select();
  }
}

const TITLES = { line: t("traffic.line"), zone: t("web.zone"), calibration: t("traffic.calibration") };

/** @param {Page.Shape} first @param {Hands} hands */
function makeForm(first, hands) {
  let shape = first;
  /** @type {((now: Page.Shape) => void)[]} */
  const shows = [];
  /** @param {Partial<Page.Shape>} changes */
  const change = (changes) => hands.change({ ...shape, ...changes });
  /** @type {MakeField} */
  const field = (label, control, read, write) => {
    control.addEventListener("change", () => write(control.value));
    shows.push(keeping(control, read));
    return el("label.field", el("span.small.muted", label), control);
  };
  /** @param {string} label @param {"name"|"to_right"|"to_left"} name */
  const text = (label, name) =>
    field(
      label,
      el("input", { type: "text", maxlength: 100, autocomplete: "off", spellcheck: "false" }),
      (now) => now[name],
      (value) => change({ [name]: value.trim() }),
    );
  /** @param {string} label @param {"from_ms"|"to_ms"} name */
  const time = (label, name) =>
    field(
      label,
      el("input", { type: "datetime-local", step: 1 }),
      (now) => (now[name] === null ? "" : toInput(now[name])),
      (value) => change({ [name]: fromInput(value) }),
    );
  /** @param {string} label @param {"from_ms"|"to_ms"} name */
  const fromPicture = (label, name) =>
    el("button.link", { onclick: () => change({ [name]: hands.pictureMs() }) }, label);
  /** @type {HTMLElement[]} */
  const parts = [text(t("traffic.name"), "name")];
  if (first.kind === "line") parts.push(...lineFields(field, text, change));
  if (first.kind === "calibration") parts.push(...calibrationFields(field, () => shape, hands));
  const removeWords = t("traffic.remove_this", { kind: KIND_NAMES[first.kind] });
  const element = el(
    "div.details",
    el("h2", TITLES[first.kind]),
    ...parts,
    time(t("traffic.holds_from_empty_always"), "from_ms"),
    fromPicture(t("traffic.from_this_picture_on"), "from_ms"),
    time(t("traffic.holds_until_empty_for_good"), "to_ms"),
    fromPicture(t("traffic.until_this_picture"), "to_ms"),
    pointsTable(() => shape, first, hands, shows),
    el("button.button", { onclick: () => hands.remove(shape) }, removeWords),
  );
  /** @param {Page.Shape} now */
  const show = (now) => {
    shape = now;
    for (const one of shows) one(now);
  };
  return { element, show };
}

/** @typedef {(label: string, control: HTMLInputElement|HTMLSelectElement, read: (now: Page.Shape) => string, write: (value: string) => void) => HTMLElement} MakeField */

/**
 * @param {MakeField} field
 * @param {(label: string, name: "to_right"|"to_left") => HTMLElement} text
 * @param {(changes: Partial<Page.Shape>) => void} change
 */
function lineFields(field, text, change) {
  /** @param {string} label @param {"inward"|"side"} name @param {string[][]} options */
  const choice = (label, name, options) =>
    field(
      label,
      el("select", ...options.map(([value, words]) => el("option", { value }, words))),
      (now) => now[name] ?? "",
      (value) => change({ [name]: value || null }),
    );
  return [
    el(
      "div.pair",
      text(t("traffic.to_the_right_is_called"), "to_right"),
      text(t("traffic.to_the_left_is_called"), "to_left"),
    ),
    el(
      "div.pair",
      choice(t("traffic.leg_of_a_junction"), "inward", [
        ["", t("traffic.no_leg")],
        ["to_right", t("traffic.in_to_the_right")],
        ["to_left", t("traffic.in_to_the_left")],
      ]),
      choice(t("traffic.lies_in_the"), "side", [
        ["", t("traffic.not_said")],
        ...SIDES.map((side) => [side, side]),
      ]),
    ),
  ];
}

/** @param {MakeField} field @param {() => Page.Shape} shapeNow @param {Hands} hands */
function calibrationFields(field, shapeNow, hands) {
  const { points, sides_m: sides } = shapeNow();
  const input = () => el("input", { type: "number", step: "any", min: 0 });
  if (sides.length) {
    /** @param {number} at @param {0|1} side */
    const length = (at, side) =>
      field(
        side ? t("traffic.second_side_m") : t("traffic.first_side_m"),
        input(),
        (now) => numberText(now.sides_m[at]?.[side]),
        (value) => {
          const now = shapeNow();
          const changed = now.sides_m.with(
            at,
            /** @type {any} */ (now.sides_m[at].with(side, numberIn(value))),
          );
          hands.change({ ...now, sides_m: changed });
        },
      );
    return sides.map((_, at) => el("div.pair", length(at, 0), length(at, 1)));
  }
  if (points.length === 2) {
    return [
      field(
        t("traffic.metres_between_the_two_points"),
        input(),
        (now) => numberText(now.distance_m),
        (value) => hands.change({ ...shapeNow(), distance_m: numberIn(value), metres: [] }),
      ),
      el("p.small.muted", t("traffic.a_rough_scale_with_four_points")),
    ];
  }
  if (points.length !== 4) return [];
  const onclick = () =>
    hands.change({ ...shapeNow(), metres: [], distance_m: null, sides_m: [[null, null]] });
  return [el("button.link", { onclick }, t("traffic.it_is_a_rectangle_whose_sides"))];
}

/**
 * @param {() => Page.Shape} shapeNow
 * @param {Page.Shape} first
 * @param {Hands} hands
 * @param {((now: Page.Shape) => void)[]} shows
 */
function pointsTable(shapeNow, first, hands, shows) {
  const hasMetres = first.kind === "calibration" && !first.sides_m.length && first.points.length > 2;
  /** @param {number} at @param {0|1} axis @param {"points"|"metres"} of @param {string} label */
  const cell = (at, axis, of, label) => {
    const control = el("input", {
      type: "number",
      step: "any",
      "aria-label": t("traffic.of_point", { label, at: at + 1 }),
      onchange: () => {
        const now = shapeNow();
        const value = numberIn(control.value);
        if (of === "metres") {
          const metres = now.points.map((_, index) => now.metres[index] ?? [null, null]);
          metres[at] = /** @type {any} */ (metres[at].with(axis, value));
          hands.change({ ...now, metres });
        } else if (value !== null) {
          hands.change(withPoint(now, at, /** @type {any} */ (now.points[at].with(axis, value))));
        }
      },
    });
    shows.push(keeping(control, (now) => numberText(now[of][at]?.[axis])));
    return el("td", control);
  };
  /** @param {number} at */
  const removal = (at) => {
    const name = t("traffic.remove_point", { at: at + 1 });
    const onclick = () => hands.change(withoutPoint(shapeNow(), at));
    return el("button.link", { "aria-label": name, disabled: !mayShrink(first), onclick }, "×");
  };
  const add = () => hands.change(withNewPoint(shapeNow(), shapeNow().points.length - 1));
  const rows = first.points.map((_, at) =>
    rowOf(
      String(at + 1),
      cell(at, 0, "points", "x"),
      cell(at, 1, "points", "y"),
      ...(hasMetres
        ? [cell(at, 0, "metres", t("traffic.metres_x")), cell(at, 1, "metres", t("traffic.metres_y"))]
        : []),
      el("td", removal(at)),
    ),
  );
  const names = ["", "x, px", "y, px", ...(hasMetres ? ["x, m", "y, m"] : []), ""];
  const kind = LIMITS[first.kind].closed ? t("traffic.corners") : t("traffic.points");
  return el(
    "details.points",
    { open: first.kind === "calibration" },
    el("summary", `${first.points.length} ${kind}`),
    tableOf({ headings: headingsOf(names, () => false), rows }),
    mayGrow(first) && el("button.link", { onclick: add }, t("traffic.add_a_point")),
  );
}

/** @param {number|null|undefined} value */
const numberText = (value) => (value === null || value === undefined ? "" : String(value));

/** @param {string} text */
function numberIn(text) {
  const value = Number(text);
  return text.trim() === "" || !Number.isFinite(value) ? null : value;
}

/**
 * Updates a control from the shape, unless you are typing in it; the shape takes that text when the field loses
 * focus.
 * @param {HTMLInputElement|HTMLSelectElement} control
 * @param {(now: Page.Shape) => string} read
 * @returns {(now: Page.Shape) => void}
 */
function keeping(control, read) {
  let isTyped = false;
  control.addEventListener("input", () => (isTyped = true));
  control.addEventListener("change", () => (isTyped = false), { capture: true });
  return (now) => {
    if (!isTyped && control.value !== read(now)) control.value = read(now);
  };
}
