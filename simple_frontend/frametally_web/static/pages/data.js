// Data & API: the code on it can be copied.

import { copyText } from "../js/shared/copying.js";
import { byId } from "../js/shared/dom.js";
import { parseState } from "../js/shared/state.js";
import { useZone } from "../js/shared/time.js";
import { zoneOf } from "../js/shared/zones.js";
import { askForStrip } from "../js/status/strip.js";

for (const button of document.querySelectorAll("[data-copies]")) {
  const { copies } = /** @type {HTMLElement} */ (button).dataset;
  button.addEventListener("click", () => copyText(byId(copies ?? "").textContent, button));
}

useZone(zoneOf(parseState(location.search)));
askForStrip();
