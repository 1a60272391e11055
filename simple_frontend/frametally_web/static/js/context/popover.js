// A panel that a chip opens: below it, or from the bottom of a small screen. Escape and a click beside it close it, and the
// focus goes back to the chip: the browser does that for popovers.

import { el } from "../shared/dom.js";

export class Panel {
  /**
   * @param {string} id
   * @param {string} title
   * @param {Object} on
   * @param {() => void} [on.open]  before it shows
   * @param {() => HTMLElement|null} [on.focus]  what has the focus first
   * @param {() => void} [on.close]
   */
  constructor(id, title, on) {
    this.on = on;
    this.body = el("div", { class: "panel-body" });
    this.element = el(
      "div",
      {
        id,
        class: "panel",
        popover: "auto",
        role: "dialog",
        "aria-labelledby": `${id}-title`,
        tabindex: "-1",
      },
      el(
        "div",
        { class: "panel-head" },
        el("h2", { id: `${id}-title`, text: title }),
        el("button", { type: "button", class: "button", text: "Done", onclick: () => this.close() }),
      ),
      this.body,
    );
    this.element.addEventListener("beforetoggle", (event) => {
      if (/** @type {ToggleEvent} */ (event).newState === "open") this.on.open?.();
      else this.on.close?.();
    });
    this.element.addEventListener("toggle", (event) => {
      if (/** @type {ToggleEvent} */ (event).newState === "open") this.#takeFocus();
    });
  }

  /**
   * The button opens the panel from now on, and closes it.
   * @param {HTMLButtonElement} button
   * @param {() => HTMLElement|null} [focus]  what has the focus first, if it is opened by this one
   */
  openedBy(button, focus) {
    button.setAttribute("popovertarget", this.element.id);
    button.setAttribute("aria-haspopup", "dialog");
    button.addEventListener("click", () => {
      const { left, bottom } = (button.closest(".chip") ?? button).getBoundingClientRect();
      this.element.style.setProperty("--left", `${left}px`);
      this.element.style.setProperty("--top", `${bottom + 6}px`);
      this.focus = focus ?? this.on.focus;
    });
  }

  #takeFocus() {
    // On a touch screen a field's focus would call its keyboard, which covers the panel.
    const first = matchMedia("(pointer: coarse)").matches ? null : this.focus?.();
    (first ?? this.element).focus();
  }

  get isOpen() {
    return this.element.matches(":popover-open");
  }

  close() {
    if (this.isOpen) this.element.hidePopover();
  }
}
