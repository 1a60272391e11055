// Reads and sends server-rendered forms.

import { press } from "./notices.js";

/**
 * The texts in a form's fields by name; empty for a missing field.
 * @param {HTMLFormElement} form
 * @returns {(name: string) => string}
 */
export function textsIn(form) {
  const data = new FormData(form);
  return (name) => String(data.get(name) ?? "").trim();
}

/** "gate, yard" as a list. @param {string} text */
export const listIn = (text) => text.split(/\s*,\s*/).filter(Boolean);

/**
 * Shows only the parts for this kind, among those that are for certain kinds.
 * @param {HTMLElement} area
 * @param {string} kind
 */
export function showPartsOf(area, kind) {
  for (const part of /** @type {NodeListOf<HTMLElement>} */ (area.querySelectorAll("[data-of]")))
    part.hidden = !part.dataset.of?.split(" ").includes(kind);
}

/**
 * Sends a form when you submit it, and shows errors in it.
 * @param {HTMLFormElement} form
 * @param {() => Promise<unknown>} sending
 * @param {() => void} then
 */
export function onSubmit(form, sending, then) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const problem = /** @type {HTMLElement} */ (form.querySelector(".problem"));
    const button = /** @type {HTMLButtonElement} */ (form.querySelector("button[type=submit]"));
    if (await press(button, problem, sending)) then();
  });
}
