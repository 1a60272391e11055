// On which days of a month there is footage: one light request, whose answer is kept until the counts change.

import { ApiError, get, selectionQuery } from "../shared/api.js";
import { DEFAULT } from "../shared/state.js";
import { plus, startOf } from "../shared/time.js";

/**
 * @param {Page.State} state  its sources, its model and its zone
 * @param {number} month  where it begins, ms
 * @returns {Promise<Set<number>|null>} where these days begin, ms; null: not known
 */
export async function filmedDays({ sources, model, timezone }, month) {
  const query = selectionQuery({
    ...{ ...DEFAULT, sources, model, timezone },
    from: month,
    to: plus(month, { months: 1 }),
  });
  query.set("interval", "86400");
  query.set("top", "0"); // what was filmed does not depend on labels: all together the answer is short
  try {
    const { coverage } = await get("counts", query);
    return new Set(coverage.map(({ start_ms: start }) => startOf(start, "day")));
  } catch (error) {
    if (error instanceof ApiError) return null; // the calendar does without
    throw error;
  }
}
