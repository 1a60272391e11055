// Navigation: the links between pages, the account's permissions, and arrow keys for groups of buttons.

import { afterFrame, byId } from "../shared/dom.js";
import { answeredOf, DEFAULT, formatWhole } from "../shared/state.js";

/**
 * Adds the current selection to links to other pages; what is open on this page stays here.
 * @param {Page.State} state
 */
export function carrySelection(state) {
  const { at, frame, chart, view, boxes, empty } = DEFAULT;
  const shared = { ...state, at, frame, chart, view, boxes, empty };
  for (const link of document.querySelectorAll("#pages a, #rooms a"))
    if (link instanceof HTMLAnchorElement) link.search = formatWhole(shared, answeredOf(state));
}

/** The server renders these addresses and does not know the browser's time zone. */
globalThis.document
  ?.querySelector?.(':is(#pages, #rooms) a[href="/data"]')
  ?.setAttribute("href", `/data?${formatWhole(DEFAULT, answeredOf(DEFAULT))}`);

/** Lets skip links move the focus without changing the address. */
export function leadThere() {
  for (const link of document.querySelectorAll("a.skip")) {
    if (!(link instanceof HTMLAnchorElement)) continue;
    link.addEventListener("click", (event) => {
      event.preventDefault();
      byId(link.hash.slice(1)).focus();
    });
  }
}

const told = globalThis.document?.body.dataset.rights?.split(" ");

/** Whether the account has the role, or sees all sources. @param {"look"|"correct"|"run"|"all"} right */
export const has = (right) => told?.includes(right) ?? true;

/** Whether a plug-in is installed. @param {string} name */
export const isHere = (name) => globalThis.document?.body.dataset.plugins?.split(" ").includes(name) ?? false;

const STOPS = "button:not([disabled]), summary, a[href]";
/** @type {Record<string, (at: number, last: number) => number>} */
const STEPS = {
  ArrowRight: (at, last) => (at < last ? at + 1 : 0),
  ArrowLeft: (at, last) => (at > 0 ? at - 1 : last),
  Home: () => 0,
  End: (_, last) => last,
};

/**
 * @param {HTMLElement} area  its buttons may appear, disappear and be disabled
 * @param {string} [stops]  selector of the elements that the arrow keys move between
 */
export function rove(area, stops = STOPS) {
  /** @type {HTMLElement|null} */
  let last = null; // the last or next focused element
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
