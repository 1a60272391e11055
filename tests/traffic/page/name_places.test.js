// The positions of names: at their boxes, inside the picture, and without overlaps if possible.

import "../../../simple_frontend/tests/browser.js";
import assert from "node:assert/strict";
import { test } from "node:test";

import { placeNames } from "../../../simple_frontend/frametally_web/static/js/frames/boxed_picture.js";

const FRAME = { width: 640, height: 480 };
const NAME = { width: 60, height: 17 };

test("a name stands above its box, from its left edge", () => {
  assert.deepEqual(placeNames([[100, 100, 80, 50]], [NAME], FRAME), [[100, 83, 60, 17]]);
});

test("a name at an edge stays inside the picture", () => {
  for (const box of [
    [0, 0, 20, 20],
    [620, 0, 20, 20],
    [0, 460, 20, 20],
    [620, 460, 20, 20],
    [-30, -30, 900, 900],
  ]) {
    const [[x, y]] = placeNames([/** @type {any} */ (box)], [NAME], FRAME);
    assert.ok(x >= 0 && y >= 0 && x + 60 <= 640 && y + 17 <= 480, `${box}: ${x}, ${y}`);
  }
});

test("a name wider than the picture begins at its left edge", () => {
  const [[x]] = placeNames([[500, 100, 50, 50]], [{ width: 900, height: 17 }], FRAME);
  assert.equal(x, 0);
});

test("two boxes at one place have names clear of each other, the first one's in the best place", () => {
  const [one, other] = placeNames(
    [
      [100, 100, 80, 80],
      [100, 100, 80, 80],
    ],
    [NAME, NAME],
    FRAME,
  );
  assert.deepEqual(one, [100, 83, 60, 17]);
  assert.ok(other[1] >= 100, "not over the first");
});
