// The parts of the context bar: a chip with the current choice, and the panel that it opens. A panel is below its
// chip, or at the bottom of a small screen. Escape or a click outside closes it and returns the focus to the chip;
// browsers do this for popovers.

import { el, iconButton } from "../shared/dom.js";
import { t } from "../shared/texts.js";

export class Panel {
  /**
   * @param {string} id
   * @param {string} title
   * @param {Object} on
   * @param {() => void} [on.open]  called before the panel appears
   * @param {() => HTMLElement|null} [on.focus]  returns the element that takes the focus
   * @param {() => void} [on.close]
   */
  constructor(id, title, on) {
    this.on = on;
    this.body = el("div.panel-body");
    this.element = el(
      "div.panel",
      { id, popover: "auto", role: "dialog", "aria-labelledby": `${id}-title`, tabindex: "-1" },
      el(
        "div.panel-head",
        el("h2", { id: `${id}-title` }, title),
        el("button.button", { onclick: () => this.close() }, t("web.done_button")),
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
   * Makes a button open and close the panel.
   * @param {HTMLButtonElement} button
   * @param {() => HTMLElement|null} [focus]  returns the element that takes the focus if this button opens it
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
    // On a touch screen, focusing a field would open the keyboard over the panel.
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

export class Chip {
  /**
   * @param {string} id
   * @param {string} name  for example "Labels"
   * @param {string} cross  accessible name of the cross, for example "All labels"
   * @param {() => void} onClear
   */
  constructor(id, name, cross, onClear) {
    this.value = el("span.chip-value");
    this.button = el("button.chip-open", { id }, el("span.chip-name.muted", name), " ", this.value);
    const clear = () => {
      this.button.focus(); // the cross disappears
      onClear();
    };
    this.cross = iconButton(cross, "×", clear, { class: "chip-side", hidden: true });
    this.element = el("div.chip", this.button, this.cross);
  }

  /** @param {string} text @param {boolean} isChosen  whether the viewer chose it, so that the cross can remove it */
  show(text, isChosen) {
    if (this.value.textContent !== text) this.value.textContent = text;
    this.button.title = text;
    this.cross.hidden = !isChosen;
    this.element.classList.toggle("chosen", isChosen);
  }
}
