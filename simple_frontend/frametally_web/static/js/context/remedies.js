// What would mend a choice that cannot be answered: each remedy is one click, and keeps all that is not at fault.

import { duration } from "../shared/format.js";

/** @typedef {{text: string, change: Partial<Page.State>}} Remedy */

/** What leaves a parameter out. @type {Record<string, Remedy>} */
const WITHOUT = {
  interval: { text: "Use bars that suit the range", change: { interval: null } },
  label: { text: "Show all labels", change: { labels: [] } },
  source: { text: "Show all sources", change: { sources: [] } },
  from: { text: "Show all the footage", change: { from: null, to: null } },
  to: { text: "Show all the footage", change: { from: null, to: null } },
  timezone: { text: "Use your own time zone", change: { timezone: null } },
  zone: { text: "Show the whole picture", change: { zone: null } },
  model: { text: "Use the newest model", change: { model: null } },
  hours: { text: "Show all hours", change: { hours: null } },
  weekdays: { text: "Show all weekdays", change: { weekdays: [] } },
  metric: { text: "Use the metric that suits", change: { metric: null } },
};

/**
 * The nearest first; the last one leaves out what is at fault.
 * @param {import("../shared/api.js").ApiError} error
 * @param {Page.State} state
 * @returns {Remedy[]}
 */
export function remediesOf({ parameter, value, instead }, state) {
  const others = instead.map((other) => insteadOf(parameter, value, other, state));
  const without = WITHOUT[parameter];
  return [...others, ...(without ? [without] : [])].filter((one) => one !== null);
}

/**
 * @param {string} parameter
 * @param {string} value  the one at fault
 * @param {string} other  one that would do
 * @param {Page.State} state
 * @returns {Remedy|null}
 */
function insteadOf(parameter, value, other, state) {
  const exchanged = (/** @type {string[]} */ values) => [
    ...new Set(values.map((one) => (one === value ? other : one))),
  ];
  if (parameter === "interval")
    return { text: `Use bars of ${duration(Number(other))}`, change: { interval: Number(other) } };
  if (parameter === "label") return { text: `Show “${other}”`, change: { labels: exchanged(state.labels) } };
  if (parameter === "source")
    return { text: `Show “${other}”`, change: { sources: exchanged(state.sources) } };
  if (parameter === "zone") return { text: `Show “${other}”`, change: { zone: other } };
  return null;
}
