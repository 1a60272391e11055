// One job: what is done, how far it is, why it failed, and the buttons by which it is tried again or cancelled.

import { el } from "frametally/js/shared/dom.js";
import { visible } from "../library/words.js";
import { sendAgain, sendCancel } from "./asking.js";
import { sendOnPress } from "./pressing.js";
import { KINDS, enhancementWords, isOpen, jobWords, timesWords } from "./words.js";

/** @typedef {{element: HTMLLIElement, show: (job: Page.VideoJob, leave: boolean) => void}} Row */

/**
 * A row that stays the same element while what it says changes: the keyboard stays where it is.
 * @param {boolean} namesVideo  whether it leads to the job's video
 * @returns {Row}
 */
export function makeRow(namesVideo) {
  const kind = el("span", { class: "strong" });
  const options = el("span", { class: "muted small job-options" });
  const video = el("a", { class: "job-video ellipsis", hidden: !namesVideo });
  const words = el("span", { class: "job-words" });
  const bar = el("progress", { max: "1", "aria-label": "Progress", hidden: true });
  const reason = el("p", { class: "job-reason small" });
  const times = el("p", { class: "muted small job-times" });
  const said = el("p", { class: "form-said small", role: "alert", hidden: true });
  const again = el("button", { type: "button", class: "button", text: "Try again" });
  const cancel = el("button", { type: "button", class: "button", text: "Cancel" });
  const element = el(
    "li",
    { class: "job" },
    el("div", { class: "job-head" }, kind, options, video, words),
    el("div", { class: "job-buttons" }, again, cancel),
    bar,
    reason,
    times,
    said,
  );
  /** @type {Page.VideoJob|null} */
  let shown = null;
  let text = "";

  sendOnPress(again, said, () => shown?.id, sendAgain, "It is tried again");
  sendOnPress(cancel, said, () => shown?.id, sendCancel, "It is cancelled");

  /** @param {Page.VideoJob} job @param {boolean} leave  whether it may be changed */
  function show(job, leave) {
    const now = JSON.stringify([job, leave]);
    if (now === text) return;
    const hadFocus = element.contains(document.activeElement);
    [shown, text] = [job, now];
    element.dataset.id = job.id;
    element.dataset.kind = job.kind;
    element.dataset.state = job.state;
    kind.textContent = KINDS[job.kind] ?? job.kind;
    options.textContent = enhancementWords(job.options);
    if (namesVideo) showVideo(/** @type {Page.Job} */ (job));
    words.textContent = jobWords(job);
    bar.hidden = job.state !== "running";
    if (job.progress !== null) bar.value = job.progress;
    else bar.removeAttribute("value");
    reason.textContent = job.reason ? visible(job.reason) : "";
    times.textContent = [timesWords(job), ...workerWords(job)].join(" · ");
    const name = `${kind.textContent}${namesVideo ? ` of ${video.textContent}` : ""}`;
    again.hidden = !leave || (job.state !== "failed" && job.state !== "cancelled");
    again.setAttribute("aria-label", `Try again: ${name}`);
    cancel.hidden = !leave || !isOpen(job) || job.kind === "removal";
    cancel.setAttribute("aria-label", `Cancel: ${name}`);
    // Who has just cancelled it can take that back by the same key.
    if (hadFocus && document.activeElement === document.body) {
      [again, cancel].find((one) => !one.hidden)?.focus();
    }
  }

  /** @param {Page.Job} job */
  function showVideo(job) {
    video.textContent = visible(job.video_name);
    video.title = video.textContent;
    video.href = `/videos?v=${encodeURIComponent(job.video_id)}&tab=processing`;
  }

  return { element, show };
}

/** Who is at it, where the server says so. @param {Page.VideoJob & {worker?: string}} job */
const workerWords = ({ state, worker }) => (worker && state === "running" ? [`by ${visible(worker)}`] : []);

/**
 * Rows that stay while jobs change their places.
 * @param {HTMLElement} list
 * @param {boolean} namesVideo
 */
export function keepRows(list, namesVideo) {
  /** @type {Map<string, Row>} */
  const rows = new Map();
  /** @param {Page.VideoJob[]} jobs @param {boolean} leave */
  return (jobs, leave) => {
    const held = document.activeElement;
    const wanted = jobs.map((job) => {
      const row = rows.get(job.id) ?? makeRow(namesVideo);
      row.show(job, leave);
      rows.set(job.id, row);
      return row.element;
    });
    const shown = new Set(jobs.map(({ id }) => id));
    for (const [id, { element }] of rows) {
      if (shown.has(id)) continue;
      rows.delete(id);
      element.remove();
    }
    wanted.forEach(
      (one, at) => list.children[at] !== one && list.insertBefore(one, list.children[at] ?? null),
    );
    if (held instanceof HTMLElement && held !== document.activeElement && list.contains(held)) held.focus();
  };
}
