// The parts of the jobs page: the queues and workers of each kind, and groups of jobs.

import { el } from "frametally/js/shared/dom.js";
import { number, percent, toTheMinute } from "frametally/js/shared/format.js";
import { namedTable, numberCell, rowOf } from "frametally/js/shared/tables.js";
import { visible } from "../library/words.js";
import { keepRows } from "./row.js";
import { KINDS, queryOf, QUEUES } from "./words.js";
import { askJobs } from "../library/requests.js";
import { t } from "frametally/js/shared/texts.js";

/** The most workers that are named; further down, each job names its worker. */
const MOST_WORKERS = 8;

/**
 * A row for each queue: how many jobs are running, waiting, or failed without a newer job, and since when.
 * @param {Pick<Api.JobList, "kinds"|"failures">} jobs
 */
export function overview({ kinds, failures }) {
  const rows = QUEUES.map(([name, of]) => {
    const count = (/** @type {Api.VideoJob["state"]} */ state) =>
      of.reduce((sum, kind) => sum + (kinds[kind]?.[state] ?? 0), 0);
    const failed = of.reduce((sum, kind) => sum + (failures[kind]?.jobs ?? 0), 0);
    const begins = of.flatMap((kind) => failures[kind]?.since_ms ?? []);
    const since = begins.length ? t("videos.since", { min: toTheMinute(Math.min(...begins)) }) : "";
    return rowOf(
      name,
      numberCell(number(count("running"))),
      numberCell(number(count("queued"))),
      numberCell(`${number(failed)}${since}`, failed ? "number open" : "number"),
    );
  });
  const names = [t("videos.queue"), t("videos.run"), t("videos.wait"), t("videos.failed_title")];
  return namedTable(t("videos.jobs_by_queue"), names, 1, rows, { kind: "jobs-overview" });
}

/** Which worker runs which job. @param {Api.JobOfVideo[]} running */
export function workers(running) {
  if (!running.length) return el("p.muted", t("videos.nobody_is_at_work_now"));
  const rows = running.slice(0, MOST_WORKERS).map(({ worker, kind, video_name: name, progress }) => {
    const what = t("videos.kinds_of", { KINDS: KINDS[kind] ?? kind });
    return el(
      "li",
      el("bdi.strong", visible(worker || t("videos.a_worker"))),
      el("span", what, el("bdi", visible(name))),
      el("span.muted", progress === null ? "" : percent(progress)),
    );
  });
  return el("ul.jobs-workers", ...rows);
}

export class Section {
  /**
   * @param {string} name
   * @param {string} title
   * @param {Api.VideoJob["state"][]} states
   * @param {() => void} onMore  called to request another page
   */
  constructor(name, title, states, onMore) {
    this.name = name;
    this.title = title;
    this.states = states;
    this.pages = 1;
    this.heading = el("h2", { id: `jobs-${name}-title` });
    this.list = el("ul.jobs.stack");
    this.more = el("button.button", { hidden: true }, t("web.show_more"));
    this.more.addEventListener("click", () => {
      this.pages += 1;
      onMore();
    });
    this.element = el(
      "section.card.jobs-section",
      { "data-section": name, "aria-labelledby": this.heading.id, hidden: true },
      this.heading,
      this.list,
      this.more,
    );
    this.showRows = keepRows(this.list, true);
  }

  /** Requests as many pages as are open. @param {string} kind @param {AbortSignal} signal */
  async ask(kind, signal) {
    /** @type {Api.JobOfVideo[]} */
    const jobs = [];
    /** @type {Api.JobList|null} */
    let answer = null;
    for (let page = 0; page < this.pages; page += 1) {
      answer = await askJobs(queryOf(kind, this.states, answer?.next ?? ""), signal);
      jobs.push(...answer.jobs);
      if (!answer.next) break;
    }
    return { jobs, hasMore: Boolean(answer?.next), answer: /** @type {Api.JobList} */ (answer) };
  }

  /**
   * @param {Api.JobOfVideo[]} jobs
   * @param {boolean} hasMore
   * @param {number} all  number of jobs in these states, of this kind
   * @param {boolean} leave  whether you may change them
   */
  show(jobs, hasMore, all, leave) {
    this.element.hidden = !jobs.length;
    this.heading.textContent = `${this.title} (${number(Math.max(all, jobs.length))})`;
    this.showRows(jobs, leave);
    this.more.hidden = !hasMore;
  }

  hide() {
    this.element.hidden = true;
    this.pages = 1;
  }
}
