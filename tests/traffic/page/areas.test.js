import "../../../simple_frontend/tests/browser.js";

import assert from "node:assert/strict";
import { test } from "node:test";

import { wordsOf } from "../../../capabilities/frametally_traffic/page/lines/areas.js";

test("a zone of which no visit is known is not said to have had at least as many", () => {
  const zone = { name: "lane", missing: "too_weak", stays: null, median_s: null, p90_s: null };
  const rest = { appeared: null, vanished: null, at_least: null };
  const none = wordsOf("lane", /** @type {Api.ZoneStays["zones"][number]} */ ({ ...zone, ...rest }));
  assert.match(none, /not measured/);
  assert.doesNotMatch(none, /at least/i);
  const some = { ...zone, ...rest, at_least: { stays: 3, appeared: 2, vanished: 0 } };
  assert.match(
    wordsOf("lane", /** @type {Api.ZoneStays["zones"][number]} */ (some)),
    /at least 3 visits.* 2 tracks began/i,
  );
});
