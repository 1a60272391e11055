// Books: whether every frame is accounted for, by stage and by source; dead letters; runs.

import { askAgain, get } from "../js/shared/api.js";
import { byId } from "../js/shared/dom.js";
import { useAskedZone } from "../js/shared/state.js";
import {
  deadLettersTable,
  equation,
  findingsList,
  pace,
  runsTable,
  sourcesTable,
  stagesTable,
} from "../js/status/books.js";
import { footage, listen, showStrip, standing, verdict } from "../js/status/live.js";
import { hideNothing, showNothingYet } from "../js/status/nothing.js";
import { showFresh, showOutage, wordsOf } from "../js/status/notices.js";
import { joined, t } from "../js/shared/texts.js";

/** @type {number|null} */
let since = null;
/** The content of each part: an unchanged part keeps its focus and what is open in it. @type {Map<string, string>} */
const placed = new Map();

/**
 * @template Answer
 * @param {string} id
 * @param {Answer} answer
 * @param {(answer: Answer) => Node|string} make
 */
function put(id, answer, make) {
  const text = JSON.stringify(answer);
  if (placed.get(id) === text) return;
  placed.set(id, text);
  byId(id).replaceChildren(make(answer));
}

/** @param {Api.Books} books */
function show(books) {
  since = Date.now();
  showFresh(since);
  showStrip(books);
  if (byId("verdict").textContent !== verdict(books)) byId("verdict").textContent = verdict(books);
  byId("verdict").dataset.state = standing(books);
  put("findings", [books.needs, books.behind, books.notices], () =>
    findingsList(books, byId("findings").querySelector("details")?.open ?? false),
  );
  byId("equation").textContent = equation(books);
  byId("progress").textContent = joined([footage(books), pace(books)]);
  byId("model-input").textContent = books.model_input;
  put("stages", [books.stages, books.log], () => stagesTable(books));
  put("books", books.sources, () => sourcesTable(books));
  put("dead-causes", books.dead_letters, () => deadLettersTable(books));
  const isEmpty =
    !books.needs.length && !books.behind.length && !books.sources.some(({ expected }) => expected);
  byId("books-content").hidden = isEmpty;
  if (isEmpty) showNothingYet(t("web.health_nothing_yet"));
  else hideNothing();
  byId("books-page").dataset.state = "ready";
  showRuns(books.model);
}

/** @param {string|null} model */
async function showRuns(model) {
  try {
    put("runs", await get("runs", new URLSearchParams(model ? { model } : {})), runsTable);
  } catch (error) {
    put("runs", String(error), () => t("web.the_runs_cannot_be_shown", { error: wordsOf(error) }));
  }
}

/** @type {ReturnType<typeof setTimeout>|undefined} */
let again;

async function load() {
  clearTimeout(again);
  try {
    show(await get("status"));
  } catch (error) {
    again = askAgain(error, load); // the books may become available later than the index
    if (since !== null) return;
    byId("verdict").textContent = t("web.the_books_cannot_be_shown", { error: wordsOf(error) });
    byId("verdict").dataset.state = "behind";
  }
}

useAskedZone();
load();
listen({
  index: load,
  status: show,
  away: (error) => showOutage(error, since, load),
  back: load,
});
