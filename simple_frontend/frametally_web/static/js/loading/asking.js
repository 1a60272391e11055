// What the page asks the API for, to show a state.

import { ApiError, get, selectionQuery } from "../shared/api.js";
import { comparisonOf } from "../shared/compare.js";

// As many labels as the page tells apart anywhere: of a year, the rest would be most of the answer.
const TOP = "12";

/**
 * All that the chart needs. The summary is asked for by itself: it may take longer.
 * @param {Page.State} state
 * @param {AbortSignal} signal
 * @returns {Promise<Page.Answers>}
 */
export async function ask(state, signal) {
  const model = new URLSearchParams(state.model ? { model: state.model } : {});
  const [{ models, labels, sources }, counts] = await Promise.all([
    get("catalogue", model, signal),
    get("counts", chartQuery(state), signal),
  ]);
  const comparison = comparisonOf(state, { models, sources, counts });
  const beside = comparison && (await partOf(get("counts", besideQuery(comparison), signal)));
  const isAbsent = beside instanceof ApiError;
  if (isAbsent && !beside.passes) throw beside;
  const other = comparison && beside && !isAbsent ? { comparison, counts: beside } : null;
  return { models, labels, sources, counts, summary: null, other, otherFault: isAbsent ? beside : null };
}

/**
 * The answers above the chart; an error of the API is returned, so that the rest of the page is shown without them.
 * @param {Page.State} state
 * @param {AbortSignal} signal
 */
export const askSummary = (state, signal) => partOf(get("summary", chartQuery(state), signal));

/**
 * @template Answer
 * @param {Promise<Answer>} answer
 * @returns {Promise<Answer|ApiError>}
 */
async function partOf(answer) {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
}

/** @param {Page.State} state */
function chartQuery(state) {
  const query = selectionQuery(state, { bars: true });
  query.set("top", TOP);
  return query;
}

/**
 * What a chart that is signed for another site's page may ask for: its counts alone.
 * @param {Page.State} state
 * @param {AbortSignal} signal
 */
export async function askSigned(state, signal) {
  const counts = await get("counts", chartQuery(state), signal);
  return { labels: counts.labels.map((label) => ({ label })), counts, other: null };
}

/**
 * The other side's line has all labels together.
 * @param {Page.Comparison} comparison
 */
function besideQuery({ state }) {
  const query = selectionQuery(state, { bars: true });
  query.set("top", "0");
  return query;
}
