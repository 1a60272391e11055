// What all pages share: the links between them, which carry what is selected.

import { byId } from "../shared/dom.js";
import { answeredOf, DEFAULT, formatWhole } from "../shared/state.js";

/**
 * The other pages are asked for the same selection; what is open on this one stays here.
 * @param {Page.State} state
 */
export function carrySelection(state) {
  const { at, frame, chart, view, boxes, empty } = DEFAULT;
  const shared = { ...state, at, frame, chart, view, boxes, empty };
  for (const link of document.querySelectorAll("#pages a"))
    if (link instanceof HTMLAnchorElement) link.search = formatWhole(shared, answeredOf(state));
}

/** Links past the controls set the focus, and leave the address as it is. */
export function leadThere() {
  for (const link of document.querySelectorAll("a.skip")) {
    if (!(link instanceof HTMLAnchorElement)) continue;
    link.addEventListener("click", (event) => {
      event.preventDefault();
      byId(link.hash.slice(1)).focus();
    });
  }
}
