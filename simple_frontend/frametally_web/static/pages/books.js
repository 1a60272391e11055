// Books: whether every frame is accounted for, by stage and by source; what was set aside; the runs.

import { ApiError, get } from "../js/shared/api.js";
import { byId } from "../js/shared/dom.js";
import { parseState } from "../js/shared/state.js";
import { useZone } from "../js/shared/time.js";
import { zoneOf } from "../js/shared/zones.js";
import {
  deadLetters,
  equation,
  pace,
  runsTable,
  sourcesTable,
  stagesTable,
  todo,
} from "../js/status/books.js";
import { listen } from "../js/status/live.js";
import { showFresh, showOutage } from "../js/status/notices.js";
import { footage, headline, showStrip } from "../js/status/strip.js";

/** @type {number|null} */
let since = null;
/** What stands in each place: where that stays as it was, the focus and what is open in it stay too. @type {Map<string, string>} */
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
  const verdict = headline(books);
  if (byId("verdict").textContent !== verdict) byId("verdict").textContent = verdict;
  byId("verdict").dataset.state = books.state;
  byId("equation").textContent = equation(books);
  byId("progress").textContent = [footage(books), pace(books)].filter(Boolean).join(" · ");
  put("todo", [books.behind, books.broken, books.lost_messages], () => todo(books));
  put("stages", [books.stages, books.log], () => stagesTable(books));
  put("books", books.sources, () => sourcesTable(books));
  put("dead-letters", books.dead_letters, () => deadLetters(books));
  byId("books-content").hidden = false;
  byId("books-page").dataset.state = "ready";
  showRuns(books.model);
}

/** @param {string|null} model */
async function showRuns(model) {
  try {
    put("runs", await get("runs", new URLSearchParams(model ? { model } : {})), runsTable);
  } catch (error) {
    put("runs", String(error), () => `The runs cannot be shown. ${reasonOf(error)}`);
  }
}

async function load() {
  try {
    show(await get("status"));
  } catch (error) {
    if (since === null) byId("verdict").textContent = `The books cannot be shown. ${reasonOf(error)}`;
  }
}

/** @param {unknown} error */
const reasonOf = (error) => (error instanceof ApiError ? `${error.message} ${error.remedy}` : String(error));

useZone(zoneOf(parseState(location.search)));
load();
listen({
  index: load,
  status: show,
  away: (reason) => showOutage(reason, since, load),
  back: load,
});
