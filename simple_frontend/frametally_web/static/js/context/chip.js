// A chip of the context bar: what is chosen, in few words; it opens a panel, and its cross takes the choice back.

import { el } from "../shared/dom.js";

export class Chip {
  /**
   * @param {string} id
   * @param {string} name  such as "Labels"
   * @param {string} cross  what the cross does, such as "All labels"
   * @param {() => void} onClear
   */
  constructor(id, name, cross, onClear) {
    this.value = el("span", { class: "chip-value" });
    this.button = el(
      "button",
      { type: "button", class: "chip-open", id },
      el("span", { class: "chip-name muted", text: name }),
      " ",
      this.value,
    );
    this.cross = el("button", {
      ...{ type: "button", class: "chip-side", text: "×", "aria-label": cross, hidden: true },
      onclick: () => {
        this.button.focus(); // the cross goes
        onClear();
      },
    });
    this.element = el("div", { class: "chip" }, this.button, this.cross);
  }

  /**
   * @param {string} text
   * @param {boolean} isChosen  by the viewer: then there is something to take back
   */
  show(text, isChosen) {
    if (this.value.textContent !== text) this.value.textContent = text;
    this.button.title = text;
    this.cross.hidden = !isChosen;
    this.element.classList.toggle("chosen", isChosen);
  }
}
