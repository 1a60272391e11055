// What a page says of what was done, or could not be.

import { ApiError } from "../shared/api.js";
import { byId } from "../shared/dom.js";

/**
 * For those who do not see it happen.
 * @param {string} words
 */
export function speak(words) {
  byId("spoken").textContent = words;
}

/**
 * Why something is not done, and what would help.
 * @param {unknown} error
 */
export function wordsOf(error) {
  if (!(error instanceof ApiError)) throw error;
  return `${error.message} ${error.remedy}`.trim();
}
