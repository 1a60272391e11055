import "./browser.js";

import assert from "node:assert/strict";
import { test } from "node:test";

import { selectionQuery } from "../frametally_web/static/js/shared/api.js";
import {
  DEFAULT,
  formatState,
  isUnfiltered,
  parseState,
  unreadable,
  withoutStaleBar,
} from "../frametally_web/static/js/shared/state.js";
import { countsWith, DAY, HOUR, MAY_1 } from "./counts.js";
import { giveUpZone, OWN_ZONE, setSourceZone, zoneOf } from "../frametally_web/static/js/shared/time.js";

test("a link reproduces the whole state", () => {
  const state = {
    labels: ["car", "traffic light"],
    sources: ["east/road"],
    metric: /** @type {const} */ ("peak"),
    from: Date.UTC(2024, 4, 1),
    to: Date.UTC(2024, 4, 2, 0, 0, 0, 5),
    hours: "22:00-06:30",
    weekdays: [1, 2, 7],
    interval: 900,
    timezone: "Asia/Kolkata",
    model: "yolo-1",
    zone: "bus stop, north",
    compare: "source:gate",
    at: Date.UTC(2024, 4, 1, 8),
    frame: "images/1.jpg",
    chart: /** @type {const} */ ("lines"),
    view: /** @type {const} */ ("table"),
    boxes: false,
    empty: true,
  };
  assert.deepEqual(parseState(formatState(state)), state);
});

test("a state at its defaults needs no query", () => {
  assert.equal(formatState(DEFAULT), "");
  assert.deepEqual(parseState(""), DEFAULT);
  assert.ok(isUnfiltered(DEFAULT));
});

for (const query of [
  "metric=weight",
  "from=yesterday",
  "to=9e99",
  "interval=0",
  "interval=-5",
  "timezone=Mars/Olympus",
  "timezone=%2B02:00",
  "compare=everything",
  "label=",
  "hours=8-9",
  "hours=08:00-25:00",
  "hours=08:00-08:00",
  "hours=00:00-24:00",
  "weekdays=0",
  "weekdays=8",
  "weekdays=Monday",
  "weekdays=1,2,3,4,5,6,7",
]) {
  test(`an unreadable value keeps its default: ${query}`, () => {
    assert.deepEqual(parseState(query), DEFAULT);
  });
}

test("what an address asks for and cannot be read is named as it is written, and nothing else is", () => {
  const address =
    "from=abc&label=car&interval=-5&to=2024-05-01T00:00:00Z&timezone=Mars&hours=8-9&weekdays=0&metric=x&at=y";
  assert.deepEqual(
    unreadable(`${address}&compare=z&page=9`).map((pair) => pair.join("=")),
    ["metric=x", "from=abc", "at=y", "hours=8-9", "weekdays=0", "interval=-5", "timezone=Mars", "compare=z"],
  );
  const usual = "metric=auto&from=&hours=00:00-24:00&weekdays=1,2,3,4,5,6,7";
  assert.deepEqual(unreadable(`${usual}&timezone=${OWN_ZONE}`), []);
  assert.deepEqual(parseState(usual), DEFAULT);
});

test("a frame is named only where its bar is", () => {
  assert.equal(formatState({ ...DEFAULT, frame: "images/1.jpg" }), "");
});

test("a request names the stored interval, and bars only where the route has them", () => {
  const state = {
    ...DEFAULT,
    labels: ["car", "bus"],
    from: 5,
    interval: 60,
    timezone: "UTC",
    hours: "08:00-24:00",
    weekdays: [6, 7],
  };
  assert.equal(
    String(selectionQuery(state, { base: 10 })),
    "label=car&label=bus&from=5&hours=08%3A00-24%3A00&weekdays=6%2C7&timezone=UTC&base=10",
  );
  assert.equal(
    String(selectionQuery({ ...state, metric: "peak" }, { bars: true })),
    "label=car&label=bus&from=5&hours=08%3A00-24%3A00&weekdays=6%2C7&timezone=UTC&interval=60&metric=peak",
  );
  assert.equal(selectionQuery(DEFAULT, { bars: true }).get("metric"), "auto");
});

test("weekdays have one order in the address, and hours past midnight are read", () => {
  assert.equal(formatState(parseState("weekdays=5,1,5&hours=23:00-01:00")), "hours=23:00-01:00&weekdays=1,5");
});

test("a bar that the range does not hold is dropped, one at its edge is kept", () => {
  const counts = countsWith({ from_ms: MAY_1 + HOUR / 2, to_ms: MAY_1 + DAY });
  const opened = (/** @type {number} */ at) => ({ ...DEFAULT, at, frame: "images/1.jpg" });
  assert.deepEqual(withoutStaleBar(opened(MAY_1 - DAY), counts), DEFAULT);
  assert.deepEqual(withoutStaleBar(opened(MAY_1 + DAY), counts), DEFAULT);
  assert.equal(withoutStaleBar(opened(MAY_1), counts).at, MAY_1);
});

test("times of sources that share a zone are shown in it, unless the address names another", () => {
  for (const source of ["gate", "yard"]) setSourceZone(source, "Asia/Tokyo");
  setSourceZone("roof", "Asia/Kolkata");
  const zoneAt = (/** @type {string} */ query) => zoneOf(parseState(query));
  assert.equal(zoneAt("source=gate"), "Asia/Tokyo");
  assert.equal(zoneAt("source=Gate&source=yard"), "Asia/Tokyo");
  assert.equal(zoneAt("source=gate&source=roof"), OWN_ZONE);
  assert.equal(zoneAt("source=door"), OWN_ZONE);
  assert.equal(zoneAt(""), OWN_ZONE);
  assert.equal(zoneAt("source=gate&timezone=America/Lima"), "America/Lima");
  // One source's default zone is not a choice, because another source may have another default.
  const { timezone } = parseState("source=gate&timezone=Asia/Tokyo");
  assert.equal(zoneOf({ timezone, sources: ["roof"] }), "Asia/Kolkata");
  giveUpZone("Asia/Kolkata");
  assert.deepEqual([zoneAt("source=roof"), zoneAt("source=gate")], ["UTC", "Asia/Tokyo"]);
});
