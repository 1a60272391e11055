// Movements: from which leg to which, and the balance of all visits; each number opens the visits behind it.

import { get } from "frametally/js/shared/api.js";
import { byId, el, refill } from "frametally/js/shared/dom.js";
import { labelName, moment, number } from "frametally/js/shared/format.js";
import { WHY_NOT } from "frametally/js/shared/metrics.js";
import { numberCell, rowOf, scrolledTable } from "frametally/js/shared/tables.js";
import { queryOf } from "./views.js";
import { pictureOf, Sightings } from "./sightings.js";
import { speedWords } from "./speeds.js";
import { joined, t } from "frametally/js/shared/texts.js";

/** @type {Record<NonNullable<Api.ShownVisit["began"]>, string>} */
const BEGAN = {
  border: t("traffic.came_in_at_the_border"),
  found: t("traffic.was_first_seen_within_the_picture"),
  gap: t("traffic.was_there_when_a_gap_ended"),
  footage: t("traffic.was_there_when_the_footage_began"),
  hour: t("traffic.was_there_before"),
};
/** @type {Record<NonNullable<Api.ShownVisit["ended"]>, string>} */
const ENDED = {
  border: t("traffic.went_out_at_the_border"),
  lost: t("traffic.was_last_seen_within_the_picture"),
  gap: t("traffic.was_there_when_a_gap_began"),
  footage: t("traffic.was_there_when_the_footage_ended"),
  hour: t("traffic.goes_on"),
};

/** @typedef {{outcome: "assigned"|"unassigned"|"never_at_a_leg", from_leg?: string, to_leg?: string}} Wanted */

/**
 * Why there are no movements; empty without legs, because the card is hidden then.
 * @param {Api.VisitBooks["missing"]} missing
 */
const whyNot = (missing) => (missing && missing !== "no_legs" ? WHY_NOT[missing] : "");

/**
 * The visits of some movements; of what is not known, its known part.
 * @param {Api.JunctionMovements} answer @param {(one: Api.MovementBucket) => boolean} wanted
 */
export const knownVisits = (answer, wanted) =>
  answer.movements.filter(wanted).reduce((all, { visits, at_least: part }) => all + (visits ?? part ?? 0), 0);

/**
 * That number in words: where a label is not measured, each number is a minimum, and none is 0.
 * @param {Api.JunctionMovements} answer @param {number} value
 */
export function visitWords({ books, unknown }, value) {
  if (!books.missing && !unknown.length) return number(value);
  return value ? t("web.at_least", { part: number(value) }) : "–";
}

export class MovementsCard {
  /** @param {import("./views.js").On} on */
  constructor(on) {
    this.proof = new Sightings(byId("movements-proof"), on);
    /** @type {{answer: Api.JunctionMovements, state: Page.State}|null} */
    this.shown = null;
  }

  /** @param {Page.State} state @param {Api.JunctionMovements} answer */
  show(state, answer) {
    this.shown = { state, answer };
    byId("movements-card").hidden = !answer.legs.length;
    if (!answer.legs.length) return;
    const { missing, at_least: seen } = answer.books;
    const { visits, assigned, unassigned, never_at_a_leg: never } = seen ?? answer.books;
    if (visits === null || assigned === null || unassigned === null || never === null) {
      refill(byId("movements-books"), t("traffic.movements_are_not_measured", { why: whyNot(missing) }));
      refill(byId("movements-table"));
      return;
    }
    refill(
      byId("movements-books"),
      missing ? t("traffic.movements_of_some_are_missing", { why: whyNot(missing) }) + " " : "",
      t("traffic.visits_are", { count: visits }),
      this.#counted(assigned, t("traffic.with_a_movement"), { outcome: "assigned" }),
      " + ",
      this.#counted(unassigned, t("traffic.at_a_leg_without_a_movement"), { outcome: "unassigned" }),
      " + ",
      this.#counted(never, t("traffic.never_at_a_leg"), { outcome: "never_at_a_leg" }),
    );
    refill(byId("movements-table"), this.#table(answer));
  }

  /** @param {Api.JunctionMovements} answer */
  #table(answer) {
    const legs = [...new Set(answer.legs.map(({ name }) => name))];
    /** @param {(one: Api.MovementBucket) => boolean} wanted */
    const sum = (wanted) => knownVisits(answer, wanted);
    /** @param {number} value */
    const words = (value) => visitWords(answer, value);
    const rows = legs.map((from) =>
      rowOf(
        from,
        ...legs.map((to) => {
          const visits = sum((one) => one.from_leg === from && one.to_leg === to);
          return el(
            "td.number",
            this.#button(visits, words(visits), { outcome: "assigned", from_leg: from, to_leg: to }),
          );
        }),
        numberCell(words(sum((one) => one.from_leg === from))),
      ),
    );
    const total = rowOf(
      t("traffic.together"),
      ...legs.map((to) => numberCell(words(sum((one) => one.to_leg === to)))),
      numberCell(words(sum(() => true))),
    );
    const columns = [t("traffic.from_to"), ...legs, t("traffic.together")];
    return scrolledTable(t("traffic.visits_by_the_leg_that_they"), columns, 1, rows, { total });
  }

  /** @param {number} value @param {string} words @param {Wanted} wanted */
  #counted(value, words, wanted) {
    return this.#button(value, joined([number(value), words], " "), wanted, words);
  }

  /** @param {number} value @param {string} text @param {Wanted} wanted @param {string} words */
  #button(value, text, wanted, words = "") {
    if (!value) return el("span.zero", text);
    const { from_leg: from, to_leg: to } = wanted;
    const title = from ? t("traffic.turn_from_to", { from, to }) : t("traffic.visits", { words });
    const name = from ? t("traffic.from_to_show_them", { text, from, to }) : null;
    return el("button.link", { "aria-label": name, onclick: () => this.#open(wanted, title) }, text);
  }

  /** @param {Wanted} wanted @param {string} title */
  #open(wanted, title) {
    if (!this.shown) return;
    const { state, answer } = this.shown;
    this.proof.open(title, async (cursor) => {
      const { from_ms: from, to_ms: to, base_interval_s: base } = answer;
      const page = await get("movements/visits", queryOf(state, { ...wanted, from, to, base, cursor }));
      return { ...page, sightings: page.entries.map((one) => sightingOf(one, page.legs)) };
    });
  }
}

/**
 * @param {Api.ShownVisit} one
 * @param {Api.CountedLine[]} legs
 * @returns {import("./sightings.js").Sighting}
 */
function sightingOf(one, legs) {
  const way = one.from_leg ? `${one.from_leg} → ${one.to_leg}` : t("traffic.no_movement");
  const title = `${labelName(one.label)}, ${way}`;
  const ends =
    one.began && one.ended ? [t("traffic.it_and", { BEGAN: BEGAN[one.began], ENDED: ENDED[one.ended] })] : [];
  const caption = moment(one.frame?.captured_at_ms ?? 0);
  return {
    words: [`${number(one.number)}. ${title}`, `${moment(one.time_ms)}${speedWords(one)}`, ...ends],
    pictures: pictureOf(one.frame, { lines: legs, way: one }, { title, caption }),
  };
}
