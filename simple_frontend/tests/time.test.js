import "./browser.js";

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { ticksFor, tickText } from "../frametally_web/static/js/chart/layout.js";
import { comparisonOf, comparisonsFor, otherSide } from "../frametally_web/static/js/shared/compare.js";
import {
  difference,
  duration,
  fromInput,
  moment,
  percent,
  roughly,
  shortSpan,
  span,
  timeSince,
  toInput,
  toTheMinute,
  zoneName,
} from "../frametally_web/static/js/shared/format.js";
import { METRICS } from "../frametally_web/static/js/shared/metrics.js";
import { viewOf } from "../frametally_web/static/js/shared/series.js";
import { DEFAULT } from "../frametally_web/static/js/shared/state.js";
import { useZone } from "../frametally_web/static/js/shared/time.js";
import { bucket, countsWith, DAY, filmed, HOUR, MAY_1, sourceCalled } from "./counts.js";

beforeEach(() => useZone("UTC"));

test("what is so since another day says since which", () => {
  assert.match(timeSince(Date.now()), /^\d\d:\d\d:\d\d$/);
  assert.equal(timeSince(MAY_1), toTheMinute(MAY_1));
});

test("a duration is in the largest unit that divides it", () => {
  assert.deepEqual([90, 300, 3600, 86_400, 1_209_600].map(duration), [
    "90 secs",
    "5 mins",
    "1 hr",
    "1 day",
    "2 weeks",
  ]);
  assert.deepEqual([-5, 45_000, 12.4 * 60_000, 5 * DAY].map(roughly), [
    "0 secs",
    "45 secs",
    "12 mins",
    "5 days",
  ]);
});

test("rounding error does not count as a difference, and a small difference does", () => {
  assert.deepEqual([1e-17, 0.000046, 1234.5].map(difference), ["0", "+0.000046", "+1,234.5"]);
  assert.equal(percent(0.001), "<1%");
});

test("whole days are written as days, and a day that is known is left out", () => {
  assert.equal(span(MAY_1, MAY_1 + DAY), "1 May 2024");
  assert.match(shortSpan(MAY_1 + HOUR, MAY_1 + 2 * HOUR), /^01:00\s*–\s*02:00$/);
});

test("a bar that ends at midnight is written as others are, without dates of figures", () => {
  assert.match(shortSpan(MAY_1 + 21 * HOUR, MAY_1 + DAY), /^21:00\s–\s00:00$/);
  assert.match(span(MAY_1 + 21 * HOUR, MAY_1 + DAY), /^1 May 2024, 21:00\s–\s2 May 2024, 00:00$/);
});

test("an hour that comes twice shows its offset, and other days show none", () => {
  useZone("Europe/Berlin");
  const twice = Date.UTC(2026, 9, 25);
  const written = [twice, twice + HOUR].map((ms) => [
    span(ms, ms + HOUR),
    shortSpan(ms, ms + HOUR),
    moment(ms),
  ]);
  assert.deepEqual(
    written[0].filter((text) => !text.includes("GMT+2")),
    [],
  );
  assert.deepEqual(
    written[1].filter((text) => !text.includes("GMT+1")),
    [],
  );
  for (const ms of [twice - 3 * HOUR, twice + DAY, MAY_1])
    assert.doesNotMatch([span(ms, ms + HOUR), shortSpan(ms, ms + HOUR), moment(ms)].join(), /GMT/);
  useZone("Australia/Lord_Howe");
  const half = Date.UTC(2026, 3, 4, 15);
  assert.notEqual(span(half - HOUR / 2, half), span(half, half + HOUR / 2));
});

test("whole days are written as days on which clocks change too", () => {
  useZone("Europe/Berlin");
  const sunday = Date.UTC(2026, 9, 24, 22);
  assert.equal(span(sunday, sunday + 25 * HOUR), "25 Oct 2026");
});

test("a date field is read and written in the zone that was chosen", () => {
  useZone("Europe/Berlin");
  assert.equal(toInput(MAY_1), "2024-05-01T02:00:00");
  assert.equal(fromInput("2024-05-01T02:00:00"), MAY_1);
  assert.equal(fromInput(""), null);
  assert.equal(zoneName(MAY_1), "Europe/Berlin (UTC+02:00)");
});

test("ticks mark round moments of local time, as many as there is room for", () => {
  useZone("Asia/Kolkata");
  const { values, unit } = ticksFor(MAY_1, MAY_1 + DAY, 860, 60);
  assert.equal(unit, "hour");
  assert.ok(values.length <= 10);
  assert.ok(values.every((ms) => (ms + 5.5 * HOUR) % (3 * HOUR) === 0));
});

test("a tick where a new day begins names it", () => {
  const ticks = ticksFor(MAY_1 - 6 * HOUR, MAY_1 + 6 * HOUR, 860, 60);
  const midnight = ticks.values.indexOf(MAY_1);
  assert.match(String(tickText(ticks, midnight, false)), /^00:00,1 May$/);
  assert.match(String(tickText(ticks, midnight + 1, false)), /^02:00$/);
});

test("on a day on which the clocks change ticks stay at round hours", () => {
  useZone("Europe/Berlin");
  const saturday = Date.UTC(2026, 2, 27, 23);
  const texts = ticksFor(saturday, saturday + 2 * DAY - HOUR, 860, 60).values.map((_, position, values) =>
    String(tickText({ values, unit: "hour" }, position, true)),
  ); // prettier-ignore
  const hours = ["00:00", "06:00", "12:00", "18:00"];
  assert.deepEqual(texts, [...hours, ...hours, "00:00"]);
});

const answers = (/** @type {Partial<Api.Counts>} */ values) => ({
  models: [{ model: "yolo-1", base_intervals_s: [60] }],
  sources: [sourceCalled("gate"), sourceCalled("road")],
  counts: countsWith(values),
});

test("a moment of the other side lies where the server says, and nowhere where clocks never showed it", () => {
  const [day] = countsWith({}).comparisons.slice(1);
  const shifts = [
    { from_ms: MAY_1, earlier_ms: DAY },
    { from_ms: MAY_1 + 2 * HOUR, earlier_ms: null },
    { from_ms: MAY_1 + 3 * HOUR, earlier_ms: 23 * HOUR },
  ];
  const found = comparisonOf({ ...DEFAULT, compare: "day" }, answers({ comparisons: [{ ...day, shifts }] }));
  assert.deepEqual(
    [-25, -24, -21.5, -20].map((hours) => found?.back(MAY_1 + hours * HOUR)),
    [MAY_1 - HOUR, MAY_1, NaN, MAY_1 + 3 * HOUR],
  );
});

test("one is offered only what differs from the view", () => {
  const offered = (/** @type {string[]} */ ...sources) =>
    comparisonsFor({ ...DEFAULT, sources }, answers({})).map(({ id }) => id);
  assert.deepEqual(offered("gate"), ["previous", "day", "week", "source:road"]);
  assert.deepEqual(offered("gate", "road").slice(3), ["source:gate", "source:road"]);
  assert.deepEqual(comparisonsFor(DEFAULT, answers({ interval_s: null, comparisons: [] })), []);
});

test("beside a bar stands the other side's, and nothing where it was not filmed", () => {
  const here = countsWith({ coverage: [filmed(MAY_1), filmed(MAY_1 + HOUR)] });
  const there = countsWith({
    coverage: [filmed(MAY_1 - DAY + HOUR)],
    buckets: [bucket("car", { start_ms: MAY_1 - DAY + HOUR, detections: 7 })],
  });
  const comparison = comparisonOf({ ...DEFAULT, compare: "day" }, answers({}));
  assert.ok(comparison);
  const view = viewOf(DEFAULT, here, METRICS.detections, String);
  const { rows, values } = otherSide(view, there, comparison);
  assert.deepEqual(values, [undefined, { value: 7, part: null }]);
  assert.deepEqual(rows, [{ start: MAY_1 + HOUR, end: MAY_1 + 2 * HOUR, known: values[1] }]);
});
