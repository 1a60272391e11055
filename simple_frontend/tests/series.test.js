import "./browser.js";

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { lanesOf } from "../frametally_web/static/js/chart/lanes.js";
import {
  brief,
  fromStartWords,
  joined,
  knownWords,
  METRICS,
} from "../frametally_web/static/js/shared/metrics.js";
import { colorsOf } from "../frametally_web/static/js/shared/palette.js";
import {
  allIn,
  allKnownIn,
  gapsOf,
  knownIn,
  partOf,
  rankedLabels,
  rowsOf,
  seriesOf,
  totalIn,
  valueIn,
  viewOf,
} from "../frametally_web/static/js/shared/series.js";
import { together } from "../frametally_web/static/js/shared/spans.js";
import { DEFAULT } from "../frametally_web/static/js/shared/state.js";
import { bucket, countsWith, filmed, HOUR, MAY_1 } from "./counts.js";

const { detections, mean_per_frame: mean, peak, objects } = METRICS;

test("an interval that was filmed has a row, also with nothing in it", () => {
  const rows = rowsOf(
    countsWith({
      coverage: [filmed(MAY_1 + HOUR), filmed(MAY_1)],
      buckets: [bucket("car", { detections: 3 })],
    }),
  );
  assert.deepEqual(
    rows.map((row) => [row.start, totalIn(row, detections)]),
    [
      [MAY_1, 3],
      [MAY_1 + HOUR, 0],
    ],
  );
});

test("gaps are what no row covers, the ends of the range too", () => {
  const rows = rowsOf(countsWith({ coverage: [filmed(10, 10), filmed(20, 10), filmed(50, 10)] }));
  assert.deepEqual(gapsOf(rows, [], 0, 70), [
    [0, 10],
    [30, 50],
    [60, 70],
  ]);
  assert.deepEqual(gapsOf(rows, [[0, 10], [40, 50]], 0, 70), [
    [30, 40],
    [60, 70],
  ]); // prettier-ignore
  assert.deepEqual(gapsOf(rows.slice(0, 2), [], 15, 30), []);
});

test("labels are put together by sum, and the peak by maximum", () => {
  const both = [
    bucket("car", { detections: 2, peak: 2, mean_per_frame: 0.5, objects: 1 }),
    bucket("bus", { detections: 3, peak: 1, mean_per_frame: 0.25, objects: 2 }),
  ];
  assert.deepEqual(
    [detections, mean, peak, objects].map((metric) => joined(metric, both).value),
    [5, 0.75, 2, 3],
  );
});

test("of a sum with a label that was not measured the rest is known", () => {
  const [row] = rowsOf(
    countsWith({
      coverage: [filmed(MAY_1)],
      buckets: [bucket("car", { objects: 2 }), bucket("bus", { objects: null })],
    }),
  );
  assert.deepEqual(allKnownIn(row, objects), { value: null, part: 2 });
  assert.deepEqual([knownIn(row, ["car"], objects).value, knownIn(row, ["bus"], objects).part], [2, null]);
  assert.equal(valueIn(row, ["tram"], objects), 0);
});

test("objects of a bar are those of what was measured of it, and none where nothing was", () => {
  const missing = "too_slow";
  const coverage = [MAY_1, MAY_1 + HOUR].map((start) => ({ ...filmed(start), objects_missing: missing }));
  const found = { objects: null, objects_missing: missing, detections: 9 };
  const counts = countsWith({
    coverage,
    labels: ["bus", "car"],
    buckets: [
      bucket("car", { ...found, measured_objects: 3 }),
      bucket("bus", { ...found, measured_objects: 0 }),
      bucket("car", { ...found, start_ms: MAY_1 + HOUR }),
    ],
  });
  const view = viewOf(DEFAULT, counts, objects, String);
  assert.deepEqual(
    view.rows.map((row) => [totalIn(row, objects), valueIn(row, ["tram"], objects)]),
    [
      [3, 0],
      [null, null],
    ],
  );
  assert.deepEqual(view.measuredInPart, [[MAY_1, MAY_1 + HOUR]]);
  assert.deepEqual(view.unmeasured, [[MAY_1 + HOUR, MAY_1 + 2 * HOUR]]);
});

test("objects of several labels are known if those of each are, and else at least what is", () => {
  const cars = bucket("car", { objects: 2 });
  const bags = bucket("bag", { objects: null, followed_objects: 9 });
  const rest = bucket("", { label: null, objects: null, measured_objects: 3 });
  assert.deepEqual(joined(objects, [bags]), { value: null, part: null });
  assert.deepEqual(joined(objects, [cars, bags]), { value: null, part: 2 });
  assert.deepEqual(joined(objects, [cars, bags, rest]), { value: null, part: 5 });
  const words = [[cars], [cars, bags], [bags]].map((some) => knownWords(objects, joined(objects, some)));
  assert.deepEqual(words, ["2", "at least 2", "not measured"]);
});

test("objects that stood there when the footage began are named, of the metric of objects alone", () => {
  const some = [2, undefined, 3].map((number) => bucket("car", { objects_from_start: number }));
  assert.equal(fromStartWords(objects, some), "of which 5 stood there when the footage began");
  assert.equal(fromStartWords(objects, [bucket("car", { objects_from_start: 0 })]), "");
  assert.equal(fromStartWords(detections, some), "");
});

test("no module but the one that knows of parts writes a sum", () => {
  const written = /format\((totalIn|valueIn|joined|allIn|amountOf|one\.total)\b/;
  const folders = [
    "simple_frontend/frametally_web/static/js",
    "capabilities/traffic/frametally_traffic/page",
    "capabilities/live/frametally_live/page",
    "capabilities/videos/frametally_videos/page",
    "capabilities/alerts/frametally_alerts/page",
  ];
  const modules = folders.flatMap((folder) =>
    readdirSync(`../${folder}`, { recursive: true, encoding: "utf-8" })
      .filter((name) => name.endsWith(".js"))
      .map((name) => `../${folder}/${name}`),
  );
  assert.ok(modules.length > 100);
  const writers = modules.filter((path) => written.test(readFileSync(path, "utf-8")));
  assert.deepEqual(writers, []);
});

test("where footage was too slow, what was not seen is not known either", () => {
  const slow = { ...filmed(MAY_1), objects_missing: /** @type {const} */ ("too_slow") };
  const [row] = rowsOf(countsWith({ coverage: [slow] }));
  assert.deepEqual(
    [totalIn(row, objects), valueIn(row, ["car"], objects), totalIn(row, detections)],
    [null, null, 0],
  );
});

test("spans that touch or overlap become one", () => {
  assert.deepEqual(
    together([
      [30, 40],
      [0, 10],
      [10, 20],
      [5, 8],
    ]),
    [
      [0, 20],
      [30, 40],
    ],
  );
});

test("labels with most come first, and from the eighth on they share a series", () => {
  const labels = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const totals = labels.map((label, position) => bucket(label, { detections: position }));
  const counts = countsWith({ labels, totals });
  assert.deepEqual(rankedLabels(counts, detections).slice(0, 3), ["h", "g", "f"]);
  const seven = { ...counts, labels: labels.slice(1), totals: totals.slice(1) };
  assert.equal(seriesOf(seven, detections, String).at(-1)?.name, "b");
  const series = seriesOf(counts, detections, String);
  assert.deepEqual(series.map(({ name, total }) => [name, total.value]).slice(-2), [
    ["c", 2],
    ["2 other labels", 1],
  ]);
});

test("labels that the answer has together are some of the others", () => {
  const labels = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const totals = [...labels, null].map((label) => bucket(/** @type {string} */ (label), { detections: 2 }));
  const series = seriesOf(countsWith({ labels, totals, rest: ["i", "j"] }), detections, String);
  assert.equal(series.length, 7);
  assert.deepEqual([series[6].name, series[6].total.value], ["4 other labels", 6]);
  assert.equal(series[6].title, "g, h, i, j");
});

test("a label keeps its colour whatever is filtered", () => {
  const ranked = ["car", "bus", "tram", "bike", "dog", "cat", "bird"];
  assert.equal(colorsOf(ranked, ["bus"])("bus"), colorsOf(ranked, ranked.slice(0, 6))("bus"));
  assert.equal(colorsOf(ranked, ["bird", "bus"])("bird"), "--series-0");
  assert.equal(colorsOf(ranked, ranked)("bird"), "--series-other");
});

test("the chart reaches over bars that begin before its range", () => {
  const counts = countsWith({
    coverage: [filmed(MAY_1 - HOUR, 2 * HOUR)],
    from_ms: MAY_1,
    to_ms: MAY_1 + HOUR,
  });
  const view = viewOf(DEFAULT, counts, detections, String);
  assert.deepEqual([view.from, view.to, view.gaps, view.partial], [MAY_1 - HOUR, MAY_1 + HOUR, [], []]);
});

test("a bar filmed in part shows by how much; a range counts its own part", () => {
  const [row] = rowsOf(countsWith({ coverage: [{ ...filmed(MAY_1), covered_s: 180 }] }));
  assert.deepEqual(partOf(row, [MAY_1, MAY_1 + HOUR]), { filmed: 180_000, of: HOUR });
  assert.equal(partOf(row, [MAY_1 + HOUR - 180_000, MAY_1 + 2 * HOUR]), null);
  assert.equal(partOf({ ...row, coveredS: null }, [MAY_1, MAY_1 + HOUR]), null);
  assert.equal(partOf({ ...row, coveredS: 0 }, [MAY_1, MAY_1 + HOUR]), null);
  assert.equal(partOf({ ...row, coveredS: 3599 }, [MAY_1, MAY_1 + HOUR]), null);
});

test("what was filmed and not analysed is neither a gap nor a row", () => {
  const counts = countsWith({
    coverage: [filmed(MAY_1)],
    not_analysed: [{ start_ms: MAY_1 + HOUR, end_ms: MAY_1 + 2 * HOUR, source: null }],
    to_ms: MAY_1 + 3 * HOUR,
  });
  const view = viewOf(DEFAULT, counts, detections, String);
  assert.deepEqual(view.notAnalysed, [[MAY_1 + HOUR, MAY_1 + 2 * HOUR]]);
  assert.deepEqual(view.gaps, [[MAY_1 + 2 * HOUR, MAY_1 + 3 * HOUR]]);
});

test("all labels together are what the answer says: of objects at least the measured part", () => {
  const all = { ...bucket("car"), label: null, objects: null, measured_objects: 7, detections: 9 };
  const counts = countsWith({ together: [all] });
  assert.deepEqual(allIn(counts, objects), { value: null, part: 7 });
  assert.deepEqual(allIn(counts, detections), { value: 9, part: null });
  assert.deepEqual(allIn(countsWith({}), objects), { value: null, part: null });
});

test("a tile is short, however large its number; a mean keeps its digits", () => {
  assert.equal(brief(detections, 1_234_567), "1.2M");
  assert.equal(brief(mean, 3.5), "3.50");
  assert.equal(brief(objects, null), "not measured");
});

test("a lane says how much was filmed only where each of its bars says so", () => {
  const shareOf = (/** @type {number|null} */ coveredS) => {
    const first = { ...filmed(MAY_1), source: "gate" };
    const second = { ...filmed(MAY_1 + HOUR), source: "gate", covered_s: coveredS };
    const range = { from_ms: MAY_1, to_ms: MAY_1 + 2 * HOUR };
    const counts = countsWith({ coverage: [first, second], sources: ["gate"], ...range });
    return lanesOf(counts, DEFAULT, [MAY_1, MAY_1 + 2 * HOUR])[0].share;
  };
  assert.deepEqual([3600, 900, null, 0].map(shareOf), [1, 0.625, null, null]);
});
