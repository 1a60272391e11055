// Building elements. All text goes in as text: names from the data can never become markup.

/**
 * An element with attributes and children.
 * @param {string} name  tag name
 * @param {Object} attributes  `class`, `text`, `on<event>` handlers, booleans, or plain attributes
 * @param {...(Node|string|null)} children
 */
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

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

/** The element with an id that the page is sure to have. */
export function byId(id) {
  return document.getElementById(id);
}

/** A square in a label's colour. */
export function swatch(color) {
  const square = el("span", { class: "swatch", "aria-hidden": "true" });
  square.style.background = color;
  return square;
}
