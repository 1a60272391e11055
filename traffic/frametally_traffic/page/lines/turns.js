// Movements: from which leg to which, and the books of all visits; each number opens the visits behind it.

import { get } from "frametally/js/shared/api.js";
import { byId, el, refill } from "frametally/js/shared/dom.js";
import { moment, number } from "frametally/js/shared/format.js";
import { numberCell, rowOf, scrollable, spokenCaption, tableOf } from "frametally/js/shared/tables.js";
import { queryOf } from "./form.js";
import { pictureOf, Sightings } from "./sightings.js";
import { speedWords } from "./speeds.js";

/** @type {Record<NonNullable<Api.ShownVisit["began"]>, string>} */
const BEGAN = {
  border: "came in at the border",
  found: "was first seen within the picture",
  gap: "was there when a gap ended",
  footage: "was there when the footage began",
  hour: "was there before",
};
/** @type {Record<NonNullable<Api.ShownVisit["ended"]>, string>} */
const ENDED = {
  border: "went out at the border",
  lost: "was last seen within the picture",
  gap: "was there when a gap began",
  footage: "was there when the footage ended",
  hour: "goes on",
};

/** @typedef {{outcome: "assigned"|"unassigned"|"never_at_a_leg", from_leg?: string, to_leg?: string}} Wanted */

export class MovementsCard {
  /**
   * @param {Object} on
   * @param {Page.ColorOf} on.colorOf
   * @param {(pictures: import("./sightings.js").Large[], position: number) => void} on.open
   */
  constructor(on) {
    this.proof = new Sightings(byId("movements-proof"), on);
    /** @type {{answer: Api.JunctionMovements, state: Page.State}|null} */
    this.shown = null;
  }

  /**
   * @param {Page.State} state
   * @param {Api.JunctionMovements} answer
   */
  show(state, answer) {
    this.shown = { state, answer };
    byId("movements-card").hidden = !answer.legs.length;
    if (!answer.legs.length) return;
    const { visits, assigned, unassigned, never_at_a_leg: never } = answer.books;
    refill(
      byId("movements-books"),
      `${number(visits)} visits = `,
      this.#button(assigned, "with a movement", { outcome: "assigned" }),
      " + ",
      this.#button(unassigned, "at a leg without a movement", { outcome: "unassigned" }),
      " + ",
      this.#button(never, "never at a leg", { outcome: "never_at_a_leg" }),
    );
    refill(byId("movements-table"), this.#table(answer));
  }

  /** @param {Api.JunctionMovements} answer */
  #table(answer) {
    const legs = [...new Set(answer.legs.map(({ name }) => name))];
    /** @param {(one: Api.MovementBucket) => boolean} wanted */
    const sum = (wanted) => answer.movements.filter(wanted).reduce((all, { visits }) => all + visits, 0);
    const rows = legs.map((from) =>
      rowOf(
        from,
        ...legs.map((to) =>
          el(
            "td",
            { class: "number" },
            this.#button(
              sum((one) => one.from_leg === from && one.to_leg === to),
              "",
              { outcome: "assigned", from_leg: from, to_leg: to },
            ),
          ),
        ),
        numberCell(number(sum((one) => one.from_leg === from))),
      ),
    );
    return scrollable(
      "Movements from leg to leg",
      tableOf({
        caption: spokenCaption("Visits by the leg that they came over and the leg that they went over"),
        headings: [
          el("th", { scope: "col", text: "from ↓ to →" }),
          ...legs.map((text) => el("th", { scope: "col", class: "number", title: text, text })),
          el("th", { scope: "col", class: "number", text: "together" }),
        ],
        rows,
        total: rowOf(
          "together",
          ...legs.map((to) => numberCell(number(sum((one) => one.to_leg === to)))),
          numberCell(number(answer.books.assigned)),
        ),
      }),
    );
  }

  /**
   * @param {number} value
   * @param {string} words
   * @param {Wanted} wanted
   */
  #button(value, words, wanted) {
    const text = [number(value), words].filter(Boolean).join(" ");
    if (!value) return el("span", { class: "zero", text });
    const { from_leg: from, to_leg: to } = wanted;
    return el("button", {
      type: "button",
      class: "link",
      text,
      "aria-label": from ? `${text} from ${from} to ${to}: show them` : null,
      onclick: () => this.#open(wanted, from ? `From ${from} to ${to}` : `Visits ${words}`),
    });
  }

  /**
   * @param {Wanted} wanted
   * @param {string} title
   */
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
  const way = one.from_leg ? `${one.from_leg} → ${one.to_leg}` : "no movement";
  const title = `${one.label}, ${way}`;
  const ends = one.began && one.ended ? [`It ${BEGAN[one.began]} and ${ENDED[one.ended]}.`] : [];
  return {
    words: [`${number(one.number)}. ${title}`, `${moment(one.time_ms)}${speedWords(one)}`, ...ends],
    pictures: pictureOf(
      one.frame,
      { lines: legs, path: one.path },
      { title, caption: moment(one.frame?.captured_at_ms ?? 0) },
    ),
  };
}
