// The form of channels: adds one, or replaces the address of one; addresses are only sent, never shown.

import { send } from "frametally/js/shared/api.js";
import { control } from "frametally/js/shared/dom.js";
import { press } from "frametally/js/status/notices.js";

export function startChannels() {
  const form = document.getElementById("channel-form");
  if (!(form instanceof HTMLFormElement)) return;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const url = control("channel-url", HTMLInputElement).value.trim();
    const name = control("channel-name", HTMLInputElement).value.trim();
    const replaced = form.dataset.name;
    submitForm(form, () =>
      replaced === undefined
        ? send("POST", "alerts/channels", { name, url })
        : send("PUT", `alerts/channels/${encodeURIComponent(replaced)}`, { url }),
    );
  });
}

/** Sends a form, and shows the page anew; what is wrong is written in the form. @param {HTMLFormElement} form @param {() => Promise<unknown>} sending */
export async function submitForm(form, sending) {
  const problem = form.querySelector(".problem");
  const button = form.querySelector("button[type=submit]");
  if (!(problem instanceof HTMLElement) || !(button instanceof HTMLButtonElement)) return;
  if (await press(button, problem, sending)) location.assign("/alerts");
}

/** Opens the form for another address of a channel. @param {string} name */
export function replaceChannel(name) {
  const form = control("channel-form", HTMLFormElement);
  const field = control("channel-name", HTMLInputElement);
  form.dataset.name = field.value = name;
  field.readOnly = true;
  const box = form.closest("details");
  if (box) box.open = true;
  control("channel-url", HTMLInputElement).focus();
}
