// Chooses the source that a page opens if its address does not name one.

import { ApiError, getFrom } from "frametally/js/shared/api.js";

const MOST_TRIED = 20;

/**
 * The first source whose drawing the page can use, among the first `MOST_TRIED`; otherwise the first source.
 * @param {{source: string}[]} sources
 * @param {(drawing: Api.SourceDrawing) => boolean} isDrawn
 * @param {AbortSignal} [signal]
 */
export async function firstDrawn(sources, isDrawn, signal) {
  for (const { source } of sources.length > 1 ? sources.slice(0, MOST_TRIED) : []) {
    try {
      if (isDrawn(await getFrom(`sources/${source}/drawing`, undefined, signal))) return source;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status === 0) throw error; // a damaged drawing counts as none
    }
  }
  return sources[0].source;
}
