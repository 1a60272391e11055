// A control with its name above it.

import { el } from "../shared/dom.js";

/**
 * @param {string} name
 * @param {HTMLElement} control  with an id
 * @param {...HTMLElement} more  what stands below it
 */
export const field = (name, control, ...more) =>
  el("div", { class: "field" }, el("label", { for: control.id, text: name }), control, ...more);
