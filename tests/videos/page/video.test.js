import "../../../simple_frontend/tests/browser.js";

import assert from "node:assert/strict";
import { test } from "node:test";

import { useZone } from "../../../simple_frontend/frametally_web/static/js/shared/time.js";
import { accountOf } from "../../../capabilities/frametally_videos/page/video/cards.js";
import { changeOf, fromField, toField } from "../../../capabilities/frametally_videos/page/video/editing.js";
import { seenAt } from "../../../capabilities/frametally_videos/page/video/found.js";
import { frameLength, placeOf } from "../../../capabilities/frametally_videos/page/video/screen.js";

const FRAME_S = 1 / 25;

/** @param {Partial<Api.LibraryVideo["frames"]>} frames @param {string} [state] */
const account = (frames, state = "ready") =>
  accountOf(
    /** @type {any} */ ({
      state,
      frames: { expected: 9, announced: 9, detected: 9, dead_lettered: 0, counted: 9, ...frames },
    }),
  );

test("an account adds up, or names the first step that does not", () => {
  assert.equal(account({}).verdict, "even");
  assert.equal(account({ detected: 7, dead_lettered: 2, counted: 7 }).verdict, "even");
  for (const [frames, said] of /** @type {[Partial<Api.LibraryVideo["frames"]>, RegExp][]} */ ([
    [{ expected: 10 }, /^Expected: 10; announced: 9/],
    [{ expected: null }, /^Expected: unknown/],
    [{ detected: 8 }, /^Announced: 9; analysed or unreadable: 8/],
    [{ counted: 8 }, /^Analysed: 9; counted: 8/],
    [{ counted: null }, /; counted: unknown/],
  ])) {
    assert.equal(account(frames).verdict, "odd");
    assert.match(account(frames).words, said);
    assert.equal(account(frames, "counting").verdict, "open");
  }
  assert.equal(account({ expected: null, announced: null, detected: null, counted: null }).verdict, "none");
});

test("boxes are those of the last frame up to a place that was analysed, for a second at most", () => {
  const frames = [0, 0.2, 0.4, 3].map((position_s) => ({ position_s, captured_at_ms: 0, boxes: [] }));
  const at = (/** @type {number} */ positionS) => {
    const seen = seenAt(frames, positionS, FRAME_S, false);
    return seen && [seen.frame.position_s, seen.isExact];
  };
  assert.deepEqual(at(0), [0, true]);
  assert.deepEqual(at(0.1999), [0.2, true]); // rounded differently
  assert.deepEqual(at(0.16), [0, false]);
  assert.deepEqual(at(0.24), [0.2, false]);
  assert.deepEqual(at(1.4), [0.4, false]);
  assert.equal(at(1.5), null);
  assert.deepEqual(at(3.001), [3, true]);
  assert.equal(seenAt([], 0, FRAME_S, false), null);
});

test("where the rate varies, boxes are of the frame that is shown, however near the next ones are", () => {
  const frames = [0, 0.033, 0.05, 0.2, 0.233].map((at) => ({ position_s: at, captured_at_ms: 0, boxes: [] }));
  for (const { position_s: at } of frames) {
    assert.equal(seenAt(frames, at + 0.0004, 0.083, false)?.frame.position_s, at);
    assert.equal(seenAt(frames, at - 0.0004, 0.083, false)?.frame.position_s, at);
  }
});

test("a place within a frame has the boxes of the frame that begins before it, and none of the next", () => {
  const frames = [0, 0.866, 1, 1.033].map((at) => ({ position_s: at, captured_at_ms: 0, boxes: [] }));
  for (const [at, begins] of [
    [0.9, 0.866],
    [0.98, 0.866],
    [0.9996, 1],
    [1.02, 1],
    [1.04, 1.033],
  ]) {
    assert.equal(seenAt(frames, at, 0.083, true)?.frame.position_s, begins);
  }
  assert.equal(seenAt(frames, 0.9, 0.083, true)?.isExact, true);
  assert.equal(seenAt(frames, 0.98, 0.083, true)?.isExact, false); // the frame may be a later one
});

test("a step goes into the middle of the next frame, and never out of the video", () => {
  assert.equal(frameLength(null), 1 / 25);
  assert.equal(frameLength(0), 1 / 25);
  assert.equal(placeOf(1, 1, FRAME_S, 20).toFixed(3), "1.060");
  assert.equal(placeOf(1, -1, FRAME_S, 20).toFixed(3), "0.980");
  assert.equal(placeOf(0, -1, FRAME_S, 20), 0);
  assert.equal(placeOf(19.96, 1, FRAME_S, 20), 19.99);
});

test("a moment goes into a field and comes back as it was, to the millisecond", () => {
  for (const zone of ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York"]) {
    useZone(zone);
    for (const ms of [0, 1, 1_714_550_400_000, 1_714_550_400_120, 1_714_550_401_007, -1, -1001]) {
      assert.equal(fromField(toField(ms)), ms, `${zone} ${ms}`);
    }
  }
  assert.equal(toField(null), "");
  assert.equal(fromField(""), null);
  useZone("UTC");
  assert.equal(fromField("2024-05-01T08:00"), 1_714_550_400_000);
  assert.equal(fromField("2024-05-01T08:00:00.5"), 1_714_550_400_500);
});

test("only what was changed is sent", () => {
  useZone("Europe/Berlin");
  const video = /** @type {any} */ ({ name: "Gate", source_name: "East", started_at_ms: 1_714_550_400_125 });
  const typed = { name: "Gate", source: "East", time: "2024-05-01T10:00:00.125" };
  assert.deepEqual(changeOf(video, typed), {});
  assert.deepEqual(changeOf(video, { ...typed, name: "Door" }), { name: "Door" });
  assert.deepEqual(changeOf(video, { ...typed, source: "West" }), { source: "West" });
  assert.deepEqual(changeOf(video, { ...typed, time: "" }), {}); // a time is never removed
  assert.deepEqual(changeOf(video, { ...typed, time: "2024-05-01T11:00:00" }), {
    start_time: "2024-05-01T09:00:00.000Z",
    timezone: "Europe/Berlin",
  });
});
