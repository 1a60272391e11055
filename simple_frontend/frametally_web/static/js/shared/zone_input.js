// The field for a time zone, with a list of all zones that the browser knows.

import { el } from "./dom.js";
import { isZone, zoneNames } from "./time.js";
import { t } from "./texts.js";

const LIST = "known-zones";

/** A time zone field; empty is valid too. @param {Record<string, unknown>} attributes */
export function zoneInput(attributes) {
  const usual = { type: "text", list: LIST, spellcheck: "false", autocomplete: "off" };
  const input = el("input", { ...usual, ...attributes });
  // The list is long, so all fields share one, created with the first.
  input.addEventListener("focus", () => {
    if (document.getElementById(LIST)) return;
    document.body.append(
      el("datalist", { id: LIST }, ...zoneNames().map((value) => el("option", { value }))),
    );
  });
  input.addEventListener("input", () => {
    const name = input.value.trim();
    input.setCustomValidity(!name || isZone(name) ? "" : t("web.choose_a_zone_of_the_list"));
  });
  return input;
}
