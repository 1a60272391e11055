// Many buttons, one stop of the Tab key: the arrow keys go through them.

import { afterFrame } from "../shared/tasks.js";

const STOPS = "button:not([disabled]), summary, a[href]";
/** @type {Record<string, (at: number, last: number) => number>} */
const STEPS = {
  ArrowRight: (at, last) => (at < last ? at + 1 : 0),
  ArrowLeft: (at, last) => (at > 0 ? at - 1 : last),
  Home: () => 0,
  End: (_, last) => last,
};

/**
 * @param {HTMLElement} area  its buttons may come, go and be disabled
 * @param {string} [stops]  a selector of what the arrow keys go through
 */
export function rove(area, stops = STOPS) {
  /** @type {HTMLElement|null} */
  let last = null; // where the focus was, or goes to
  const shown = () =>
    /** @type {HTMLElement[]} */ ([...area.querySelectorAll(stops)]).filter((one) => one.checkVisibility());

  function settle() {
    const all = shown();
    if (!last || !all.includes(last)) last = all[0] ?? null;
    for (const one of all) {
      const index = one === last ? "0" : "-1";
      if (one.getAttribute("tabindex") !== index) one.setAttribute("tabindex", index);
    }
  }

  area.addEventListener("focusin", (event) => {
    const found = shown().find((one) => event.target instanceof Node && one.contains(event.target));
    if (found) last = found;
    settle();
  });
  area.addEventListener("keydown", (event) => {
    const all = shown();
    const at = all.findIndex((one) => one === event.target);
    if (at < 0 || !(event.key in STEPS) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    all[STEPS[event.key](at, all.length - 1)].focus();
  });
  let isComing = false;
  const settleSoon = () => {
    if (isComing) return;
    isComing = true;
    afterFrame(() => {
      isComing = false;
      settle();
    });
  };
  new MutationObserver(settleSoon).observe(area, {
    subtree: true,
    childList: true,
    attributes: true,
    attributeFilter: ["hidden", "disabled"],
  });
  settleSoon();
}
