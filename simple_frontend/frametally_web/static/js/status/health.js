// The health strip: whether every frame is accounted for, at a glance, and the books behind it.

import { get } from "../shared/api.js";
import { byId, control, el } from "../shared/dom.js";
import { moment, number, plural, roughly } from "../shared/format.js";
import { booksTable, deadLetters, runsTable } from "./books.js";

export class Health {
  constructor() {
    /** @type {Api.Books|null} */
    this.books = null;
    this.details = control("health", HTMLDetailsElement);
    this.details.addEventListener("toggle", () => this.details.open && this.#showAll());
    setInterval(() => this.#showStrip(), 10_000);
  }

  /** @param {Api.Books} books */
  show(books) {
    this.books = books;
    byId("health").hidden = false;
    this.#showStrip();
    if (this.details.open) this.#showAll();
  }

  /** The counts changed: so did the runs. */
  refresh() {
    if (this.details.open) this.#showAll();
  }

  #showStrip() {
    const { books } = this;
    if (!books) return;
    const parts = [
      el("span", { class: "health-state", "data-state": books.state, text: headline(books) }),
      el("span", { class: "muted", text: equation(books) }),
      footage(books),
      pace(books),
    ];
    byId("health-strip").replaceChildren(...parts.filter((part) => part !== null));
  }

  async #showAll() {
    const { books } = this;
    if (!books) return;
    byId("books").replaceChildren(
      booksTable(books),
      todo(books),
      ...(books.dead_letters.length ? [deadLetters(books)] : []),
    );
    try {
      const query = new URLSearchParams(books.model ? { model: books.model } : {});
      byId("runs").replaceChildren(runsTable(await get("runs", query)));
    } catch (error) {
      const reason = error instanceof Error ? error.message : "";
      byId("runs").replaceChildren(el("p", { class: "muted", text: `The runs cannot be shown. ${reason}` }));
    }
  }
}

/** @param {Api.Books} books */
function headline({ state, behind, broken, sources }) {
  if (state === "settled" && !sources.some((one) => one.expected)) return "There are no frames yet";
  if (state === "settled") return "Every frame is accounted for";
  if (state === "broken") return broken[0] ?? "Frames are missing";
  return behind.length > 1
    ? `Work is left: ${behind[0]}, and ${number(behind.length - 1)} more`
    : `Work is left: ${behind[0] ?? "a stage is behind"}`;
}

/**
 * All sources together; the equals sign only where the two sides are equal.
 * @param {Api.Books} books
 */
function equation({ sources }) {
  const sum = (/** @type {(one: Api.SourceBooks) => number} */ of) =>
    sources.reduce((total, one) => total + of(one), 0);
  const [expected, announced] = [sum((one) => one.expected), sum((one) => one.announced)];
  const detected = sum((one) => one.detected);
  const [dead, forgotten] = [sum((one) => one.dead_lettered), sum((one) => one.forgotten)];
  const overlapped = sum((one) => one.overlapped);
  if (!expected && !announced) return "";
  const missing = announced - detected - dead - forgotten - overlapped;
  return [
    announced < expected
      ? `${number(announced)} of ${number(expected)} announced`
      : `${number(announced)} announced`,
    missing ? (missing > 0 ? ", so far " : ", but ") : " = ",
    `${number(detected)} detected`,
    dead ? ` + ${plural(dead, "dead letter")}` : "",
    forgotten ? ` + ${number(forgotten)} forgotten` : "",
    overlapped ? ` + ${number(overlapped)} overlapped` : "",
    `; ${number(sum((one) => one.counted))} counted, ${number(sum((one) => one.indexed))} indexed`,
  ].join("");
}

/**
 * Up to when there is footage, by its own clock, and how long ago that was counted, by ours.
 * @param {Api.Books} books
 */
function footage({ footage_until_ms: until, counted_at_ms: counted }) {
  if (until === null) return null;
  const ago = counted === null ? "not counted yet" : `counted ${roughly(Date.now() - counted)} ago`;
  return el("span", { class: "muted", text: `footage up to ${moment(until)} · ${ago}` });
}

/** @param {Api.Books} books */
function pace({ frames_per_s: perSecond, eta_s: eta }) {
  if (!perSecond || !eta) return null;
  return el("span", {
    class: "muted",
    text: `${number(Math.round(perSecond))} frames a second, ${roughly(eta * 1000)} left`,
  });
}

/** @param {Api.Books} books */
function todo({ behind, broken, lost_messages: lost }) {
  const lines = [...broken, ...behind, ...(lost ? [`${plural(lost, "message")} of the log were lost`] : [])];
  return lines.length ? el("ul", { class: "todo" }, ...lines.map((text) => el("li", { text }))) : "";
}
