// What each kind of worker has to do, and who is at it.

import { el } from "frametally/js/shared/dom.js";
import { number, percent, toTheMinute } from "frametally/js/shared/format.js";
import { visible } from "../library/words.js";
import { KINDS, QUEUES } from "./words.js";

/** They are named; those that there are more stand below, each at its job. */
const MOST_WORKERS = 8;

/**
 * A table: a row for each queue, with how many of its jobs run, wait, and failed with no newer one, and since when.
 * @param {Pick<Page.Jobs, "kinds"|"failures">} jobs
 */
export function overview({ kinds, failures }) {
  const rows = QUEUES.map(([name, of]) => {
    const count = (/** @type {Page.JobState} */ state) =>
      of.reduce((sum, kind) => sum + (kinds[kind]?.[state] ?? 0), 0);
    const failed = of.reduce((sum, kind) => sum + (failures[kind]?.jobs ?? 0), 0);
    const begins = of.flatMap((kind) => failures[kind]?.since_ms ?? []);
    const since = begins.length ? `, since ${toTheMinute(Math.min(...begins))}` : "";
    return el(
      "tr",
      {},
      el("th", { scope: "row", text: name }),
      el("td", { class: "number", text: number(count("running")) }),
      el("td", { class: "number", text: number(count("queued")) }),
      el("td", { class: failed ? "number open" : "number", text: `${number(failed)}${since}` }),
    );
  });
  const heads = ["Run", "Wait", "Failed"].map((text) => el("th", { scope: "col", class: "number", text }));
  return el(
    "table",
    { class: "jobs-overview" },
    el("caption", { class: "visually-hidden", text: "Jobs by queue" }),
    el("thead", {}, el("tr", {}, el("th", { scope: "col", text: "Queue" }), ...heads)),
    el("tbody", {}, ...rows),
  );
}

/**
 * Who is at what.
 * @param {Page.Job[]} running
 */
export const workers = (running) =>
  running.length
    ? el(
        "ul",
        { class: "jobs-workers" },
        ...running
          .slice(0, MOST_WORKERS)
          .map((job) =>
            el(
              "li",
              {},
              el("bdi", { class: "strong", text: visible(job.worker || "a worker") }),
              el(
                "span",
                {},
                `${KINDS[job.kind] ?? job.kind} of `,
                el("bdi", { text: visible(job.video_name) }),
              ),
              el("span", { class: "muted", text: job.progress === null ? "" : percent(job.progress) }),
            ),
          ),
      )
    : el("p", { class: "muted", text: "Nobody is at work now." });
