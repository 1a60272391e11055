// A list of checkboxes that you can search. No checked option means all. The choice applies when the list closes, so
// that three checks are one choice.

import { el, swatch } from "../shared/dom.js";
import { Panel } from "./popover.js";
import { t } from "../shared/texts.js";

/** @typedef {{value: string, name: string, detail: string, color?: string, remark?: string|null}} Option */

const NOUNS = {
  labels: {
    title: t("web.labels"),
    all: t("web.all_labels"),
    find: t("web.find_labels"),
    none: t("web.no_labels_of_that_name"),
  },
  sources: {
    title: t("web.sources"),
    all: t("web.all_sources"),
    find: t("web.find_sources"),
    none: t("web.no_sources_of_that_name"),
  },
};

/** Only letters and digits. @param {string} text */
const bare = (text) =>
  text
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "");

/** Whether a slug adds nothing to the name: it equals the name, or is its beginning with a hash. */
const isSlugOf = (/** @type {string} */ slug, /** @type {string} */ name) =>
  bare(slug) === bare(name) || (/-[0-9a-f]{8}$/.test(slug) && bare(name).startsWith(bare(slug.slice(0, -9))));

export class Chooser {
  /**
   * @param {keyof typeof NOUNS} noun  the kind of options
   * @param {Object} on
   * @param {(chosen: string[]) => void} on.change  called with [] for all
   * @param {(chosen: string[]) => void} on.draft  called while the list is open
   */
  constructor(noun, on) {
    this.noun = noun;
    this.on = on;
    /** @type {Option[]} */
    this.options = [];
    /** @type {string[]} */
    this.chosen = [];
    /** The checked options of the open list. @type {string[]} */
    this.ticked = [];
    /** The option that the arrow keys are on. */
    this.active = "";
    const id = `${noun}-list`;
    this.search = el("input.chooser-search", {
      type: "text",
      role: "combobox",
      placeholder: NOUNS[noun].find,
      autocomplete: "off",
      spellcheck: "false",
      "aria-label": NOUNS[noun].find,
      "aria-controls": id,
      "aria-expanded": "true",
      "aria-autocomplete": "list",
      "aria-describedby": `${id}-keys`,
      oninput: () => this.#render(),
    });
    this.search.addEventListener("keydown", (event) => this.#key(event));
    this.list = el("ul.chooser-list", {
      id,
      role: "listbox",
      "aria-multiselectable": "true",
      "aria-label": NOUNS[noun].title,
    });
    this.none = el("p.muted.small", { hidden: true }, NOUNS[noun].none);
    const words = t("web.arrow_keys_and_enter_tick_shift");
    this.keys = el("p.panel-keys.muted.small", { id: `${id}-keys` }, words);
    this.panel = new Panel(`${noun}-panel`, NOUNS[noun].title, {
      open: () => this.#open(),
      focus: () => this.search,
      close: () => this.#take(),
    });
    this.panel.body.append(this.search, this.list, this.none, this.keys);
  }

  /** @param {Option[]} options @param {string[]} chosen */
  show(options, chosen) {
    // Lets you uncheck a name from a link that is not (or no longer) in the data.
    const strangers = chosen.filter((value) => !options.some((option) => option.value === value));
    const unknown = strangers.map((value) => ({ value, name: value, detail: t("web.none_word") }));
    this.options = [...options, ...unknown];
    this.chosen = chosen;
    if (this.panel.isOpen) this.#render();
    else this.ticked = chosen;
  }

  /** The choice in a few words. @param {string[]} chosen */
  summary(chosen) {
    if (!chosen.length) return t("web.all_word");
    if (chosen.length > 2)
      return t("web.length_of_all", { length: chosen.length, length2: this.options.length });
    const nameOf = (/** @type {string} */ value) =>
      this.options.find((option) => option.value === value)?.name ?? value;
    return chosen.map(nameOf).join(", ");
  }

  #open() {
    this.ticked = this.chosen;
    this.search.value = "";
    this.active = this.chosen[0] ?? "";
    this.#render();
  }

  #take() {
    const { ticked, chosen } = this;
    if (ticked.length !== chosen.length || ticked.some((value) => !chosen.includes(value)))
      this.on.change(ticked);
  }

  /** The options whose name or slug contains the typed text; without text, "all" comes first. */
  #found() {
    const wanted = this.search.value.trim().toLowerCase();
    const fits = (/** @type {Option} */ { name, value }) =>
      [name, value].some((text) => text.toLowerCase().includes(wanted));
    const all = { value: "", name: NOUNS[this.noun].all, detail: "" };
    return wanted ? this.options.filter(fits) : [all, ...this.options];
  }

  #render() {
    const found = this.#found();
    if (!found.some(({ value }) => value === this.active)) this.active = found[0]?.value ?? "";
    this.list.replaceChildren(...found.map((option, position) => this.#item(option, position)));
    this.list.hidden = !found.length;
    this.none.hidden = found.length > 0;
    const at = this.list.querySelector(".active");
    if (at) this.search.setAttribute("aria-activedescendant", at.id);
    else this.search.removeAttribute("aria-activedescendant");
    at?.scrollIntoView({ block: "nearest" });
  }

  /** @param {Option} option @param {number} position */
  #item({ value, name, detail, color, remark }, position) {
    const isTicked = value ? this.ticked.includes(value) : !this.ticked.length;
    const only = el("span.only.small", { "aria-hidden": "true" }, t("web.only"));
    const id = `${this.noun}-option-${position}`;
    const item = el(
      value === this.active ? "li.option.active" : "li.option",
      { id, role: "option", "aria-selected": String(isTicked) },
      el("span.tick", { "aria-hidden": "true" }),
      color ? swatch(color) : null,
      el(
        "span.words",
        el("span.name", { title: name }, name),
        el(
          "span.beside",
          value && !isSlugOf(value, name) ? el("span.slug.muted.small", value) : null,
          remark ? el("span.remark", remark) : null,
          el("span.detail.muted.small", detail),
          value ? only : null,
        ),
      ),
    );
    // Keep the focus in the field, so that its keys still work.
    item.addEventListener("mousedown", (event) => event.preventDefault());
    item.addEventListener("click", (event) => this.#pick(value, event.target === only));
    return item;
  }

  /** @param {string} value  "" for all @param {boolean} alone */
  #pick(value, alone) {
    this.active = value;
    const { ticked } = this;
    const next = !value
      ? []
      : alone
        ? [value]
        : ticked.includes(value)
          ? ticked.filter((one) => one !== value)
          : [...ticked, value];
    // In the order of the list, so that the same choice has the same link.
    const ordered = this.options.map((option) => option.value).filter((one) => next.includes(one));
    this.ticked = ordered.length === this.options.length && ordered.length > 1 ? [] : ordered;
    this.on.draft(this.ticked);
    this.#render();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const found = this.#found();
    const at = found.findIndex(({ value }) => value === this.active);
    /** @type {Record<string, number>} */
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 8, PageUp: at - 8 };
    if (event.key in to) {
      this.active = found[Math.min(Math.max(to[event.key], 0), found.length - 1)]?.value ?? "";
      this.#render();
    } else if (event.key === "Enter") {
      if (found.length) this.#pick(this.active, event.shiftKey);
    } else return;
    event.preventDefault();
  }
}
