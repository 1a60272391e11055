// Jobs that stand together on their page: those of some states, the newest first, and more of them where asked for.

import { el } from "frametally/js/shared/dom.js";
import { number } from "frametally/js/shared/format.js";
import { askJobs } from "./asking.js";
import { queryOf } from "./question.js";
import { keepRows } from "./row.js";

export class Section {
  /**
   * @param {string} name
   * @param {string} title
   * @param {Page.JobState[]} states
   * @param {() => void} onMore  another page of it is wanted
   */
  constructor(name, title, states, onMore) {
    this.name = name;
    this.title = title;
    this.states = states;
    this.pages = 1;
    this.heading = el("h2", { id: `jobs-${name}-title` });
    this.list = el("ul", { class: "jobs" });
    this.more = el("button", { type: "button", class: "button", text: "Show more", hidden: true });
    this.more.addEventListener("click", () => {
      this.pages += 1;
      onMore();
    });
    this.element = el(
      "section",
      { class: "card jobs-section", "data-section": name, "aria-labelledby": this.heading.id, hidden: true },
      this.heading,
      this.list,
      this.more,
    );
    this.showRows = keepRows(this.list, true);
  }

  /**
   * Asks for as many pages of it as are open.
   * @param {string} kind
   * @param {AbortSignal} signal
   */
  async ask(kind, signal) {
    /** @type {Page.Job[]} */
    const jobs = [];
    /** @type {Page.Jobs|null} */
    let answer = null;
    for (let page = 0; page < this.pages; page += 1) {
      answer = await askJobs(queryOf(kind, this.states, answer?.next ?? ""), signal);
      jobs.push(...answer.jobs);
      if (!answer.next) break;
    }
    return { jobs, hasMore: Boolean(answer?.next), answer: /** @type {Page.Jobs} */ (answer) };
  }

  /**
   * @param {Page.Job[]} jobs
   * @param {boolean} hasMore
   * @param {number} all  in these states, of this kind
   * @param {boolean} leave  whether they may be changed
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
