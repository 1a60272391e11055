import "../../../simple_frontend/tests/browser.js";

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  fromInput,
  moment,
  span,
  toInput,
} from "../../../simple_frontend/frametally_web/static/js/shared/format.js";
import {
  msOf,
  partsOf,
  plus,
  startOf,
  useZone,
} from "../../../simple_frontend/frametally_web/static/js/shared/time.js";
import { DAY, HOUR } from "../../../simple_frontend/tests/counts.js";

const MINUTE = 60_000;
const at = (/** @type {number[]} */ ...[year, month, day, hour = 0, minute = 0]) =>
  msOf({ year, month, day, hour, minute });

test("a moment is called by the clock of the zone", () => {
  useZone("Asia/Kolkata");
  assert.deepEqual(partsOf(Date.UTC(2024, 4, 5, 18, 31, 7)), {
    ...{ year: 2024, month: 5, day: 6, hour: 0, minute: 1, second: 7 },
    weekday: 1,
  });
});

test("a name gives its moment back, in every zone that Node knows and at odd times", () => {
  const moments = [-62_135_596_800_000, -1, 0, 951_782_400_000, 1_774_746_000_123, 253_402_300_799_000];
  for (const zone of ["UTC", ...Intl.supportedValuesOf("timeZone")]) {
    useZone(zone);
    for (const ms of moments) {
      const again = msOf(partsOf(ms));
      assert.deepEqual(partsOf(again), partsOf(ms), `${zone} ${ms}`);
      assert.ok(Math.floor(ms / 1000) * 1000 >= again, "of two the first");
    }
  }
});

test("a time that the clocks skip lies after the gap, of two the first is meant", () => {
  useZone("Europe/Berlin");
  assert.equal(at(2026, 3, 29, 2, 30), Date.UTC(2026, 2, 29, 1, 30));
  assert.equal(at(2026, 10, 25, 2, 30), Date.UTC(2026, 9, 25, 0, 30));
  useZone("Pacific/Apia"); // this zone had no 30 December
  assert.equal(at(2011, 12, 30), at(2011, 12, 31));
});

test("days have 23, 24, 25 hours, and on Lord Howe Island halves of one", () => {
  const lengths = (/** @type {string} */ zone, /** @type {number[]} */ ...day) => {
    useZone(zone);
    const begun = at(...day);
    assert.equal(startOf(begun + 20 * HOUR, "day"), begun);
    return (plus(begun, { days: 1 }) - begun) / HOUR;
  };
  assert.equal(lengths("Europe/Berlin", 2026, 3, 29), 23);
  assert.equal(lengths("Europe/Berlin", 2026, 10, 25), 25);
  assert.equal(lengths("Europe/Berlin", 2026, 5, 1), 24);
  assert.equal(lengths("Australia/Lord_Howe", 2026, 4, 5), 24.5);
  assert.equal(lengths("Australia/Lord_Howe", 2026, 10, 4), 23.5);
});

test("a day whose midnight is skipped begins when the clocks go on", () => {
  useZone("America/Sao_Paulo");
  const noon = at(2018, 11, 4, 12);
  assert.equal(partsOf(startOf(noon, "day")).hour, 1);
  assert.equal(span(startOf(noon, "day"), startOf(plus(noon, { days: 1 }), "day")), "4 Nov 2018");
});

test("of an hour that comes twice each has its own beginning", () => {
  useZone("Europe/Berlin");
  const first = Date.UTC(2026, 9, 25);
  assert.equal(startOf(first + 30 * MINUTE, "hour"), first);
  assert.equal(startOf(first + HOUR + 30 * MINUTE, "hour"), first + HOUR);
});

test("weeks begin on Monday, months and years on their first day", () => {
  useZone("America/New_York");
  const sunday = at(2024, 3, 3, 23, 59);
  assert.equal(startOf(sunday, "week"), at(2024, 2, 26));
  assert.equal(startOf(sunday, "month"), at(2024, 3, 1));
  assert.equal(startOf(sunday, "year"), at(2024, 1, 1));
  assert.equal(startOf(sunday, "minute"), sunday);
});

test("days pass by the calendar at the same time of the clock, hours as they pass", () => {
  useZone("Europe/Berlin");
  const noon = at(2026, 3, 28, 12);
  assert.equal(plus(noon, { days: 1 }), noon + 23 * HOUR);
  assert.equal(plus(noon, { hours: 24 }), noon + DAY);
  assert.equal(plus(noon, { weeks: -1 }), noon - 7 * DAY);
  assert.equal(plus(at(2024, 1, 31), { months: 1 }), at(2024, 2, 29));
  assert.equal(plus(at(2024, 2, 29), { years: -1 }), at(2023, 2, 28));
  assert.equal(plus(noon + 5, { days: 0 }), noon + 5);
});

test("years before 100 and the ends of time are times like others", () => {
  useZone("UTC");
  const early = -62_135_596_800_000; // 0001-01-01
  assert.equal(toInput(early), "0001-01-01T00:00:00");
  assert.equal(fromInput("0001-01-01T00:00:00"), early);
  assert.equal(fromInput("0099-12-31T23:59"), startOf(Date.parse("0099-12-31T23:59Z"), "minute"));
  assert.deepEqual(partsOf(early - 1).year, 0);
  for (const zone of ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"]) {
    useZone(zone);
    for (const end of [-8.64e15, 8.64e15]) {
      assert.equal(typeof moment(end), "string");
      assert.equal(Number.isNaN(plus(end, { years: Math.sign(end) })), true);
    }
  }
  assert.equal(fromInput("999999-01-01T00:00"), null);
});
