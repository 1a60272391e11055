// Data & API: it copies the code, and signs the chart for other sites if the account may.

import { send } from "../js/shared/api.js";
import { byId, control, copyText, el } from "../js/shared/dom.js";
import { useAskedZone } from "../js/shared/state.js";
import { moment, toTheMinute } from "../js/shared/format.js";
import { zoneInUse } from "../js/shared/time.js";
import { askForStrip } from "../js/status/live.js";
import { press } from "../js/status/notices.js";
import { t } from "../js/shared/texts.js";

for (const button of document.querySelectorAll("[data-copies]")) {
  const { copies } = /** @type {HTMLElement} */ (button).dataset;
  button.addEventListener("click", () => copyText(byId(copies ?? "").textContent, button));
}

/** @param {HTMLFormElement} form */
async function sign(form) {
  const query = new URLSearchParams(form.dataset.selection);
  const sites = control("sites", HTMLInputElement)
    .value.split(/[\s,]+/)
    .filter(Boolean);
  const days = control("days", HTMLInputElement).valueAsNumber;
  byId("signed").hidden = true;
  await press([], byId("signing-problem"), async () => {
    const { code, from_ms, to_ms, ends_at_ms } = await send("POST", `embeds?${query}`, { sites, days });
    byId("code-embed").replaceChildren(el("code", code));
    byId("signed-words").textContent = t("web.it_shows_to_until", {
      from_ms: moment(from_ms),
      to_ms: moment(to_ms),
      ends_at_ms: toTheMinute(ends_at_ms),
    });
    byId("signed").hidden = false;
  });
}

useAskedZone();
const asked = new URLSearchParams(location.search);
if (!asked.get("timezone")) {
  // The server renders the addresses, and does not know the browser's time zone.
  asked.set("timezone", zoneInUse());
  location.replace(`?${String(asked).replaceAll("%2F", "/")}`);
}
askForStrip();
document.getElementById("signing")?.addEventListener("submit", (event) => {
  event.preventDefault();
  sign(control("signing", HTMLFormElement));
});
