// A finger's stroke to the left or to the right; a mouse has buttons for that.

const LEAST_PX = 40;

/**
 * @param {HTMLElement} element  scrolls up and down as ever
 * @param {(by: -1|1) => void} step  told of each stroke: to the left is forward
 */
export function onSwipe(element, step) {
  /** @type {{id: number, x: number, y: number}|null} */
  let began = null;
  element.addEventListener("pointerdown", (event) => {
    const isFirst = event.isPrimary && event.pointerType !== "mouse";
    began = isFirst ? { id: event.pointerId, x: event.clientX, y: event.clientY } : null;
  });
  element.addEventListener("pointerup", (event) => {
    if (began?.id !== event.pointerId) return;
    const across = event.clientX - began.x;
    const down = event.clientY - began.y;
    began = null;
    if (Math.abs(across) >= LEAST_PX && Math.abs(across) > 2 * Math.abs(down)) step(across < 0 ? 1 : -1);
  });
  for (const end of ["pointercancel", "pointerleave"]) element.addEventListener(end, () => (began = null));
}
