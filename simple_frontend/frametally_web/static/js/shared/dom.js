// Builds elements. All text is added as text, so names from the data can never become markup.

import { t } from "./texts.js";

/** @typedef {Node|string|number|false|null|undefined} Child */
/** @typedef {Record<string, any>} Attributes  `text`, `on<event>` handlers, booleans, or plain attributes */

/**
 * An element with attributes and children; a button is of type "button" by default.
 * @template {string} Name
 * @param {Name} name  tag and classes, separated by dots: "p.muted.small"
 * @param {...(Attributes|Child)} parts  attributes come before children
 */
export function el(name, ...parts) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (tag === "button") element.setAttribute("type", "button");
  if (classes.length) element.className = classes.join(" ");
  return /** @type {Page.ElementOf<Name>} */ (fill(element, parts));
}

/**
 * Like `el`, for SVG.
 * @template {keyof SVGElementTagNameMap} Name
 * @param {Name} name
 * @param {...(Attributes|Child)} parts
 */
export function svg(name, ...parts) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), parts);
}

/**
 * @template {Element} E
 * @param {E} element
 * @param {(Attributes|Child)[]} parts
 */
function fill(element, parts) {
  for (const part of parts) {
    if (part instanceof Node || typeof part === "string") element.append(part);
    else if (typeof part === "number") element.append(String(part));
    else for (const [key, value] of Object.entries(part || {})) setAttribute(element, key, value);
  }
  return element;
}

/** @param {Element} element @param {string} key @param {any} value */
function setAttribute(element, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (key === "text") element.textContent = value;
  else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
  else element.setAttribute(key, value === true ? "" : String(value));
}

/** A text with its code between backticks. @param {string} text @returns {(Node|string)[]} */
export const withCode = (text) =>
  text.split("`").map((part, position) => (position % 2 ? el("code", part) : part));

/** An element by ID, which the page must have. @param {string} id */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no #${id}.`);
  return element;
}

/**
 * A form control or canvas by ID.
 * @template {HTMLElement} E
 * @param {string} id
 * @param {new () => E} kind
 */
export function control(id, kind) {
  const element = byId(id);
  if (!(element instanceof kind)) throw new Error(`#${id} is not a ${kind.name}.`);
  return element;
}

/** The element that a pointer is pressing. @type {Element|null} */
let pressed = null;
/** Content for areas, delayed until the pointer is up. @type {Map<HTMLElement, (Node|string)[]>} */
const delayedFills = new Map();

/** @param {Event} event */
const press = ({ target }) => void (pressed = target instanceof Element ? target : null);
const release = () => void (pressed = null);
const fillDelayed = () => {
  release();
  for (const [area, children] of delayedFills) refill(area, ...children);
};
// Unit tests have no window.
const onWindow = globalThis.addEventListener ?? (() => {});
onWindow("pointerdown", press, true);
onWindow("click", release, true);
// The click event comes after the pointer is up.
for (const end of ["pointerup", "pointercancel"]) onWindow(end, () => void setTimeout(fillDelayed), true);

/**
 * Replaces an area's content, and keeps the focus if there is a button or link with the same name. While a button in
 * the area is pressed, it waits, because a removed button never gets its click.
 * @param {HTMLElement} area
 * @param {...(Node|string)} children
 */
export function refill(area, ...children) {
  if (pressed && area.contains(pressed)) return void delayedFills.set(area, children);
  delayedFills.delete(area);
  const { activeElement } = document;
  const name = area.contains(activeElement) && activeElement !== area ? nameOf(activeElement) : null;
  area.replaceChildren(...children);
  if (!name) return;
  const again = [...area.querySelectorAll("button, a")].find((one) => nameOf(one) === name);
  if (again instanceof HTMLElement) again.focus();
}

/** @param {Element|null} element */
const nameOf = (element) => element?.ariaLabel || element?.textContent;

/** A square in a label's colour. @param {string} color */
export function swatch(color) {
  const square = el("span.swatch", { "aria-hidden": "true" });
  square.style.background = color;
  return square;
}

/**
 * A small button with a symbol, such as an arrow.
 * @param {string} name
 * @param {string} sign
 * @param {() => void} onclick
 * @param {Record<string, any>} [attributes]
 */
export const iconButton = (name, sign, onclick, attributes = {}) =>
  el("button.button.icon", { type: "button", "aria-label": name, onclick, ...attributes }, sign);

let fields = 0;

/**
 * A control with its label above it; it gets an ID if it does not have one.
 * @param {string} name
 * @param {HTMLElement} input
 * @param {...HTMLElement} more  below the control
 */
export function field(name, input, ...more) {
  input.id ||= `field-${(fields += 1)}`;
  return el("div.field", el("label", { for: input.id }, name), input, ...more);
}

/**
 * Puts elements into an area in this order and removes all others. It moves as few as possible and keeps the focus.
 * @param {HTMLElement} area
 * @param {HTMLElement[]} elements
 */
export function arrange(area, elements) {
  const { activeElement: held } = document;
  const wanted = new Set(/** @type {Element[]} */ (elements));
  for (const child of [...area.children]) if (!wanted.has(child)) child.remove();
  elements.forEach((element, at) => {
    if (area.children[at] !== element) area.insertBefore(element, area.children[at] ?? null);
  });
  if (held instanceof HTMLElement && held !== document.activeElement && area.contains(held))
    held.focus({ preventScroll: true });
}

/** Closes an open list on Escape or a click outside it. @param {HTMLDetailsElement} details */
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
 * Fills a select, only if its options differ, so that an open list stays open.
 * @param {HTMLSelectElement} select
 * @param {string[][]} options  value and text of each
 * @param {string} chosen
 */
export function fillSelect(select, options, chosen) {
  const wanted = JSON.stringify(options);
  if (select.dataset.options !== wanted) {
    select.replaceChildren(...options.map(([value, text]) => el("option", { value }, text)));
    select.dataset.options = wanted;
  }
  select.value = chosen;
}

/**
 * @param {string} text
 * @param {Element} button
 * @param {{done?: string, otherwise?: string}} [says]  the button's text afterwards, and if the browser refuses
 * @returns {Promise<boolean>}  whether the text was copied
 */
export async function copyText(
  text,
  button,
  { done = t("web.copied"), otherwise = t("web.not_copied") } = {},
) {
  const usual = button.textContent;
  let isCopied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    isCopied = false;
  }
  button.textContent = isCopied ? done : otherwise;
  setTimeout(() => (button.textContent = usual), 2500);
  return isCopied;
}

/** @type {{yield?: () => Promise<void>}|undefined} */
const scheduler = /** @type {any} */ (globalThis).scheduler;

/** @returns {Promise<void>}  resolves in a new task */
export const nextTask = () => scheduler?.yield?.() ?? new Promise((resolve) => setTimeout(resolve));

/**
 * Calls back after layout and painting, when reading positions and sizes costs nothing.
 * @param {() => void} then
 */
export const afterFrame = (then) => requestAnimationFrame(() => setTimeout(then));
