import "./browser.js";

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { runsOf } from "../frametally_web/static/js/chart/draw.js";
import { layoutOf } from "../frametally_web/static/js/chart/layout.js";
import { Zooms } from "../frametally_web/static/js/chart/gestures.js";
import { outsideOf } from "../frametally_web/static/js/shared/spans.js";
import { METRICS } from "../frametally_web/static/js/shared/metrics.js";
import { viewOf } from "../frametally_web/static/js/shared/series.js";
import { DEFAULT } from "../frametally_web/static/js/shared/state.js";
import { useZone } from "../frametally_web/static/js/shared/time.js";
import { bucket, countsWith, DAY, filmed, HOUR, MAY_1, sourceCalled } from "./counts.js";

beforeEach(() => useZone("UTC"));

/** @param {Api.FramesAnalysed[]} coverage @param {Partial<Api.Counts>} [values] */
const viewWith = (coverage, values = {}) =>
  viewOf(
    DEFAULT,
    countsWith({ coverage, from_ms: coverage[0].start_ms, to_ms: coverage.at(-1)?.end_ms, ...values }),
    METRICS.detections,
    String,
  );
const laidOut = (/** @type {Page.View} */ view) => layoutOf(view, 1000, 380, (text) => 7 * text.length);

test("a bar is as wide as its interval: a day of 23 hours is narrower", () => {
  useZone("Europe/Berlin");
  const saturday = Date.UTC(2024, 2, 29, 23);
  const [one, two] = [saturday + DAY, saturday + DAY + 23 * HOUR];
  const view = viewWith([filmed(saturday, DAY), filmed(one, 23 * HOUR), filmed(two, DAY)]);
  const { x } = laidOut(view);
  const widths = view.rows.map((row) => x(row.end) - x(row.start));
  assert.ok(Math.abs(widths[1] / widths[0] - 23 / 24) < 1e-9);
  assert.equal(widths[0].toFixed(6), widths[2].toFixed(6));
});

test("a place on the canvas is the moment that is drawn there", () => {
  const { x, ms } = laidOut(viewWith([filmed(MAY_1), filmed(MAY_1 + HOUR)]));
  for (const at of [MAY_1, MAY_1 + 1234, MAY_1 + 2 * HOUR]) assert.equal(Math.round(ms(x(at))), at);
});

test("the time that was not asked for is folded away, and a place is a moment that was", () => {
  const mornings = { ...DEFAULT, hours: "07:00-09:00" };
  const coverage = [0, 1, 2].flatMap((day) =>
    [7, 8].map((hour) => filmed(MAY_1 - (MAY_1 % DAY) + day * DAY + hour * HOUR)),
  );
  const from = MAY_1 - (MAY_1 % DAY);
  const counts = countsWith({ coverage, interval_s: 3600, from_ms: from, to_ms: from + 3 * DAY });
  const view = viewOf(mornings, counts, METRICS.detections, String);
  const { x, ms, area, xTicks } = laidOut(view);
  const sixth = (area.right - area.left) / 6;
  view.rows.forEach((row, position) => {
    assert.ok(Math.abs(x(row.start) - area.left - position * sixth) < 1e-6);
    assert.equal(Math.round(ms((x(row.start) + x(row.end)) / 2)), row.start + HOUR / 2);
  });
  assert.deepEqual(xTicks[0].lines[0], "07:00");
  assert.ok(xTicks.every(({ at }, position) => !position || at - xTicks[position - 1].at > 40));
});

test("days between short clips take little room, keep their places, and have no ticks", () => {
  const [first, second] = [MAY_1, MAY_1 + 400 * DAY];
  const view = viewWith([filmed(first, HOUR), filmed(second, HOUR)]);
  const { x, ms, area, breaks, xTicks, xTitle } = laidOut(view);
  assert.deepEqual(breaks, [[first + HOUR, second]]);
  const width = area.right - area.left;
  assert.ok(x(first + HOUR) - x(first) > 0.45 * width && x(second + HOUR) - x(second) > 0.45 * width);
  for (const at of [first, first + HOUR / 2, first + 9 * DAY, second, second + HOUR / 2])
    assert.ok(Math.abs(ms(x(at)) - at) < 1000);
  assert.ok(xTicks.length > 2 && xTicks.every(({ at }) => at <= x(first + HOUR) || at >= x(second)));
  assert.match(xTitle, /long gaps shortened/);
  assert.deepEqual(laidOut(viewWith([filmed(first, DAY), filmed(first + 1.5 * DAY, DAY)])).breaks, []);
});

test("the labels at both ends of a shortened gap have room beside each other", () => {
  const weeks = [Date.UTC(2026, 1, 23), Date.UTC(2026, 10, 23)].map((monday) => filmed(monday, 7 * DAY));
  const { breaks, xTicks } = laidOut(viewWith(weeks, { interval_s: 7 * 86_400 }));
  assert.equal(breaks.length, 1);
  assert.ok(xTicks.length > 2);
  assert.ok(xTicks.every(({ at }, position) => !position || at - xTicks[position - 1].at > 40));
});

test("the value axis ends at a round number that no bar exceeds, and counts have no fractions", () => {
  for (const most of [0, 1, 3, 7, 34, 99, 100, 101, 12_345, 9_999_999]) {
    const view = viewWith([filmed(MAY_1)], {
      labels: ["car"],
      buckets: [bucket("car", { detections: most })],
    });
    const { yTicks, y, area } = laidOut(view);
    assert.ok(y(most) >= area.top - 1e-6, String(most));
    assert.ok(yTicks.length >= 3 && yTicks.length <= 12, String(most));
    assert.ok(yTicks.every(({ text }) => /^[\d,]+$/.test(text)));
    assert.equal(yTicks[0].at, area.bottom);
  }
});

test("a line breaks where a value is not known, and where there was no footage between two bars", () => {
  const rows = viewWith([0, 1, 2, 4, 5].map((hour) => filmed(MAY_1 + hour * HOUR))).rows;
  assert.deepEqual(runsOf(rows, [1, 2, null, 4, 5]), [
    [0, 1],
    [3, 4],
  ]);
  assert.deepEqual(runsOf(rows, [1, 2, 3, 4, 5]), [
    [0, 1, 2],
    [3, 4],
  ]);
  assert.deepEqual(runsOf(rows, [1, null, 3, null, 5]), [[0], [2], [4]]);
});

test("a bar that the range cuts is marked, and jitter is not", () => {
  const week = [filmed(MAY_1 - DAY, 7 * DAY), filmed(MAY_1 + 6 * DAY, 7 * DAY)];
  const view = viewWith(week, { from_ms: MAY_1, to_ms: MAY_1 + 13 * DAY - 1000, interval_s: 604_800 });
  assert.deepEqual(view.cut, [[MAY_1 - DAY, MAY_1 + 6 * DAY]]);
  assert.match(laidOut(view).xTitle, /first bar: only part of 1 week$/);
});

test("hours and days outside the choice are not holes", () => {
  const asked = { hours: "08:00-09:00", weekdays: [] };
  assert.deepEqual(outsideOf(asked, MAY_1, MAY_1 + DAY, 900), [
    [MAY_1, MAY_1 + 8 * HOUR],
    [MAY_1 + 9 * HOUR, MAY_1 + DAY],
  ]);
  assert.deepEqual(outsideOf({ ...asked, hours: "22:00-06:00" }, MAY_1, MAY_1 + DAY, 900), [
    [MAY_1 + 6 * HOUR, MAY_1 + 22 * HOUR],
  ]);
  // 1 May 2024 was a Wednesday.
  assert.deepEqual(outsideOf({ hours: null, weekdays: [3] }, MAY_1, MAY_1 + 8 * DAY, 86_400), [
    [MAY_1 + DAY, MAY_1 + 7 * DAY],
  ]);
  assert.deepEqual(outsideOf({ hours: null, weekdays: [3] }, MAY_1, MAY_1 + 8 * DAY, 604_800), []);
  assert.deepEqual(outsideOf({ hours: null, weekdays: [] }, MAY_1, MAY_1 + 8 * DAY, 900), []);
  useZone("Europe/Berlin");
  const [[, end]] = outsideOf(asked, Date.UTC(2026, 2, 28, 23), Date.UTC(2026, 2, 29, 22), 900);
  assert.equal(end, Date.UTC(2026, 2, 29, 6), "eight o'clock on the day of 23 hours");
});

test("zooming out goes back the way that was zoomed in, else as much again on each side", () => {
  /** @type {Pick<Page.State, "from"|"to"|"interval">} */
  let now = { from: null, to: null, interval: 60 };
  const zooms = new Zooms((range) => (now = range));
  const shown = () => zooms.show({ ...DEFAULT, ...now }, countsWith({ from_ms: now.from, to_ms: now.to }), [
    { ...sourceCalled("gate"), first_interval_ms: 0, next_interval_ms: 1000 },
  ]); // prettier-ignore
  shown();
  zooms.into(200, 400);
  shown();
  zooms.into(300, 350);
  shown();
  zooms.out();
  assert.deepEqual(now, { from: 200, to: 400, interval: null });
  shown();
  zooms.out();
  assert.deepEqual(now, { from: null, to: null, interval: 60 });
  shown();
  zooms.into(200, 400);
  now = { from: 500, to: 600, interval: 5 }; // a different choice
  shown();
  zooms.out();
  assert.deepEqual(now, { from: 400, to: 700, interval: null });
  shown();
  zooms.out();
  assert.deepEqual(now, { from: 100, to: 1000, interval: null });
  shown();
  zooms.out();
  assert.deepEqual(now, { from: null, to: null, interval: null });
});
