// The pages' words about jobs and versions of videos, without a browser.

import assert from "node:assert/strict";
import test from "node:test";
import "../../../simple_frontend/tests/browser.js";

const { parseQuestion, addressOf, queryOf } =
  await import("../../../capabilities/frametally_videos/page/jobs/words.js");
const { KINDS, QUEUES, enhancementWords, jobWords } =
  await import("../../../capabilities/frametally_videos/page/jobs/words.js");
const { versionsOf } = await import("../../../capabilities/frametally_videos/page/enhance/versions.js");
const { backoff } = await import("../../../simple_frontend/frametally_web/static/js/shared/socket.js");

test("a question about jobs comes back from its address, and what is not its own stays there", () => {
  const question = { state: "failed", kind: "enhance" };
  const address = addressOf(question, "?label=car&state=queued");
  assert.deepEqual(parseQuestion(address), question);
  assert.match(address, /label=car/);
  assert.deepEqual(parseQuestion("?state=toString&kind=constructor"), { state: "", kind: "" });
});

test("jobs are asked for by each state of their section", () => {
  const asked = queryOf("checks", ["done", "cancelled"], "abc");
  assert.deepEqual(asked.getAll("state"), ["done", "cancelled"]);
  assert.equal(asked.get("kind"), "checks");
  assert.equal(asked.get("cursor"), "abc");
});

test("each kind of job is in one queue", () => {
  assert.deepEqual(QUEUES.flatMap(([, kinds]) => kinds).sort(), Object.keys(KINDS).sort());
});

test("an enhancement is told by what it changes", () => {
  assert.equal(enhancementWords(null), "");
  assert.equal(enhancementWords({}), "");
  assert.equal(
    enhancementWords({ brightness: -0.2, local_contrast: 0.333, deinterlace: "on", fps: 29.97 }),
    "brightness -0.2, local contrast 0.33, deinterlaced, 29.97 frames per second",
  );
});

test("a job says how far it is only while it runs, and its tries once there are several", () => {
  const job = /** @type {any} */ ({ state: "running", progress: 0.31, attempts: 1, ended_at_ms: null });
  assert.equal(jobWords(job), "running · 31%");
  assert.equal(jobWords({ ...job, progress: null }), "running");
  assert.equal(jobWords({ ...job, state: "queued", attempts: 2 }), "waiting · 2 attempts");
});

test("a video is watched as it came where browsers play that, else as it was made for them", () => {
  const made = (/** @type {string} */ kind, /** @type {any} */ more) =>
    /** @type {any} */ ({ kind, recipe: kind, url: `/${kind}`, enhancement: null, ...more });
  const video = (/** @type {boolean} */ plays, /** @type {string|null} */ playable) =>
    /** @type {any} */ ({ plays_in_browsers: plays, fps: 25, links: { playable } });
  const enhanced = made("enhanced", { enhancement: { fps: 10 } });
  const names = (/** @type {any} */ one, /** @type {any[]} */ all) =>
    versionsOf(one, all).map(({ name, fps }) => [name, fps]);
  assert.deepEqual(names(video(true, "/o"), [enhanced]), [
    ["original", 25],
    ["enhanced", 10],
  ]);
  assert.deepEqual(names(video(false, null), []), []);
  assert.deepEqual(names(video(false, "/playable"), []), [["playable", 25]]);
  assert.deepEqual(names(video(false, "/playable"), [enhanced, made("playable", {})]), [
    ["playable", 25],
    ["enhanced", 10],
  ]);
});

test("a socket that was cut is tried again after a second, then ever later, at most half a minute", () => {
  assert.deepEqual([0, 1, 2, 3, 6, 60, 2000].map(backoff), [1000, 1000, 2000, 4000, 30_000, 30_000, 30_000]);
});
