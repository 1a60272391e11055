// Tabs: they show one of several panels; the address names it, so that links open it.

import { withValues } from "../shared/address.js";
import { el } from "../shared/dom.js";
import { rove } from "./navigation.js";

const NAME = "tab";
let made = 0;

/** @typedef {{name: string, title: string, panel: HTMLElement}} Tab */

export class Tabs {
  /**
   * @param {string} label  name of the tab list
   * @param {Tab[]} tabs  default first
   * @param {(name: string) => void} onShown
   */
  constructor(label, tabs, onShown) {
    made += 1;
    this.tabs = tabs;
    this.onShown = onShown;
    this.list = el("div.tabs", { role: "tablist", "aria-label": label });
    /** @type {Map<string, {button: HTMLButtonElement, mark: HTMLElement}>} */
    this.heads = new Map();
    for (const { name, title, panel } of tabs) {
      const mark = el("span.tab-mark");
      const button = el(
        "button",
        { role: "tab", id: `tab-${made}-${name}`, "data-tab": name, onclick: () => this.#choose(name) },
        title,
        mark,
      );
      panel.id = `panel-${made}-${name}`;
      panel.role = "tabpanel";
      panel.tabIndex = -1;
      panel.setAttribute("aria-labelledby", button.id);
      button.setAttribute("aria-controls", panel.id);
      this.heads.set(name, { button, mark });
      this.list.append(button);
    }
    // Keep arrow keys from also seeking the video.
    this.list.addEventListener("keydown", (event) => {
      if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) event.stopPropagation();
    });
    rove(this.list);
    this.element = el("div.tabbed.stack", this.list, ...tabs.map(({ panel }) => panel));
    const asked = new URLSearchParams(location.search).get(NAME) ?? "";
    this.shown = "";
    this.show(this.heads.has(asked) ? asked : tabs[0].name);
    new ResizeObserver(() => this.#bringIn()).observe(this.list); // the list is not on the page yet
  }

  /** @param {string} shown */
  show(shown) {
    this.shown = shown;
    for (const { name, panel } of this.tabs) {
      panel.hidden = name !== shown;
      this.heads.get(name)?.button.setAttribute("aria-selected", String(name === shown));
    }
    this.#bringIn();
    this.onShown(shown);
  }

  /**
   * Sets a short text next to a tab's title; empty for none.
   * @param {string} name
   * @param {string} words
   * @param {"work"|"bad"} [kind]
   */
  mark(name, words, kind = "work") {
    const mark = this.heads.get(name)?.mark;
    if (!mark) return;
    mark.dataset.kind = kind;
    if (mark.textContent === words) return;
    mark.textContent = words;
    this.#bringIn();
  }

  /** Scrolls the chosen tab into view if there is no room for all tabs. */
  #bringIn() {
    const button = this.heads.get(this.shown)?.button;
    if (button) this.list.scrollLeft = button.offsetLeft - (this.list.clientWidth - button.offsetWidth) / 2;
  }

  /** @param {string} name */
  #choose(name) {
    const shown = name === this.tabs[0].name ? null : name;
    history.replaceState(history.state, "", `?${withValues(location.search, { [NAME]: shown })}`);
    this.show(name);
  }
}
