// Which place of a video to go to, so that the next frame is shown, or the one before.

/** Where the rate is not known. */
const USUAL_FPS = 25;

/**
 * How long a frame is shown, in seconds.
 * @param {number|null} fps
 */
export const frameLength = (fps) => 1 / (fps && fps > 0 ? fps : USUAL_FPS);

/**
 * In the middle of the frame that is meant, so that no rounding can miss it.
 * @param {number} shownS  when the frame that is shown begins
 * @param {number} by  frames on; negative: back
 * @param {number} frameS
 * @param {number} durationS
 */
export function placeOf(shownS, by, frameS, durationS) {
  const place = shownS + (by + 0.5) * frameS;
  return Math.min(Math.max(place, 0), Math.max(durationS - frameS / 4, 0));
}
