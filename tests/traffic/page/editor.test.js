import "../../../simple_frontend/tests/browser.js";

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  directionOf,
  drawingOf,
  freeName,
  History,
  lackOf,
  movedBy,
  newShape,
  runsAlongBorder,
  shapesOf,
  withNewPoint,
  withoutPoint,
  withPoint,
} from "../../../capabilities/frametally_traffic/page/editor/shapes.js";
import { areSame, merged, namedIn } from "../../../capabilities/frametally_traffic/page/editor/saving.js";

const SIZE = { width_px: 640, height_px: 480 };
/** @param {string} name @param {Partial<Page.Shape>} [changes] @returns {Page.Shape} */
const line = (name, changes = {}) => ({
  ...newShape(
    "line",
    name,
    [
      [0, 0],
      [100, 0],
    ],
    SIZE,
  ),
  ...changes,
});

test("steps are undone and done again, and those of one key are one", () => {
  const history = new History(0);
  history.put(1);
  history.put(2, "arrow");
  history.put(3, "arrow");
  history.put(4, "other");
  history.undo();
  assert.equal(history.now, 3);
  history.undo();
  assert.equal(history.now, 1);
  history.redo();
  assert.equal(history.now, 3);
  history.put(5, "arrow"); // a separate key press
  assert.deepEqual(history.future, []);
  history.undo();
  assert.equal(history.now, 3);
  for (let times = 0; times < 9; times += 1) history.undo();
  assert.equal(history.now, 0);
});

test("what comes from the store goes back to it as it was", () => {
  const common = { ...SIZE, from_ms: 5, to_ms: null };
  const drawing = {
    lines: [
      {
        ...common,
        name: "l",
        points: [
          [1, 2],
          [3, 4],
        ],
        to_right: "in",
        to_left: "out",
        inward: "to_right",
        side: "N",
      },
    ],
    zones: [
      {
        ...common,
        name: "z",
        points: [
          [0, 0],
          [9, 0],
          [9, 9],
        ],
      },
    ],
    calibrations: [
      {
        ...common,
        name: "p",
        points: [[1, 1]],
        metres: [],
        distance_m: null,
      },
      {
        ...common,
        name: "r",
        rectangles: [
          {
            points: [
              [0, 0],
              [9, 0],
              [9, 9],
              [0, 9],
            ],
            sides_m: [2, 5],
          },
        ],
      },
    ],
  };
  assert.deepEqual(drawingOf(shapesOf(/** @type {any} */ (drawing))), drawing);
});

test("who walks along a line has its right on the right hand, whichever way it is turned", () => {
  for (const [end, right] of /** @type {[[number, number], [number, number]][]} */ ([
    [
      [10, 0],
      [0, 1],
    ],
    [
      [-10, 0],
      [0, -1],
    ],
    [
      [0, 10],
      [-1, 0],
    ],
  ])) {
    const found = directionOf([[0, 0], end]);
    assert.deepEqual(
      found.right.map((part) => part + 0),
      right,
    );
    assert.deepEqual(found.at, [end[0] / 2, end[1] / 2]);
  }
});

test("nothing leaves the picture, and what is moved keeps its form", () => {
  assert.deepEqual(withPoint(line("a"), 1, [900.4, -5]).points[1], [640, 0]);
  assert.deepEqual(movedBy(line("a"), [-50, 30.4]).points, [
    [0, 30],
    [100, 30],
  ]);
  assert.deepEqual(movedBy(line("a"), [9999, 9999]).points, [
    [540, 480],
    [640, 480],
  ]);
});

test("a calibration's metres stay with their points", () => {
  const points = /** @type {[number, number][]} */ ([
    [0, 0],
    [1, 0],
    [1, 1],
  ]);
  const made = newShape("calibration", "c", points, SIZE);
  made.metres = [
    [0, 0],
    [1, 0],
    [1, 1],
  ];
  const grown = withNewPoint(made, 2, [5, 5]);
  assert.deepEqual(grown.metres, [...made.metres, [null, null]]);
  assert.equal(
    lackOf(grown),
    "The calibration c lacks the coordinates in metres for point 4: enter what is missing, or delete the point or rectangle.",
  );
  assert.deepEqual(withoutPoint(grown, 1).metres, [
    [0, 0],
    [1, 1],
    [null, null],
  ]);
  assert.equal(lackOf(made), "");
});

test("of two who draw both changes go together, and what both have changed is named", () => {
  const [a, b, c] = [line("a"), line("b"), line("c")];
  const base = [a, b, c];
  const mine = [{ ...a, to_right: "in" }, b, line("new")];
  const theirs = [a, { ...b, to_left: "out" }, c];
  const first = merged(base, mine, theirs);
  assert.deepEqual(first.both, []);
  assert.deepEqual(first.shapes.map(({ name, to_right, to_left }) => [name, to_right, to_left]).sort(), [
    ["a", "in", "backward"],
    ["b", "forward", "out"],
    ["new", "forward", "backward"],
  ]);
  const second = merged(base, mine, [{ ...a, to_right: "up" }, b, c]);
  assert.deepEqual(second.both, ["a"]);
  assert.equal(second.shapes.find(({ name }) => name === "a")?.to_right, "in");
  assert.ok(areSame(merged(base, base, theirs).shapes, theirs));
  assert.deepEqual(merged(base, theirs, theirs).both, []);
});

test("the shape that an error names is found", () => {
  const shapes = [line("a"), line("a long one"), newShape("zone", "a", [], SIZE)];
  assert.equal(namedIn("line 'a long one' crosses or touches itself", shapes), shapes[1]);
  assert.equal(namedIn("zone 'a' has 40 corners", shapes), shapes[2]);
  assert.equal(namedIn("the line's name 'a' is taken", shapes), shapes[0]);
  assert.equal(namedIn("source gate would have 300 lines", shapes), null);
});

test("a name that is free is found", () => {
  assert.equal(freeName("line", [line("line 1"), line("line 3")]), "line 2");
});

test("a line where the border cuts boxes is known as one, and no zone or line further inside", () => {
  /** @type {(points: Page.Point[]) => boolean} */
  const runs = (points) => runsAlongBorder(line("a", { points }));
  assert.ok(runs([[5, 0], [20, 480]])); // prettier-ignore
  assert.ok(runs([[0, 470], [640, 465]])); // prettier-ignore
  assert.ok(!runs([[5, 0], [40, 480]])); // prettier-ignore
  assert.ok(!runs([[0, 440], [640, 470]])); // prettier-ignore
  assert.ok(!runsAlongBorder({ ...line("a", { points: [[5, 0], [20, 480]] }), kind: "zone" })); // prettier-ignore
});
