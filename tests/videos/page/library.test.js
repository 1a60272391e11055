// The list of videos and the words about files, without a browser.

import assert from "node:assert/strict";
import { Blob } from "node:buffer";
import { TextEncoder } from "node:util";
import test from "node:test";
import "../../../simple_frontend/tests/browser.js";

const { parseQuestion, addressOf, queryOf } =
  await import("../../../capabilities/frametally_videos/page/library/question.js");
const { bytes } = await import("../../../simple_frontend/frametally_web/static/js/shared/format.js");
const { playTime, visible } = await import("../../../capabilities/frametally_videos/page/library/words.js");
const { tilesIn } = await import("../../../capabilities/frametally_videos/page/library/card.js");
const { calibrationWords, regionWords, verdictOn } =
  await import("../../../capabilities/frametally_videos/page/uploads/checks.js");
const { containerTime } = await import("../../../capabilities/frametally_videos/page/uploads/checks.js");
const { hash } = await import("../../../capabilities/frametally_videos/page/uploads/checks.js");
const { Speed } = await import("../../../capabilities/frametally_videos/page/uploads/checks.js");

test("a question comes back from its address, and what is not its own stays there", () => {
  const question = { text: "gate & yard", sources: ["a", "b"], state: "failed", order: "name:asc" };
  const address = addressOf(question, "?label=car&q=old&source=z&v=1");
  assert.deepEqual(parseQuestion(address), question);
  assert.match(address, /label=car/);
  assert.match(address, /v=1/);
  assert.doesNotMatch(address, /old|source=z/);
});

test("what stands in an address and cannot be is as if it were not there", () => {
  const usual = { text: "", sources: [], state: "", order: "uploaded:desc" };
  assert.deepEqual(parseQuestion("?state=toString&order=nothing&direction=up&source="), usual);
});

test("what is in work is asked for by each of its states", () => {
  const asked = queryOf({ text: "", sources: [], state: "work", order: "size:desc" }, "abc");
  assert.deepEqual(asked.getAll("state"), ["received", "producing", "detecting", "counting"]);
  assert.equal(asked.get("cursor"), "abc");
  assert.equal(asked.get("limit"), "48");
});

test("sizes and lengths are written as people read them", () => {
  assert.deepEqual([0, 999, 1000, 4_200_000, 130e6, 20e9].map(bytes), [
    ...["0 bytes", "999 bytes", "1 kB", "4.2 MB", "130 MB", "20 GB"],
  ]);
  assert.deepEqual([0, 59.6, 79, 3723].map(playTime), ["0:00", "1:00", "1:19", "1:02:03"]);
});

test("what nobody sees in a name is shown by a sign", () => {
  assert.equal(visible("a\u202eb\nc\u2066"), "a[U+202E]b\u240ac[U+2066]");
  assert.equal(visible("Straße 😀 שער"), "Straße 😀 שער");
});

test("places of small pictures are read from what leads to them, and from nothing else", () => {
  const text = "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nsprite?v=1#xywh=160,90,160,90\n\nNOTE #xywh=a,b\n";
  assert.deepEqual(tilesIn(text), [{ x: 160, y: 90, width: 160, height: 90 }]);
});

test("a region says what it is, or that it is none, while it is typed", () => {
  const cases = [
    ["", "", ""],
    ['{"x":1,"y":1,"width":5,"height":3}', "A rectangle of 5 × 3 pixels.", ""],
    ['{"points":[[0,0],[1,1]]}', "A region of 2 points.", ""],
    ['{"regions":[{"points":[[0,0]]},{"x":1,"y":1,"width":5,"height":3}]}', "2 regions.", ""],
    ['{"regions":[{"points":[[0,0]]},{"x":1,"y":1,"width":5}]}', "", "none"],
    ['{"regions":[]}', "", "none"],
    ['{"points":[[0,0],[1,"2"]]}', "", "none"],
    ['{"points":[[0,0],[1]]}', "", "none"],
    ["[1]", "", "none"],
    ["null", "", "none"],
    ["{", "", "Not valid JSON"],
  ];
  for (const [text, said, fault] of cases) {
    const verdict = verdictOn(text, regionWords, "none");
    assert.equal(verdict[0], said, text);
    assert.ok(fault ? verdict[1].startsWith(fault) : verdict[1] === "", `${text}: ${verdict[1]}`);
  }
});

test("a calibration says whether it can give speeds", () => {
  const square = [
    [0, 0],
    [1, 0],
    [1, 1],
    [0, 1],
  ];
  const whole = { points: square, metres: square };
  assert.equal(calibrationWords(whole), "4 points with coordinates in metres.");
  assert.match(calibrationWords({ points: [[0, 0]] }) ?? "", /no speed/);
  assert.equal(calibrationWords({ metres: square }), null);
  assert.equal(calibrationWords({ points: square, metres: "4" }), null);
});

test("a file says when it was filmed, wherever in it that stands", async () => {
  const seconds = Date.UTC(2024, 4, 1) / 1000 - Date.UTC(1904, 0, 1) / 1000;
  const box = (name, body) => {
    const made = new Uint8Array(8 + body.length);
    new DataView(made.buffer).setUint32(0, made.length);
    made.set(new TextEncoder().encode(name), 4);
    made.set(body, 8);
    return made;
  };
  const times = new Uint8Array(100);
  new DataView(times.buffer).setUint32(4, seconds);
  const moov = box("moov", box("mvhd", times));
  const film = new Blob([box("ftyp", new Uint8Array(8)), box("mdat", new Uint8Array(100_000)), moov]);
  assert.equal(await containerTime(film), Date.UTC(2024, 4, 1));
  const matroska = new Uint8Array(64);
  const view = new DataView(matroska.buffer);
  view.setUint32(0, 0x1a45dfa3);
  view.setUint16(20, 0x4461);
  view.setUint8(22, 0x88);
  view.setBigInt64(23, BigInt(Date.UTC(2024, 4, 1) - Date.UTC(2001, 0, 1)) * 1_000_000n);
  assert.equal(await containerTime(new Blob([matroska])), Date.UTC(2024, 4, 1));
  for (const none of [[], [new Uint8Array(3)], [new Uint8Array(40)], [moov.slice(0, 20)]]) {
    assert.equal(await containerTime(new Blob(none)), null);
  }
});

test("other beginnings of files have other fingerprints", () => {
  const seen = new Set(Array.from({ length: 1000 }, (_, at) => hash(new Uint8Array([at % 256, at >> 8, 7]))));
  assert.equal(seen.size, 1000);
});

test("the rest takes as long as the last seconds were fast", () => {
  const speed = new Speed();
  for (let at = 0; at <= 10; at += 1) speed.note(at * 1000, at * 1_000_000);
  assert.equal(speed.rate, 1_000_000);
  assert.equal(speed.left(15_000_000), 5000);
  speed.note(11_000, 5_000_000); // after an interruption, from the server's position
  assert.equal(speed.rate, null);
});
