// What those hear who do not see the page: the result of a choice, and nothing when nothing has changed.

import { byId } from "../shared/dom.js";
import { plural, span } from "../shared/format.js";
import { totalIn } from "../shared/series.js";

let told = "";

/**
 * @param {Page.View|null} view  null where no footage is counted
 * @param {string|null} total  of all labels, as it is written
 * @param {string} absent  what is said where there is no view
 * @param {boolean} quietly  nobody asked for it: the numbers grow while somebody listens to something else
 */
export function announce(view, total, absent, quietly) {
  const words = view ? resultOf(view, total) : absent;
  if (words !== told && !quietly) byId("spoken").textContent = words;
  told = words;
}

/**
 * "Detections: 140 bicycle in 575 intervals, 8 – 14 Nov 2026."
 * @param {Page.View} view
 * @param {string|null} total
 */
function resultOf({ metric, series, rows, range }, total) {
  const parts = series.map((one) => `${metric.format(one.total)} ${one.name}`);
  const together = parts.length > 1 ? `${total} together, ` : "";
  const measured = rows.filter((row) => totalIn(row, metric) !== null).length;
  const known = measured < rows.length ? `, measured in ${measured}` : "";
  return (
    `${metric.name}: ${together}${parts.join(", ") || "nothing found"}, ` +
    `in ${plural(rows.length, "interval")}${known}, ${span(...range)}.`
  );
}
