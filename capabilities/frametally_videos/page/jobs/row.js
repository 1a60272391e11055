// One job: its kind, its progress, why it failed, and the buttons that retry or cancel it.

import { arrange, el } from "frametally/js/shared/dom.js";
import { press, speak } from "frametally/js/status/notices.js";
import { tellNews } from "../library/news.js";
import { visible } from "../library/words.js";
import { enhancementWords, isOpen, jobWords, KINDS, timesWords } from "./words.js";
import { sendAgain, sendCancel } from "../library/requests.js";
import { t } from "frametally/js/shared/texts.js";

/** @typedef {{element: HTMLLIElement, show: (job: Api.VideoJob, leave: boolean) => void}} Row */

/**
 * A row keeps its element when its words change, so that it keeps the focus.
 * @param {boolean} namesVideo  whether it links to the job's video
 * @returns {Row}
 */
function makeRow(namesVideo) {
  const kind = el("span.strong");
  const options = el("span.muted.small.job-options");
  const video = el("a.job-video.ellipsis", { hidden: !namesVideo });
  const words = el("span.job-words");
  const bar = el("progress", { max: "1", "aria-label": t("web.progress"), hidden: true });
  const reason = el("p.job-reason.small");
  const times = el("p.muted.small.job-times");
  const said = el("p.form-said.small", { role: "alert", hidden: true });
  const again = el("button.button", t("web.try_again"));
  const cancel = el("button.button", t("web.cancel"));
  const element = el(
    "li.job.outcome",
    el("div.job-head", kind, options, video, words),
    el("div.job-buttons", again, cancel),
    bar,
    reason,
    times,
    said,
  );
  /** @type {Api.VideoJob|null} */
  let shown = null;
  let text = "";

  /**
   * @param {HTMLButtonElement} button
   * @param {typeof sendAgain} request
   * @param {string} done  what a screen reader says then
   */
  const sends = (button, request, done) =>
    button.addEventListener("click", async () => {
      await press(button, said, async () => {
        await request(shown?.id ?? "");
        speak(done);
      });
      tellNews();
    });
  sends(again, sendAgain, t("videos.it_is_tried_again"));
  sends(cancel, sendCancel, t("videos.it_is_cancelled"));

  /** @param {Api.VideoJob} job @param {boolean} leave  whether you may change it */
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
    if (namesVideo) showVideo(/** @type {Api.JobOfVideo} */ (job));
    words.textContent = jobWords(job);
    bar.hidden = job.state !== "running";
    if (job.progress !== null) bar.value = job.progress;
    else bar.removeAttribute("value");
    reason.textContent = job.reason ? visible(job.reason) : "";
    times.textContent = [timesWords(job), ...workerWords(job)].join(" · ");
    const name = `${kind.textContent}${namesVideo ? t("videos.of", { textContent: video.textContent }) : ""}`;
    again.hidden = !leave || (job.state !== "failed" && job.state !== "cancelled");
    again.setAttribute("aria-label", t("videos.try_again", { name }));
    cancel.hidden = !leave || !isOpen(job) || job.kind === "removal";
    cancel.setAttribute("aria-label", t("videos.cancel", { name }));
    // Move the focus to the next action, so that the same key undoes a cancellation.
    if (hadFocus && document.activeElement === document.body) {
      [again, cancel].find((one) => !one.hidden)?.focus();
    }
  }

  /** @param {Api.JobOfVideo} job */
  function showVideo(job) {
    video.textContent = visible(job.video_name);
    video.title = video.textContent;
    video.href = `/videos?v=${encodeURIComponent(job.video_id)}&tab=processing`;
  }

  return { element, show };
}

/** The worker that runs the job, if the server names it. @param {Api.VideoJob & {worker?: string}} job */
const workerWords = ({ state, worker }) =>
  worker && state === "running" ? [t("videos.by_worker", { worker: visible(worker) })] : [];

/** Keeps rows when jobs change places. @param {HTMLElement} list @param {boolean} namesVideo */
export function keepRows(list, namesVideo) {
  /** @type {Map<string, Row>} */
  const rows = new Map();
  /** @param {Api.VideoJob[]} jobs @param {boolean} leave */
  return (jobs, leave) => {
    const wanted = jobs.map((job) => {
      const row = rows.get(job.id) ?? makeRow(namesVideo);
      row.show(job, leave);
      rows.set(job.id, row);
      return row.element;
    });
    const shown = new Set(jobs.map(({ id }) => id));
    for (const id of rows.keys()) if (!shown.has(id)) rows.delete(id);
    arrange(list, wanted);
  };
}
