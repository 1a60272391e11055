// Pictures that are asked for only when they come near what is in view: a browser's own lazy loading begins some
// screens ahead.

const NEAR = "100px";

/** @type {WeakMap<Element, () => void>} */
const waiting = new WeakMap();

const observer = new IntersectionObserver(
  (entries) => entries.filter((one) => one.isIntersecting).forEach(({ target }) => begin(target)),
  { rootMargin: NEAR },
);

// On paper all is in view.
addEventListener("beforeprint", () =>
  document.querySelectorAll(".picture:has(> img:not([src]))").forEach(begin),
);

/**
 * @param {Element} picture
 * @param {() => void} ask  called once, if ever
 */
export function whenNear(picture, ask) {
  waiting.set(picture, ask);
  observer.observe(picture);
}

/** @param {Element} picture */
function begin(picture) {
  observer.unobserve(picture);
  waiting.get(picture)?.();
  waiting.delete(picture);
}
