// The frames of a proof as a list: what each adds, and the running sum.

import { el } from "../shared/dom.js";
import { number } from "../shared/format.js";

export class ProofList {
  /**
   * @param {Object} on
   * @param {(position: number) => void} on.choose
   * @param {() => void} on.more
   */
  constructor(on) {
    this.on = on;
    /** @type {HTMLElement[]} */
    this.entries = [];
    this.sumSoFar = 0;
    /** @type {{label: string, count: number}|null} */
    this.most = null;
    this.body = el("ol", { class: "proof-entries" });
    this.more = el("button", { type: "button", class: "button", text: "Show more", onclick: on.more });
    this.sum = el("p", { class: "proof-sum", role: "status" });
    this.equation = el("p", { class: "muted small" });
    this.element = el(
      "div",
      { class: "proof-list" },
      el(
        "div",
        { class: "proof-scroll", role: "group", "aria-label": "Frames, by time, with a running sum" },
        this.body,
        this.more,
      ),
      this.sum,
      this.equation,
    );
    const scroll = /** @type {HTMLElement} */ (this.body.parentElement);
    scroll.addEventListener("scroll", () => {
      if (!this.more.hidden && scroll.scrollTop + scroll.clientHeight > scroll.scrollHeight - 40) on.more();
    });
    this.body.addEventListener("keydown", (event) => this.#key(event));
  }

  /**
   * @param {import("./bar.js").Page} page
   * @param {boolean} ended
   */
  append(page, ended) {
    const first = this.entries.length;
    const added = page.items.map((item, index) => this.#entry(item, first + index));
    this.entries.push(...added);
    this.body.append(...added.map((entry) => el("li", {}, entry)));
    this.more.hidden = ended;
    this.equation.textContent = page.note ?? `${page.equation}${this.#peak(page, ended)}`;
    this.equation.className = page.note ? "time-warning" : "muted small";
    this.sumSoFar = page.items.at(-1)?.runningTotal ?? this.sumSoFar;
    this.#close(ended, this.sumSoFar, page);
  }

  /**
   * The peak of the frames up to here, in words; empty where another metric is proved.
   * @param {import("./bar.js").Page} page
   * @param {boolean} ended
   */
  #peak({ items, metric }, ended) {
    for (const { most } of items) if (most && most.count > (this.most?.count ?? 0)) this.most = most;
    if (metric !== "peak" || !this.most) return "";
    const { count, label } = this.most;
    return ` The most of one label in one frame ${ended ? "is" : "so far is"} ${number(count)} × ${label}.`;
  }

  /**
   * @param {boolean} ended
   * @param {number} sum
   * @param {import("./bar.js").Page} page
   */
  #close(ended, sum, { total, metric }) {
    const of = total === null ? "" : ` of ${number(total)}`;
    const isValue = metric === "detections" || metric === "objects";
    const right = ended && sum === total;
    this.sum.dataset.state = right ? "right" : ended && total !== null ? "wrong" : "open";
    this.sum.textContent = right
      ? isValue
        ? `✓ The sum is ${number(sum)}: the bar's value`
        : `✓ The sum is ${number(sum)}: all detections of this bar`
      : ended
        ? `The sum is ${number(sum)}${total === null ? "" : `, the bar ${isValue ? "says" : "has"} ${number(total)}`}`
        : `Sum so far: ${number(sum)}${of}`;
  }

  /**
   * @param {import("./bar.js").Item} item
   * @param {number} position
   */
  #entry(item, position) {
    return el(
      "button",
      {
        type: "button",
        class: "proof-entry",
        tabindex: position ? -1 : 0,
        onclick: () => this.on.choose(position),
      },
      el("span", { class: "when", text: item.time }),
      el("span", { class: "what muted ellipsis", text: item.what, title: `${item.source}: ${item.what}` }),
      el("span", { class: "adds", text: `+${number(item.adds)}` }),
      el("span", { class: "running", text: `= ${number(item.runningTotal)}` }),
    );
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
    const top = entry.offsetTop - box.offsetTop;
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
    else if (by > 0) this.on.more();
  }
}
