import "./browser.js";

import assert from "node:assert/strict";
import { test } from "node:test";

import { hoursText } from "../frametally_web/static/js/context/range.js";
import { nameOf, offered, shifted } from "../frametally_web/static/js/context/ranges.js";
import { remediesOf } from "../frametally_web/static/js/context/remedies.js";
import { ApiError } from "../frametally_web/static/js/shared/api.js";
import { DEFAULT } from "../frametally_web/static/js/shared/state.js";
import { msOf, plus, useZone } from "../frametally_web/static/js/shared/time.js";
import { DAY, HOUR } from "./counts.js";

const at = (/** @type {number[]} */ ...[year, month, day, hour = 0]) => msOf({ year, month, day, hour });
const both = (/** @type {import("../frametally_web/static/js/context/ranges.js").Range} */ range) =>
  /** @type {const} */ ([1, -1]).map((direction) => shifted(range, direction));

test("a named range is of the calendar, in the zone that was chosen", () => {
  useZone("Europe/Berlin");
  const now = at(2024, 4, 3, 12); // a Wednesday, three days after the clocks went forward
  const data = { from: at(2023, 1, 1), to: now };
  const found = Object.fromEntries(offered(data, now).map(({ name, range }) => [name, range]));
  assert.deepEqual(found["Last week"], { from: at(2024, 3, 25), to: at(2024, 4, 1) });
  assert.equal(found["Last week"].to - found["Last week"].from, 7 * DAY - HOUR);
  assert.deepEqual(found["This month"], { from: at(2024, 4, 1), to: at(2024, 5, 1) });
  assert.deepEqual(found["Last month"], { from: at(2024, 3, 1), to: at(2024, 4, 1) });
  assert.deepEqual(found["Yesterday"], { from: at(2024, 4, 2), to: at(2024, 4, 3) });
  assert.deepEqual(found["Last 7 days of footage"], { from: at(2024, 3, 28), to: at(2024, 4, 4) });
  assert.equal(nameOf(found["Last week"], now), "Last week");
  assert.equal(nameOf(data, now), "");
});

test("no range is offered that holds none of the footage, or all of it", () => {
  useZone("UTC");
  const data = { from: at(2023, 5, 1), to: at(2023, 5, 1, 6) };
  assert.deepEqual(
    offered(data, at(2024, 5, 1)).map(({ name }) => name),
    ["Last hour of footage"],
  );
});

test("days are stepped by days and months by months, though the clocks change", () => {
  useZone("Europe/Berlin");
  const week = { from: at(2024, 3, 25), to: at(2024, 4, 1) };
  assert.deepEqual(both(week), [
    { from: at(2024, 4, 1), to: at(2024, 4, 8) },
    { from: at(2024, 3, 18), to: at(2024, 3, 25) },
  ]);
  const quarter = { from: at(2024, 1, 1), to: at(2024, 4, 1) };
  assert.deepEqual(both(quarter), [
    { from: at(2024, 4, 1), to: at(2024, 7, 1) },
    { from: at(2023, 10, 1), to: at(2024, 1, 1) },
  ]);
  const hour = { from: at(2024, 3, 31, 1), to: at(2024, 3, 31, 3) }; // two hours by the clock, but only one elapsed
  assert.deepEqual(shifted(hour, 1), { from: hour.to, to: hour.to + HOUR });
});

test("there and back again is the same range", () => {
  useZone("America/New_York");
  for (let start = at(2024, 1, 1); start < at(2024, 12, 1); start = plus(start, { days: 5 })) {
    for (const length of [{ days: 1 }, { days: 7 }, { days: 40 }, { hours: 5 }]) {
      const range = { from: start, to: plus(start, length) };
      assert.deepEqual(shifted(shifted(range, 1), -1), range);
    }
  }
});

test("hours and weekdays have a short text", () => {
  assert.equal(hoursText({ hours: "08:00-09:00", weekdays: [1, 2, 3, 4, 5] }), "08:00–09:00, Mon–Fri");
  assert.equal(hoursText({ hours: null, weekdays: [1, 6, 7] }), "Mon, Sat, Sun");
  assert.equal(hoursText({ hours: null, weekdays: [] }), "");
});

test("a remedy changes what is at fault and nothing else", () => {
  const state = { ...DEFAULT, labels: ["car", "bycicle"], interval: 90 };
  const fault = { parameter: "label", value: "bycicle", instead: ["bicycle"] };
  assert.deepEqual(remediesOf(new ApiError(400, "", "", fault), state), [
    { text: "Show “bicycle”", change: { labels: ["car", "bicycle"] } },
    { text: "Show all labels", change: { labels: [] } },
  ]);
  const bars = { parameter: "interval", instead: ["7200"] };
  assert.deepEqual(remediesOf(new ApiError(400, "", "", bars), state)[0], {
    text: "Use bars of 2 hrs",
    change: { interval: 7200 },
  });
  assert.deepEqual(remediesOf(new ApiError(400, "", "", { parameter: "cursor" }), state), []);
});
