// The page of jobs: what runs, waits, failed and has ended, as it is now.

import { byId, control, el, fillSelect } from "frametally/js/shared/dom.js";
import { number } from "frametally/js/shared/format.js";
import { showFault } from "frametally/js/status/notices.js";
import { speak, wordsOf } from "frametally/js/shell/saying.js";
import { Refreshing } from "../library/refreshing.js";
import { sendAgain } from "./asking.js";
import { overview, workers } from "./overview.js";
import { SECTIONS, addressOf, parseQuestion } from "./question.js";
import { Section } from "./section.js";
import { KINDS } from "./words.js";

const page = byId("jobs-page");
const content = byId("jobs-content");
const fields = {
  state: control("asked-state", HTMLSelectElement),
  kind: control("asked-kind", HTMLSelectElement),
};
const againAll = el("button", { type: "button", class: "button", text: "Try all of them again" });
const sections = SECTIONS.map(([name, title, states]) => new Section(name, title, states, () => list.now()));

/** Those that failed and are shown. @type {Page.Job[]} */
let failed = [];

/** @type {Refreshing<{asked: Section[], answers: Awaited<ReturnType<Section["ask"]>>[]}>} */
const list = new Refreshing(
  page,
  "The jobs",
  {
    ask: async (signal) => {
      const { state, kind } = question();
      const asked = sections.filter(({ name }) => !state || name === state);
      return { asked, answers: await Promise.all(asked.map((one) => one.ask(kind, signal))) };
    },
    show,
    failed: (reason, remedy) =>
      showNothing({
        title: "The jobs cannot be shown",
        text: `${reason} ${remedy}`.trim(),
        button: ["Try again", list.now],
      }),
  },
  5000,
);

const question = () => parseQuestion(location.search);

/** @returns {{away: () => void, back: () => void}} */
export function startJobs() {
  content.append(...sections.map(({ element }) => element));
  const ofFailed = sections.find(({ name }) => name === "failed");
  ofFailed?.list.before(againAll);
  againAll.addEventListener("click", tryAll);
  fields.state.addEventListener("change", () => ask({ ...question(), state: fields.state.value }));
  fields.kind.addEventListener("change", () => ask({ ...question(), kind: fields.kind.value }));
  return list.start();
}

/** @param {import("./question.js").Question} wanted */
function ask(wanted) {
  history.pushState(history.state, "", addressOf(wanted, location.search));
  for (const section of sections) section.pages = 1;
  list.now();
}

/** @param {{asked: Section[], answers: Awaited<ReturnType<Section["ask"]>>[]}} found */
function show({ asked, answers }) {
  const { kind } = question();
  const [{ answer: now }] = answers;
  const count = (/** @type {Page.JobState[]} */ states) => countOf(now.kinds, kind, states);
  for (const section of sections) if (!asked.includes(section)) section.hide();
  asked.forEach((section, at) => {
    const { jobs, hasMore } = answers[at];
    section.show(jobs, hasMore, count(section.states), now.uploads_allowed);
    if (section.name === "failed") failed = jobs;
    if (section.name === "running") showOverview(now, jobs);
  });
  againAll.hidden = !now.uploads_allowed || failed.length < 2;
  showAsked(now.kinds);
  const all = Object.values(now.states).reduce((sum, one) => sum + one, 0);
  byId("jobs-words").textContent = all ? headline(now.states) : "";
  byId("jobs-asked").hidden = !all;
  byId("jobs-off").hidden = now.uploads_allowed;
  byId("jobs-off").textContent = `Jobs cannot be tried again or cancelled here. ${now.remedy ?? ""}`;
  const found = answers.some(({ jobs }) => jobs.length);
  page.dataset.state = found ? "ready" : "empty";
  showNothing(found ? null : all ? NO_MATCH : NO_JOBS);
}

/** @param {Page.Jobs["kinds"]} kinds @param {string} kind @param {Page.JobState[]} states */
const countOf = (kinds, kind, states) =>
  Object.entries(kinds)
    .filter(([name]) => !kind || name === kind)
    .flatMap(([, of]) => states.map((state) => of[state] ?? 0))
    .reduce((sum, one) => sum + one, 0);

/** @param {Page.Jobs} now @param {Page.Job[]} running */
function showOverview(now, running) {
  byId("jobs-overview").replaceChildren(overview(now));
  byId("jobs-workers").replaceChildren(workers(running));
}

/** "2 running · 12 waiting · 1 failed · 240 ended" @param {Page.Jobs["states"]} states */
function headline({ running = 0, queued = 0, failed: lost = 0, done = 0, cancelled = 0 }) {
  return [
    `${number(running)} running`,
    `${number(queued)} waiting`,
    `${number(lost)} failed`,
    `${number(done + cancelled)} ended`,
  ].join(" · ");
}

/** @param {Page.Jobs["kinds"]} kinds */
function showAsked(kinds) {
  const { state, kind } = question();
  const states = SECTIONS.map(
    ([name, title, of]) =>
      /** @type {[string, string]} */ ([name, `${title} (${number(countOf(kinds, kind, of))})`]),
  );
  fillSelect(fields.state, [["", "All states"], ...states], state);
  const known = Object.entries(KINDS).filter(([name]) => name in kinds || name === kind);
  fillSelect(fields.kind, [["", "All kinds"], ...known], kind);
}

/** @typedef {{title: string, text: string, button: [string, () => void]|null}} Nothing */

/** @type {Nothing} */
const NO_JOBS = {
  title: "There are no jobs yet",
  text: "What is done to a video that was uploaded stands here: its frames, pictures, metadata, checks and versions.",
  button: null,
};
/** @type {Nothing} */
const NO_MATCH = {
  title: "No job is like this",
  text: "There are others.",
  button: ["Show all jobs", () => ask({ state: "", kind: "" })],
};

/** @param {Nothing|null} nothing */
function showNothing(nothing) {
  const place = byId("nothing");
  const text = JSON.stringify(nothing);
  place.hidden = nothing === null;
  if (nothing === null || place.dataset.text === text) return; // a button that has the keyboard keeps it
  place.dataset.text = text;
  const [name, onclick] = nothing.button ?? ["", undefined];
  place.replaceChildren(
    el("h2", { text: nothing.title }),
    el("p", { class: "muted", text: nothing.text }),
    nothing.button ? el("button", { type: "button", class: "button", text: name, onclick }) : "",
  );
}

async function tryAll() {
  againAll.disabled = true;
  try {
    for (const { id } of failed) await sendAgain(id);
    speak("They are tried again");
  } catch (error) {
    showFault("Not all of them are tried again", wordsOf(error));
  }
  againAll.disabled = false;
  list.now();
}
