// The time zone of bars and times: the viewer's own, or any that this browser knows.

import { el } from "../shared/dom.js";
import { isZone, OWN_ZONE } from "../shared/zones.js";
import { field } from "./field.js";

/** All that this browser knows, UTC first. */
function zoneNames() {
  const names = Intl.supportedValuesOf?.("timeZone") ?? [];
  return ["UTC", ...names.filter((name) => name !== "UTC")];
}

export class ZoneField {
  /** @param {(timezone: string|null) => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    const list = el("datalist", { id: "timezones" });
    this.input = el("input", { type: "text", id: "timezone", list: list.id, spellcheck: "false" });
    this.element = field("Time zone", this.input, list);
    this.input.addEventListener("change", () => this.#take());
    // The list shows only what fits the text: begin with none.
    this.input.addEventListener("focus", () => {
      if (!list.hasChildNodes()) list.append(...zoneNames().map((value) => el("option", { value })));
      this.input.select();
    });
  }

  #take() {
    const name = this.input.value.trim();
    const isKnown = !name || isZone(name);
    this.input.setCustomValidity(isKnown ? "" : "Choose a zone of the list, such as Europe/Berlin.");
    if (isKnown) this.onChange(!name || name === OWN_ZONE ? null : name);
    else this.input.reportValidity();
  }

  /** @param {string} zone */
  show(zone) {
    if (document.activeElement !== this.input) this.input.value = zone;
    this.input.setCustomValidity("");
  }
}
