// Data & API: the code on it can be copied.

import { copyText } from "../js/shared/copying.js";
import { byId } from "../js/shared/dom.js";

for (const button of document.querySelectorAll("[data-copies]")) {
  const { copies } = /** @type {HTMLElement} */ (button).dataset;
  button.addEventListener("click", () => copyText(byId(copies ?? "").textContent, button));
}
