import "../../../simple_frontend/tests/browser.js";

import assert from "node:assert/strict";
import { test } from "node:test";

import { wordsOf } from "../../../capabilities/frametally_traffic/page/lines/areas.js";

test("a zone of which no visit is known is not said to have had at least as many", () => {
  const zone = { name: "lane", missing: "too_weak", stays: 0, median_s: null, p90_s: null };
  const rest = { appeared: 0, vanished: 0 };
  const none = wordsOf("lane", /** @type {Api.ZoneStays["zones"][number]} */ ({ ...zone, ...rest }));
  assert.match(none, /not measured/);
  assert.doesNotMatch(none, /at least/);
  const some = { ...zone, ...rest, stays: 3, median_s: 2, p90_s: 4 };
  assert.match(wordsOf("lane", /** @type {Api.ZoneStays["zones"][number]} */ (some)), /at least/);
});
