// The jobs page: running, waiting, failed and finished jobs.

import { byId, control, el, fillSelect } from "frametally/js/shared/dom.js";
import { number } from "frametally/js/shared/format.js";
import { showFault, speak, wordsOf } from "frametally/js/status/notices.js";
import { Refreshing } from "../library/news.js";
import { hideNothing, showNothing } from "frametally/js/status/nothing.js";
import { overview, Section, workers } from "./sections.js";
import { addressOf, KINDS, parseQuestion, SECTIONS } from "./words.js";
import { sendAgain } from "../library/requests.js";
import { t } from "frametally/js/shared/texts.js";

const page = byId("jobs-page");
const content = byId("jobs-content");
const fields = {
  state: control("asked-state", HTMLSelectElement),
  kind: control("asked-kind", HTMLSelectElement),
};
const againAll = el("button.button", t("videos.try_all_of_them_again"));
const sections = SECTIONS.map(([name, title, states]) => new Section(name, title, states, () => list.now()));

/** The failed jobs on the page. @type {Api.JobOfVideo[]} */
let failed = [];

/** @type {Refreshing<{asked: Section[], answers: Awaited<ReturnType<Section["ask"]>>[]}>} */
const list = new Refreshing(
  page,
  t("videos.the_jobs"),
  {
    ask: async (signal) => {
      const { state, kind } = question();
      const asked = sections.filter(({ name }) => !state || name === state);
      return { asked, answers: await Promise.all(asked.map((one) => one.ask(kind, signal))) };
    },
    show,
    nothing: t("videos.the_jobs_cannot_be_shown"),
  },
  5000,
);

const question = () => parseQuestion(location.search);

export function startJobs() {
  content.append(...sections.map(({ element }) => element));
  const ofFailed = sections.find(({ name }) => name === "failed");
  ofFailed?.list.before(againAll);
  showAsked();
  againAll.addEventListener("click", tryAll);
  fields.state.addEventListener("change", () => ask({ ...question(), state: fields.state.value }));
  fields.kind.addEventListener("change", () => ask({ ...question(), kind: fields.kind.value }));
  return list.start();
}

/** @param {import("./words.js").Question} wanted */
function ask(wanted) {
  history.pushState(history.state, "", addressOf(wanted, location.search));
  for (const section of sections) section.pages = 1;
  list.now();
}

/** @param {{asked: Section[], answers: Awaited<ReturnType<Section["ask"]>>[]}} found */
function show({ asked, answers }) {
  const { kind } = question();
  const [{ answer: now }] = answers;
  const count = (/** @type {Api.VideoJob["state"][]} */ states) => countOf(now.kinds, kind, states);
  for (const section of sections) if (!asked.includes(section)) section.hide();
  asked.forEach((section, at) => {
    const { jobs, hasMore } = answers[at];
    section.show(jobs, hasMore, count(section.states), now.uploads_allowed);
    if (section.name === "failed") failed = jobs;
  });
  showOverview(now, answers[asked.findIndex(({ name }) => name === "running")]?.jobs);
  againAll.hidden = !now.uploads_allowed || failed.length < 2;
  showAsked(now.kinds);
  const all = Object.values(now.states).reduce((sum, one) => sum + one, 0);
  byId("jobs-words").textContent = all ? headline(now.states) : "";
  byId("jobs-asked").hidden = !all;
  byId("jobs-off").hidden = now.uploads_allowed;
  byId("jobs-off").textContent = t("videos.jobs_cannot_be_tried_again_or", { remedy: now.remedy ?? "" });
  const found = answers.some(({ jobs }) => jobs.length);
  page.dataset.state = found ? "ready" : "empty";
  if (found) hideNothing();
  else if (!all) showNothing(t("videos.there_are_no_jobs_yet"), t("videos.what_is_done_to_a_video"));
  else
    showNothing(t("videos.no_job_is_like_this"), t("videos.there_are_others"), {
      words: t("videos.show_all_jobs"),
      onclick: () => ask({ state: "", kind: "" }),
    });
}

/** @param {Api.JobList["kinds"]} kinds @param {string} kind @param {Api.VideoJob["state"][]} states */
const countOf = (kinds, kind, states) =>
  Object.entries(kinds)
    .filter(([name]) => !kind || name === kind)
    .flatMap(([, of]) => states.map((state) => of[state] ?? 0))
    .reduce((sum, one) => sum + one, 0);

/** @param {Api.JobList} now @param {Api.JobOfVideo[]|undefined} running  if they were requested */
function showOverview(now, running) {
  byId("jobs-overview").replaceChildren(overview(now));
  byId("jobs-working").hidden = !running;
  if (running) byId("jobs-workers").replaceChildren(workers(running));
}

/** "2 running · 12 waiting · 1 failed · 240 ended" @param {Api.JobList["states"]} states */
function headline({ running = 0, queued = 0, failed: lost = 0, done = 0, cancelled = 0 }) {
  return [
    t("videos.running", { running: number(running) }),
    t("videos.waiting", { queued: number(queued) }),
    t("videos.files_failed", { lost: number(lost) }),
    t("videos.ended", { done: number(done + cancelled) }),
  ].join(" · ");
}

/** @param {Api.JobList["kinds"]} [kinds]  existing kinds, once they are known */
function showAsked(kinds) {
  const { state, kind } = question();
  const states = SECTIONS.map(([name, title, of]) => [
    name,
    kinds ? `${title} (${number(countOf(kinds, kind, of))})` : title,
  ]);
  fillSelect(fields.state, [["", t("videos.all_states")], ...states], state);
  const known = Object.entries(KINDS).filter(([name]) => !kinds || name in kinds || name === kind);
  fillSelect(fields.kind, [["", t("videos.all_kinds")], ...known], kind);
}

async function tryAll() {
  againAll.disabled = true;
  try {
    for (const { id } of failed) await sendAgain(id);
    speak(t("videos.they_are_tried_again"));
  } catch (error) {
    showFault(t("videos.not_all_of_them_are_tried"), wordsOf(error));
  }
  againAll.disabled = false;
  list.now();
}
