// The whiskers of bars and lines: the interval that contains the true number.

import { themeColor } from "../shared/palette.js";

const CAP_PX = 7;

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {number} x
 * @param {number} top  upper end of the interval
 * @param {number} bottom
 * @param {number} room  for its caps
 */
export function drawWhisker(pen, x, top, bottom, room) {
  const cap = Math.min(CAP_PX, room) / 2;
  const line = () => {
    pen.beginPath();
    pen.moveTo(x, top);
    pen.lineTo(x, bottom);
    if (cap >= 1) {
      for (const y of [top, bottom]) {
        pen.moveTo(x - cap, y);
        pen.lineTo(x + cap, y);
      }
    }
    pen.stroke();
  };
  // A light edge makes it visible on a bar of any colour.
  if (cap >= 1) {
    pen.strokeStyle = themeColor("surface");
    pen.lineWidth = 3;
    line();
  }
  pen.strokeStyle = themeColor("ink");
  pen.lineWidth = 1.25;
  line();
}
