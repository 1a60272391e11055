// Remedies for a question without an answer: each is one click, and keeps the rest of the question.

import { duration } from "../shared/format.js";
import { t } from "../shared/texts.js";

/** @typedef {{text: string, change: Partial<Page.State>}} Remedy */

/** How to remove a parameter. @type {Record<string, Remedy>} */
const WITHOUT = {
  interval: { text: t("web.use_bars_that_suit_the_range"), change: { interval: null } },
  label: { text: t("web.show_all_labels"), change: { labels: [] } },
  source: { text: t("web.show_all_sources"), change: { sources: [] } },
  from: { text: t("web.show_all_the_footage"), change: { from: null, to: null } },
  to: { text: t("web.show_all_the_footage"), change: { from: null, to: null } },
  timezone: { text: t("web.use_your_own_time_zone"), change: { timezone: null } },
  zone: { text: t("web.show_the_whole_picture"), change: { zone: null } },
  model: { text: t("web.use_the_newest_model"), change: { model: null } },
  hours: { text: t("web.show_all_hours"), change: { hours: null } },
  weekdays: { text: t("web.show_all_weekdays"), change: { weekdays: [] } },
  metric: { text: t("web.use_the_metric_that_suits"), change: { metric: null } },
};

/**
 * Remedies, closest value first; the last one removes the invalid parameter.
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
 * @param {string} value  the invalid value
 * @param {string} other  a valid value
 * @param {Page.State} state
 * @returns {Remedy|null}
 */
function insteadOf(parameter, value, other, state) {
  /** @param {string[]} values */
  const exchanged = (values) => [...new Set(values.map((one) => (one === value ? other : one)))];
  const interval = Number(other);
  if (parameter === "interval")
    return { text: t("web.use_bars_of", { other: duration(interval) }), change: { interval } };
  const text = t("web.show_other", { other });
  if (parameter === "label") return { text, change: { labels: exchanged(state.labels) } };
  if (parameter === "source") return { text, change: { sources: exchanged(state.sources) } };
  return parameter === "zone" ? { text, change: { zone: other } } : null;
}
