// Where the names of boxes stand in a picture: at their own box, inside the picture, clear of each other if they can.

/** @typedef {[left: number, top: number, width: number, height: number]} Rect */
/** @typedef {{width: number, height: number}} Size */

/**
 * A place for each name, in the units of the frame; what comes first chooses first.
 * @param {Rect[]} boxes
 * @param {Size[]} names  how large each name is
 * @param {Size} frame
 * @returns {Rect[]}
 */
export function placeNames(boxes, names, frame) {
  /** @type {Rect[]} */
  const taken = [];
  boxes.forEach((box, index) => {
    let best = null;
    let least = Infinity;
    for (const place of placesAt(box, names[index], frame)) {
      const covered = taken.reduce((sum, other) => sum + overlap(place, other), 0);
      if (covered >= least) continue;
      [best, least] = [place, covered];
      if (!covered) break;
    }
    if (best) taken.push(best);
  });
  return taken;
}

/**
 * The places at a box, the best first: above it, in it, below it; from its left edge, then to its right one.
 * @param {Rect} box
 * @param {Size} name
 * @param {Size} frame
 * @returns {Rect[]}
 */
function placesAt([x, y, wide, high], { width, height }, frame) {
  const lefts = [x, x + wide - width];
  const tops = [y - height, y, y + high - height, y + high];
  const most = [frame.width - width, frame.height - height];
  return tops.flatMap((top) =>
    lefts.map(
      (left) => /** @type {Rect} */ ([clamp(left, 0, most[0]), clamp(top, 0, most[1]), width, height]),
    ),
  );
}

/**
 * The least, where the most is below it: a name wider than its picture begins at its left edge.
 * @param {number} value
 * @param {number} least
 * @param {number} most
 */
function clamp(value, least, most) {
  return Math.max(least, Math.min(value, most));
}

/**
 * The area that two rectangles share.
 * @param {Rect} one
 * @param {Rect} other
 */
function overlap([x, y, wide, high], [left, top, width, height]) {
  const across = Math.min(x + wide, left + width) - Math.max(x, left);
  const down = Math.min(y + high, top + height) - Math.max(y, top);
  return across > 0 && down > 0 ? across * down : 0;
}
