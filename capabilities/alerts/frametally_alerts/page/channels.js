// The form of channels: adds one, or replaces the address of one; addresses are only sent, never shown.

import { send } from "frametally/js/shared/api.js";
import { control } from "frametally/js/shared/dom.js";
import { onSubmit, textsIn } from "frametally/js/status/forms.js";

export function startChannels() {
  const form = document.getElementById("channel-form");
  if (!(form instanceof HTMLFormElement)) return;
  onSave(form, "channels", () => {
    const text = textsIn(form);
    // The name of one that is there stands in its address.
    return { url: text("url"), ...(form.dataset.name ? {} : { name: text("name") }) };
  });
}

/**
 * Adds what a form says, or changes what was put into it; then the page is shown anew.
 * @param {HTMLFormElement} form
 * @param {"rules"|"reports"|"channels"} kind
 * @param {() => object} read
 */
export function onSave(form, kind, read) {
  const save = () => {
    const { name } = form.dataset;
    return name === undefined
      ? send("POST", `alerts/${kind}`, read())
      : send("PUT", `alerts/${kind}/${encodeURIComponent(name)}`, read());
  };
  onSubmit(form, save, () => location.assign("/alerts"));
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
