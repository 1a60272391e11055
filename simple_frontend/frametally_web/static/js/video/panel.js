// One video beside the list.

import { el } from "../shared/dom.js";
import { choose, onChosen } from "../videos/chosen.js";

/**
 * Shows the video that is open.
 * @param {HTMLElement} place
 */
export function startPanel(place) {
  onChosen((id) => {
    place.hidden = id === null;
    place.replaceChildren(
      el("button", { type: "button", class: "button", text: "Close", onclick: () => choose(null) }),
    );
  });
}
