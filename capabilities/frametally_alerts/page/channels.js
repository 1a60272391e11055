// The channel form: it adds a channel or replaces its address. It sends addresses but never shows them.

import { send } from "frametally/js/shared/api.js";
import { control } from "frametally/js/shared/dom.js";
import { onSubmit, textsIn } from "frametally/js/status/forms.js";

export function startChannels() {
  const form = document.getElementById("channel-form");
  if (!(form instanceof HTMLFormElement)) return;
  onSave(form, "channels", () => {
    const text = textsIn(form);
    // An existing channel's name is part of the URL.
    return { url: text("url"), ...(form.dataset.name ? {} : { name: text("name") }) };
  });
}

/**
 * Adds or changes an entry from a form, then reloads the page.
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

/** Opens the form that replaces a channel's address. @param {string} name */
export function replaceChannel(name) {
  const form = control("channel-form", HTMLFormElement);
  const field = control("channel-name", HTMLInputElement);
  form.dataset.name = field.value = name;
  field.readOnly = true;
  openBox(form);
  control("channel-url", HTMLInputElement).focus();
}
