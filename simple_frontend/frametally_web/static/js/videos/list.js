// The list of videos.

import { byId } from "../shared/dom.js";
import { showOutage } from "../status/notices.js";

/** @returns {{away: (reason: string) => void, back: () => void}} */
export function startList() {
  byId("videos-page").dataset.state = "ready";
  byId("videos-page").removeAttribute("aria-busy");
  return {
    away: (reason) => showOutage(reason, null, () => {}, "The videos are out of reach"),
    back: () => {
      byId("notice").hidden = true;
    },
  };
}
