// The difference of each label, those most apart first: in words, as a table, and as bars to both sides of none.

import { el, swatch } from "../shared/dom.js";
import { change, difference } from "../shared/format.js";
import { numberCell, onlyButton, rowOf, scrollable, sortableTable, valueCell } from "../shared/tables.js";

/** How many labels the words name. */
const NAMED = 3;

/** @typedef {{label: string, here: number|null, there: number|null}} Line */

/** @type {import("../shared/tables.js").Order} */
const order = { by: "apart", falls: true };

/**
 * @param {HTMLElement} area
 * @param {Api.Differences} found
 * @param {Page.Metric} metric
 * @param {import("./card.js").Context} context
 */
export function showByLabel(area, { labels, total }, metric, { sides, colorOf, onLabel }) {
  const name = sides[1].name;
  const lines = labels.map((one) => ({ ...lineOf(one), label: one.label ?? "" }));
  const all = { ...lineOf(total), label: "All labels" };
  const most = Math.max(0, ...lines.map((line) => Math.abs(apart(line) ?? 0)));
  area.replaceChildren(
    el("p", { class: "compare-words", text: inWords(lines, all, metric, name) }),
    scrollable(
      "Differences by label",
      sortableTable({
        name: `${metric.name} by label on both sides`,
        kind: "sides",
        columns: [
          { name: "Label", of: ({ label }) => label },
          { name: sides[0].name, id: "here", isNumber: true, of: ({ here }) => here },
          { name, id: "there", isNumber: true, of: ({ there }) => there },
          { name: "Difference", id: "apart", isNumber: true, of: (line) => sizeOf(apart(line)) },
          { name: "Change", isNumber: true, of: share },
        ],
        lines,
        rowFor: (line) => {
          const color = colorOf(line.label);
          const heading = onlyButton(line.label, () => onLabel(line.label), swatch(color));
          return rowElement(heading, line, metric, barOf(apart(line), most, color));
        },
        total: rowElement("All labels", all, metric, null),
        order,
      }),
    ),
  );
}

/** @param {Api.LabelDifference} one */
const lineOf = ({ value, other_value: other }) => ({ here: value, there: other });

/** @param {Omit<Line, "label">} line */
const apart = ({ here, there }) => (here === null || there === null ? null : here - there);

/** @param {number|null} value */
const sizeOf = (value) => (value === null ? null : Math.abs(value));

/** @param {Omit<Line, "label">} line */
const share = (line) => (apart(line) === null || !line.there ? null : (line.here ?? 0) / line.there - 1);

/**
 * "person 81 more, bicycle 49 fewer; all labels together 32 more than a week earlier."
 * @param {Line[]} lines
 * @param {Line} all
 * @param {Page.Metric} metric
 * @param {string} name
 */
function inWords(lines, all, metric, name) {
  const differing = lines.filter((line) => apart(line));
  if (!differing.length) return `No label differs from ${name}.`;
  const named = differing.slice(0, NAMED).map((line) => `${line.label} ${moreOf(line, metric)}`);
  const left = differing.length - named.length;
  const more = left ? ` and ${left} more that differ` : "";
  const together = apart(all) === null ? "" : `; all labels together ${moreOf(all, metric)}`;
  return `${named.join(", ")}${more}${together} than ${name}.`;
}

/**
 * @param {Omit<Line, "label">} line
 * @param {Page.Metric} metric
 */
function moreOf(line, metric) {
  const by = apart(line) ?? 0;
  const words =
    metric.id === "mean_per_frame" || metric.id === "peak" ? ["higher", "lower"] : ["more", "fewer"];
  return by ? `${metric.format(Math.abs(by))} ${words[by > 0 ? 0 : 1]}` : "no more and no fewer";
}

/**
 * @param {HTMLElement|string} heading
 * @param {Omit<Line, "label">} line
 * @param {Page.Metric} metric
 * @param {HTMLElement|null} bar
 */
function rowElement(heading, line, metric, bar) {
  const [by, part] = [apart(line), share(line)];
  return rowOf(
    heading,
    valueCell(metric, line.here),
    valueCell(metric, line.there),
    el("td", { class: "number differs" }, bar, by === null ? "–" : difference(by)),
    numberCell(part === null ? "–" : change(part), "number muted"),
  );
}

/**
 * To the right where there is more here, to the left where there is less.
 * @param {number|null} by
 * @param {number} most
 * @param {string} color
 */
function barOf(by, most, color) {
  if (!by || !most) return null;
  const bar = el("span", { class: by > 0 ? "bar" : "bar less", "aria-hidden": "true" });
  bar.style.setProperty("--share", String(Math.abs(by) / most));
  bar.style.background = color;
  return bar;
}
