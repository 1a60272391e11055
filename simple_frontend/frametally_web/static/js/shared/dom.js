// Building elements. All text goes in as text: names from the data can never become markup.

/** @typedef {Node|string|null} Child */

/**
 * An element with attributes and children.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name  tag name
 * @param {Record<string, any>} attributes  `class`, `text`, `on<event>` handlers, booleans, or plain attributes
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/**
 * The same for SVG.
 * @template {keyof SVGElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, any>} attributes
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[Name]}
 */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

/**
 * @template {Element} E
 * @param {E} element
 * @param {Record<string, any>} attributes
 * @param {Child[]} children
 * @returns {E}
 */
function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "text") element.textContent = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/**
 * A text whose commands stand between backticks.
 * @param {string} text
 * @returns {(Node|string)[]}
 */
export const withCode = (text) =>
  text.split("`").map((part, position) => (position % 2 ? el("code", { text: part }) : part));

/**
 * The element with an id that the page is sure to have.
 * @returns {HTMLElement}
 * @param {string} id
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no #${id}.`);
  return element;
}

/**
 * A form control or a canvas, by its id.
 * @template {HTMLElement} E
 * @param {string} id
 * @param {new () => E} kind
 * @returns {E}
 */
export function control(id, kind) {
  const element = byId(id);
  if (!(element instanceof kind)) throw new Error(`#${id} is no ${kind.name}.`);
  return element;
}

/**
 * Fills an area anew; what had the keyboard has it still, if there is such a button or link again.
 * @param {HTMLElement} area
 * @param {...(Node|string)} children
 */
export function refill(area, ...children) {
  const { activeElement } = document;
  const name = area.contains(activeElement) && activeElement !== area ? nameOf(activeElement) : null;
  area.replaceChildren(...children);
  if (!name) return;
  const again = [...area.querySelectorAll("button, a")].find((one) => nameOf(one) === name);
  if (again instanceof HTMLElement) again.focus();
}

/** @param {Element|null} element */
const nameOf = (element) => element?.ariaLabel || element?.textContent;

/**
 * A square in a label's colour.
 * @param {string} color
 */
export function swatch(color) {
  const square = el("span", { class: "swatch", "aria-hidden": "true" });
  square.style.background = color;
  return square;
}

/**
 * A small button with a sign, such as an arrow.
 * @param {string} name
 * @param {string} sign
 * @param {() => void} onclick
 * @param {Record<string, any>} [attributes]
 */
export const iconButton = (name, sign, onclick, attributes = {}) =>
  el("button", {
    type: "button",
    class: "button icon",
    "aria-label": name,
    text: sign,
    onclick,
    ...attributes,
  });

/**
 * Lets a click beside an open list, or Escape, close it.
 * @param {HTMLDetailsElement} details
 */
export function closeFromOutside(details) {
  document.addEventListener("click", (event) => {
    if (event.target instanceof Node && !details.contains(event.target)) details.open = false;
  });
  details.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !details.open) return;
    details.open = false;
    details.querySelector("summary")?.focus();
  });
}

/**
 * Options of a select, exchanged only if they differ, so that an open list stays open.
 * @param {HTMLSelectElement} select
 * @param {[value: string, text: string][]} options
 * @param {string} chosen
 */
export function fillSelect(select, options, chosen) {
  const wanted = JSON.stringify(options);
  if (select.dataset.options !== wanted) {
    select.replaceChildren(...options.map(([value, text]) => el("option", { value, text })));
    select.dataset.options = wanted;
  }
  select.value = chosen;
}
