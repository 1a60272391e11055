// The time zone of bars and times: the viewer's own, or any that this browser knows.

import { control, el } from "../shared/dom.js";
import { isZone, OWN_ZONE } from "../shared/zones.js";

export class ZoneFilter {
  /** @param {(timezone: string|null) => void} onChange */
  constructor(onChange) {
    this.input = control("timezone", HTMLInputElement);
    this.chosen = OWN_ZONE;
    const names = Intl.supportedValuesOf?.("timeZone") ?? [];
    control("timezones", HTMLDataListElement).replaceChildren(
      ...["UTC", ...names.filter((name) => name !== "UTC")].map((value) => el("option", { value })),
    );
    this.input.addEventListener("change", () => {
      const name = this.input.value.trim();
      if (name && !isZone(name)) {
        this.input.setCustomValidity("Choose a zone of the list, such as Europe/Berlin.");
        this.input.reportValidity();
        return;
      }
      this.input.setCustomValidity("");
      onChange(!name || name === OWN_ZONE ? null : name);
    });
    // The list shows only what fits the text: begin with none.
    this.input.addEventListener("focus", () => this.input.select());
  }

  /** @param {string} zone */
  show(zone) {
    if (document.activeElement !== this.input) this.input.value = zone;
    this.input.setCustomValidity("");
  }
}
