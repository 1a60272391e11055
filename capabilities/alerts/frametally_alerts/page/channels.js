// The form of channels: adds one, or replaces the address of one; addresses are only sent, never shown.

import { send } from "frametally/js/shared/api.js";
import { control } from "frametally/js/shared/dom.js";
import { press } from "frametally/js/status/notices.js";

export function startChannels() {
  const form = document.getElementById("channel-form");
  if (!(form instanceof HTMLFormElement)) return;
  onSubmit(form, (replaced) => {
    const url = control("channel-url", HTMLInputElement).value.trim();
    const name = control("channel-name", HTMLInputElement).value.trim();
    return replaced === undefined
      ? send("POST", "alerts/channels", { name, url })
      : send("PUT", `alerts/channels/${encodeURIComponent(replaced)}`, { url });
  });
}

/**
 * Sends a form, and shows the page anew; what is wrong is written in the form.
 * @param {HTMLFormElement} form
 * @param {(replaced: string|undefined) => Promise<unknown>} sending
 */
export function onSubmit(form, sending) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const problem = /** @type {HTMLElement} */ (form.querySelector(".problem"));
    const button = /** @type {HTMLButtonElement} */ (form.querySelector("button[type=submit]"));
    if (await press(button, problem, () => sending(form.dataset.name))) location.assign("/alerts");
  });
}

/** @param {HTMLFormElement} form */
export function openBox(form) {
  const box = form.closest("details");
  if (box) box.open = true;
}

/** Opens the form for another address of a channel. @param {string} name */
export function replaceChannel(name) {
  const form = control("channel-form", HTMLFormElement);
  const field = control("channel-name", HTMLInputElement);
  form.dataset.name = field.value = name;
  field.readOnly = true;
  openBox(form);
  control("channel-url", HTMLInputElement).focus();
}
