import "./browser.js";

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { lanesOf } from "../frametally_web/static/js/chart/lanes.js";
import {
  brief,
  fromStartWords,
  knownOf,
  knownWords,
  METRICS,
} from "../frametally_web/static/js/shared/metrics.js";
import { colorsOf } from "../frametally_web/static/js/shared/palette.js";
import {
  allIn,
  allKnownIn,
  gapsOf,
  knownIn,
  isPartial,
  rowsOf,
  seriesOf,
  shareWords,
  totalIn,
  valueIn,
  viewOf,
} from "../frametally_web/static/js/shared/series.js";
import { together } from "../frametally_web/static/js/shared/spans.js";
import { DEFAULT } from "../frametally_web/static/js/shared/state.js";
import { bucket, countsWith, filmed, HOUR, MAY_1 } from "./counts.js";

const { detections, mean_per_frame: mean, objects } = METRICS;

test("an interval that was filmed has a row, also with nothing in it", () => {
  const rows = rowsOf(
    countsWith({
      coverage: [filmed(MAY_1 + HOUR), filmed(MAY_1)],
      bars: [bucket("", { start_ms: MAY_1 + HOUR }), bucket("", { detections: 3 })],
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

test("of a sum with a label that was not measured the rest is known", () => {
  const [row] = rowsOf(
    countsWith({
      coverage: [filmed(MAY_1)],
      bars: [bucket("", { objects: null, measured_objects: 2 })],
      buckets: [bucket("car", { objects: 2 }), bucket("bus", { objects: null })],
    }),
  );
  assert.deepEqual(allKnownIn(row, objects), { value: null, part: 2 });
  assert.deepEqual([knownIn(row, "car", objects).value, knownIn(row, "bus", objects).part], [2, null]);
  assert.equal(valueIn(row, "tram", objects), 0);
});

test("objects of a bar are those of what was measured of it, and none where nothing was", () => {
  const missing = "too_slow";
  const coverage = [MAY_1, MAY_1 + HOUR].map((start) => ({ ...filmed(start), objects_missing: missing }));
  const found = { objects: null, objects_missing: missing, detections: 9 };
  const counts = countsWith({
    coverage,
    bars: [bucket("", { ...found, measured_objects: 3 }), bucket("", found)],
    labels: ["bus", "car"],
    buckets: [
      bucket("car", { ...found, measured_objects: 3 }),
      bucket("bus", { ...found, measured_objects: 0 }),
      bucket("car", { ...found, start_ms: MAY_1 + HOUR }),
    ],
  });
  const view = viewOf(DEFAULT, counts, objects, String);
  assert.deepEqual(
    view.rows.map((row) => [totalIn(row, objects), valueIn(row, "tram", objects)]),
    [
      [3, 0],
      [null, null],
    ],
  );
  assert.deepEqual(view.measuredInPart, [[MAY_1, MAY_1 + HOUR]]);
  assert.deepEqual(view.unmeasured, [[MAY_1 + HOUR, MAY_1 + 2 * HOUR]]);
});

test("objects that stood there when the footage began are named, of the metric of objects alone", () => {
  const some = bucket("car", { objects_from_start: 5 });
  assert.equal(fromStartWords(objects, some), "of which 5 stood there when the footage began");
  assert.equal(fromStartWords(objects, bucket("car", { objects_from_start: 0 })), "");
  assert.equal(fromStartWords(objects, undefined), "");
  assert.equal(fromStartWords(detections, some), "");
});

/** The scripts of all pages, except the one that looks up texts by key. */
function modulesOfPages() {
  const folders = [
    "simple_frontend/frametally_web/static/js",
    "simple_frontend/frametally_accounts/page",
    "capabilities/frametally_traffic/page",
    "capabilities/frametally_live/page",
    "capabilities/frametally_videos/page",
    "capabilities/frametally_alerts/page",
    "capabilities/frametally_accuracy/page",
  ];
  const modules = folders.flatMap((folder) =>
    readdirSync(`../${folder}`, { recursive: true, encoding: "utf-8" })
      .filter((name) => name.endsWith(".js") && !name.endsWith("texts.js"))
      .map((name) => `../${folder}/${name}`),
  );
  assert.ok(modules.length > 100);
  return modules;
}

test("no module but the one that knows of parts writes a sum", () => {
  const written = /format\((totalIn|valueIn|allIn|amountOf|one\.total)\b/;
  const writers = modulesOfPages().filter((path) => written.test(readFileSync(path, "utf-8")));
  assert.deepEqual(writers, []);
});

test("each text is named by a literal key, which the build replaces by the text", () => {
  const otherwise = /\bt\(\s*[^\s"]/;
  assert.deepEqual(
    modulesOfPages().filter((path) => otherwise.test(readFileSync(path, "utf-8"))),
    [],
  );
});

test("where footage was too slow, what was not seen is not known either", () => {
  const slow = { ...filmed(MAY_1), objects_missing: /** @type {const} */ ("too_slow") };
  const [row] = rowsOf(countsWith({ coverage: [slow] }));
  assert.deepEqual(
    [totalIn(row, objects), valueIn(row, "car", objects), totalIn(row, detections)],
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

test("the labels that the answer has together are a series; a single one keeps its name", () => {
  const totals = ["b", "a", null].map((label) => bucket(/** @type {string} */ (label), { detections: 2 }));
  const counts = countsWith({ labels: ["b", "a"], totals, rest: ["d", "c"] });
  const series = seriesOf(counts, detections, String);
  assert.deepEqual(
    series.map(({ name, label, total }) => [name, label, total.value]),
    [
      ["b", "b", 2],
      ["a", "a", 2],
      ["2 other labels", null, 2],
    ],
  );
  assert.equal(series[2].title, "d, c");
  const [, , last] = seriesOf({ ...counts, rest: ["d"] }, detections, String);
  assert.deepEqual([last.name, last.title], ["d", undefined]);
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

test("a bar filmed in part shows by how much of the time asked for, of each source with film", () => {
  const whole = { filmed_s: 1800, asked_s: 3600, sources: 3, part: 1 / 6, source: null };
  const rowWith = (/** @type {number|null} */ part) =>
    rowsOf(
      countsWith({
        coverage: [{ ...filmed(MAY_1, 1_800_000), filmed_part: part }],
        filmed: [whole],
        sources: ["a", "b", "c"],
      }),
    )[0];
  assert.deepEqual([0.26, 0.96, null].map(rowWith).map(isPartial), [true, false, false]);
  assert.equal(shareWords({ ...rowWith(0.26).filmed, part: 0.26 }), "26% of 3 × 30 mins");
});

test("a measure that is not known has the part that is", () => {
  assert.deepEqual(knownOf(objects, bucket("car", { objects: 2, measured_objects: 1 })), {
    value: 2,
    part: null,
  });
  const words = [{ objects: 2 }, { objects: null, measured_objects: 2 }, { objects: null }].map((one) =>
    knownWords(objects, knownOf(objects, bucket("car", one))),
  );
  assert.deepEqual(words, ["2", "at least 2", "not measured"]);
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

test("a lane says how much was filmed of the time asked for, where that is known", () => {
  const shareOf = (/** @type {number|null} */ part) => {
    const own = { source: "gate", filmed_s: 1, asked_s: 7200, sources: 1, part };
    const counts = countsWith({ coverage: [{ ...filmed(MAY_1), source: "gate" }], filmed: [own] });
    return lanesOf(counts, DEFAULT, [MAY_1, MAY_1 + 2 * HOUR])[0].share;
  };
  assert.deepEqual([1, 0.625, null].map(shareOf), ["100% of 2 hrs", "63% of 2 hrs", ""]);
});
