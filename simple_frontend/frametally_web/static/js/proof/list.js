// The frames of a proof as a list: what each adds, and the running sum.

import { el } from "../shared/dom.js";
import { number } from "../shared/format.js";

export class ProofList {
  /**
   * @param {Object} on
   * @param {(position: number) => void} on.choose
   * @param {(by: -1|1) => void} on.more  wants the page before, or the next
   * @param {((empty: boolean) => void)|null} on.empty  null: all of them add something
   * @param {boolean} on.isEmpty  whether those without a counted box are in it
   */
  constructor(on) {
    this.on = on;
    /** @type {HTMLElement[]} */
    this.entries = [];
    /** @type {{label: string, count: number}|null} */
    this.most = null;
    /** @type {import("./bar.js").Item[]} */
    this.items = [];
    /** @type {string|null} */
    this.note = null;
    this.body = el("ol", { class: "proof-entries" });
    this.earlier = el("button", { type: "button", class: "button", text: "Show earlier", hidden: true });
    this.more = el("button", { type: "button", class: "button", text: "Show more" });
    this.earlier.addEventListener("click", () => on.more(-1));
    this.more.addEventListener("click", () => on.more(1));
    this.empty = el("input", {
      type: "checkbox",
      checked: on.isEmpty,
      onchange: () => on.empty?.(this.empty.checked),
    });
    this.sum = el("p", { class: "proof-sum", role: "status" });
    this.equation = el("p", { class: "muted small" });
    this.element = el(
      "div",
      { class: "proof-list" },
      on.empty && el("label", { class: "check small" }, this.empty, "Also frames without a counted box"),
      el(
        "div",
        { class: "proof-scroll", role: "group", "aria-label": "Frames, by time, with a running sum" },
        this.earlier,
        this.body,
        this.more,
      ),
      this.sum,
      this.equation,
    );
    const scroll = /** @type {HTMLElement} */ (this.body.parentElement);
    scroll.addEventListener("scroll", () => {
      if (!this.more.hidden && scroll.scrollTop + scroll.clientHeight > scroll.scrollHeight - 40) on.more(1);
    });
    this.body.addEventListener("keydown", (event) => this.#key(event));
  }

  /**
   * @param {import("./bar.js").Page} page
   * @param {-1|1} by  before what is here, or behind it
   * @param {boolean} began  whether the first of all is here
   * @param {boolean} ended  whether the last one is
   */
  add(page, by, began, ended) {
    const scroll = /** @type {HTMLElement} */ (this.body.parentElement);
    const height = scroll.scrollHeight;
    const added = page.items.map((item) => this.#entry(item));
    const lines = added.map((entry) => el("li", {}, entry));
    if (by > 0) this.body.append(...lines);
    else this.body.prepend(...lines);
    this.entries = by > 0 ? [...this.entries, ...added] : [...added, ...this.entries];
    this.items = by > 0 ? [...this.items, ...page.items] : [...page.items, ...this.items];
    this.earlier.hidden = began;
    this.more.hidden = ended;
    // What is looked at stays where it is.
    if (by < 0) scroll.scrollTop += scroll.scrollHeight - height;
    this.note = page.note ?? this.note;
    for (const { most } of page.items) if (most && most.count > (this.most?.count ?? 0)) this.most = most;
    this.equation.textContent = this.note ?? `${page.equation}${this.#peak(page, began && ended)}`;
    this.equation.className = this.note ? "time-warning" : "muted small";
    this.#close(began && ended, page);
  }

  /**
   * The peak of the frames that are here, in words; empty where another metric is proved.
   * @param {import("./bar.js").Page} page
   * @param {boolean} isAll
   */
  #peak({ metric }, isAll) {
    if (metric !== "peak" || !this.most) return "";
    const { count, label } = this.most;
    return ` The most of one label in one frame ${isAll ? "is" : "so far is"} ${number(count)} × ${label}.`;
  }

  /**
   * The sum of what is here, and whether it is the bar's.
   * @param {boolean} isAll
   * @param {import("./bar.js").Page} page
   */
  #close(isAll, { total, metric }) {
    const [first] = this.items;
    const before = first ? first.runningTotal - first.adds : 0;
    const sum = (this.items.at(-1)?.runningTotal ?? 0) - before;
    const isValue = metric === "detections" || metric === "objects";
    const right = isAll && sum === total && !before;
    this.sum.dataset.state = right ? "right" : isAll && total !== null ? "wrong" : "open";
    if (right) {
      this.sum.textContent = `✓ The sum is ${number(sum)}: ${isValue ? "the bar's value" : "all detections of this bar"}`;
    } else if (isAll) {
      const bar = total === null ? "" : `, the bar ${isValue ? "says" : "has"} ${number(total)}`;
      this.sum.textContent = `The sum is ${number(sum)}${bar}`;
    } else {
      this.sum.textContent = `Sum so far: ${number(sum)}${total === null ? "" : ` of ${number(total)}`}`;
    }
  }

  /** @param {import("./bar.js").Item} item */
  #entry(item) {
    const entry = el(
      "button",
      {
        type: "button",
        class: "proof-entry",
        tabindex: -1,
        onclick: () => this.on.choose(this.entries.indexOf(entry)),
      },
      el("span", { class: "when", text: item.time }),
      el("span", { class: "what muted ellipsis", text: item.what, title: `${item.source}: ${item.what}` }),
      el("span", { class: "adds", text: `+${number(item.adds)}` }),
      el("span", { class: "running", text: `= ${number(item.runningTotal)}` }),
    );
    return entry;
  }

  /**
   * @param {number} position
   * @param {boolean} scroll
   */
  choose(position, scroll) {
    this.entries.forEach((entry, index) => {
      const chosen = index === position;
      entry.toggleAttribute("aria-current", chosen);
      if (chosen) entry.setAttribute("aria-current", "true");
      entry.tabIndex = chosen ? 0 : -1;
    });
    if (!scroll) return;
    const box = this.body.parentElement;
    const entry = this.entries[position];
    if (!box || !entry) return;
    const top = entry.offsetTop;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + entry.offsetHeight > box.scrollTop + box.clientHeight) {
      box.scrollTop = top + entry.offsetHeight - box.clientHeight;
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const here = this.entries.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by === undefined || here < 0) return;
    event.preventDefault();
    this.entries[here + by]?.focus();
    if (this.entries[here + by]) this.on.choose(here + by);
    else this.on.more(by > 0 ? 1 : -1);
  }
}
