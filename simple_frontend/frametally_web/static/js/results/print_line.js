// The question as a line of text, for paper: there the filters are not.

import { duration, plural, span, zoneName } from "../shared/format.js";

const WEEKDAYS = ["", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const NAMED = 5;

/**
 * Who filmed, what was counted, when, and by which model.
 * @param {Page.State} state
 * @param {Api.Counts} counts
 * @param {Map<string, string>} names  of the sources
 * @param {Page.Metric} metric
 */
export function questionLine(state, counts, names, metric) {
  const { from_ms: from, to_ms: to, interval_s: interval } = counts;
  const sources = (state.sources.length ? state.sources : counts.sources).map((one) => names.get(one) ?? one);
  return [
    named(sources, "source"),
    state.zone ? `within ${state.zone}` : "",
    state.labels.length ? named(state.labels, "label") : "all labels",
    metric.name.toLowerCase(),
    from !== null && to !== null ? span(from, to) : "",
    state.hours ?? "",
    state.weekdays.map((day) => WEEKDAYS[day]).join(", "),
    interval ? `bars of ${duration(interval)}` : "",
    zoneName(from ?? 0),
    counts.model,
  ]
    .filter(Boolean)
    .join(" · ");
}

/**
 * @param {string[]} all
 * @param {string} noun
 */
const named = (all, noun) => (all.length > NAMED ? plural(all.length, noun) : all.join(", "));
