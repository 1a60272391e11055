import "../../../simple_frontend/tests/browser.js";

import assert from "node:assert/strict";
import { test } from "node:test";

import { knownVisits, visitWords } from "../../../capabilities/frametally_traffic/page/lines/turns.js";

const MOVEMENTS = [
  { from_leg: "far", to_leg: "near", label: "car", visits: 2, missing: null, at_least: null },
  { from_leg: "far", to_leg: "near", label: "bus", visits: null, missing: "too_weak", at_least: 1 },
  { from_leg: "near", to_leg: "far", label: "bus", visits: null, missing: "too_weak", at_least: null },
];

test("a movement of which a label is not measured is a minimum, and never 0", () => {
  const answer = /** @type {Api.JunctionMovements} */ (
    /** @type {unknown} */ ({
      movements: MOVEMENTS,
      unknown: [{ label: "bus" }],
      books: { missing: "too_weak" },
    })
  );
  const [there, back] = ["far", "near"].map((leg) => knownVisits(answer, (one) => one.from_leg === leg));
  assert.deepEqual([there, back], [3, 0]);
  assert.equal(visitWords(answer, there ?? 0), "at least 3");
  assert.equal(visitWords(answer, back ?? 0), "–");
  assert.equal(visitWords({ ...answer, unknown: [], books: { ...answer.books, missing: null } }, 0), "0");
});
