// What the page asks the API for, to show a state.

import { get, selectionQuery } from "../shared/api.js";
import { comparisonOf } from "../shared/compare.js";

// As many labels as the page tells apart anywhere: of a year, the rest would be most of the answer.
const TOP = "12";

/**
 * @param {Page.State} state
 * @param {AbortSignal} signal
 * @returns {Promise<Page.Answers>}
 */
export async function ask(state, signal) {
  const model = new URLSearchParams(state.model ? { model: state.model } : {});
  const chart = selectionQuery(state, { bars: true });
  chart.set("top", TOP);
  const [{ models, labels, sources }, counts, summary] = await Promise.all([
    get("catalogue", model, signal),
    get("counts", chart, signal),
    get("summary", chart, signal),
  ]);
  const comparison = comparisonOf(state, { models, sources, counts });
  const other = comparison && { comparison, counts: await get("counts", besideQuery(comparison), signal) };
  return { models, labels, sources, counts, summary, other };
}

/**
 * What a chart that is signed for another site's page may ask for: its counts alone.
 * @param {Page.State} state
 * @param {AbortSignal} signal
 */
export async function askSigned(state, signal) {
  const query = selectionQuery(state, { bars: true });
  query.set("top", TOP);
  const counts = await get("counts", query, signal);
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
