// Reads the forms that the server makes, and sends them.

import { press } from "./notices.js";

/**
 * The texts in a form's fields now, by their names; empty where there is no such field.
 * @param {HTMLFormElement} form
 * @returns {(name: string) => string}
 */
export function textsIn(form) {
  const data = new FormData(form);
  return (name) => String(data.get(name) ?? "").trim();
}

/** "gate, yard" as a list. @param {string} text */
export const listIn = (text) => text.split(/\s*,\s*/).filter(Boolean);

/** Shows only the parts for one kind, of those that are for some. @param {HTMLElement} area @param {string} kind */
export function showPartsOf(area, kind) {
  for (const part of /** @type {NodeListOf<HTMLElement>} */ (area.querySelectorAll("[data-of]")))
    part.hidden = !part.dataset.of?.split(" ").includes(kind);
}

/**
 * Sends a form whenever it is submitted; what is wrong is written in it.
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
