// The card of a comparison: both sides' counts of each label, and the bars that differ most.

import { el, swatch } from "../shared/dom.js";
import {
  change,
  difference,
  isOneDay,
  labelName,
  number,
  shortSpan,
  span,
  weekdaySpan,
} from "../shared/format.js";
import { METRICS } from "../shared/metrics.js";
import {
  leadingRow,
  numberCell,
  onlyButton,
  rowOf,
  scrollable,
  sortableTable,
  valueCell,
} from "../shared/tables.js";
import { PairView } from "./pair.js";
import { t } from "../shared/texts.js";

/** The most labels in the sentence. */
const NAMED = 3;

const labelOrder = { by: "apart", falls: true };

/**
 * @param {HTMLElement} area
 * @param {Api.Differences} found
 * @param {Page.Metric} metric
 * @param {Context} context
 */
function showByLabel(area, { labels, total }, metric, { sides, colorOf, onLabel }) {
  const name = sides[1].name;
  const most = Math.max(0, ...labels.map((one) => Math.abs(one.difference ?? 0)));
  area.replaceChildren(
    el("p.compare-words", inWords(labels, total, metric, name)),
    scrollable(
      t("web.differences_by_label"),
      sortableTable({
        name: t("web.by_label_on_both_sides", { name: metric.name }),
        kind: "sides",
        columns: [
          { name: t("web.label"), of: ({ label }) => label },
          { name: sides[0].name, id: "here", isNumber: true, of: ({ value }) => value },
          { name, id: "there", isNumber: true, of: ({ other_value: value }) => value },
          {
            name: t("web.difference"),
            id: "apart",
            isNumber: true,
            of: ({ difference: by }) => by && Math.abs(by),
          },
          { name: t("web.change"), isNumber: true, of: ({ change: part }) => part },
        ],
        lines: labels,
        rowFor: (line) => {
          const label = line.label ?? "";
          const color = colorOf(label);
          const heading = onlyButton(labelName(label), () => onLabel(label), swatch(color));
          return rowElement(heading, line, metric, barOf(line.difference, most, color));
        },
        total: rowElement(t("web.all_labels"), total, metric, null),
        order: labelOrder,
      }),
    ),
  );
}

/**
 * "person 81 more, bicycle 49 fewer; all labels together 32 more than a week earlier."
 * @param {Api.LabelDifference[]} lines
 * @param {Api.LabelDifference} all
 * @param {Page.Metric} metric
 * @param {string} name
 */
function inWords(lines, all, metric, name) {
  const differing = lines.filter((line) => line.difference);
  if (!differing.length) return t("web.no_label_differs_from", { name });
  const named = differing
    .slice(0, NAMED)
    .map((line) => `${labelName(line.label ?? "")} ${moreOf(line, metric)}`);
  const left = differing.length - named.length;
  const more = left ? t("web.and_more_that_differ", { count: left }) : "";
  const together = all.difference === null ? "" : t("web.all_labels_together", { all: moreOf(all, metric) });
  return t("web.than", { named: named.join(", "), more, together, name });
}

/** @param {Api.LabelDifference} line @param {Page.Metric} metric */
function moreOf({ difference: by }, metric) {
  if (!by) return t("web.no_more_and_no_fewer");
  const value = metric.format(Math.abs(by));
  if (metric.id === "mean_per_frame" || metric.id === "peak")
    return by > 0 ? t("web.higher", { value }) : t("web.lower", { value });
  return by > 0 ? t("web.more_of_a_label", { value }) : t("web.fewer_of_a_label", { value });
}

/**
 * @param {HTMLElement|string} heading
 * @param {Api.LabelDifference} line
 * @param {Page.Metric} metric
 * @param {HTMLElement|null} bar
 */
function rowElement(heading, line, metric, bar) {
  const { difference: by, change: part } = line;
  return rowOf(
    heading,
    valueCell(metric, { value: line.value, part: line.at_least }),
    valueCell(metric, { value: line.other_value, part: line.other_at_least }),
    el("td.number.differs", bar, by === null ? "–" : difference(by)),
    numberCell(part === null ? "–" : change(part), "number muted"),
  );
}

/**
 * To the right if this side has more, to the left if it has less.
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

const mostOrder = { by: "apart", falls: true };

/**
 * @param {HTMLElement} area
 * @param {Api.Differences} found
 * @param {Page.Metric} metric
 * @param {Context} context
 */
function showMost(area, { most, differing, compared, from_ms: from, to_ms: to }, metric, context) {
  const [here, there] = context.sides;
  const hasSources = new Set(most.map(({ source }) => source)).size > 1;
  const isInADay = isOneDay(from ?? 0, to ?? 0);
  /** @param {Api.BarDifference} one */
  const rowFor = (one) => {
    const when = weekdaySpan(one.start_ms, one.end_ms);
    const label = t("web.show_both_pictures", { when, label: labelName(one.label) });
    const text = isInADay ? shortSpan(one.start_ms, one.end_ms) : when;
    return leadingRow(
      () => new PairView(most, most.indexOf(one), metric, context).open(),
      el("button.link", { "aria-label": label }, text),
      el(
        "td.most-label",
        swatch(context.colorOf(one.label)),
        el("span.name", labelName(one.label)),
        hasSources && one.source ? el("span.muted.small.name", ` ${context.nameOf(one.source)}`) : null,
      ),
      numberCell(metric.format(one.value)),
      numberCell(metric.format(one.other_value)),
      numberCell(difference(one.difference), "number strong"),
    );
  };
  /** @type {import("../shared/tables.js").Column<Api.BarDifference>[]} */
  const columns = [
    { name: t("web.interval"), of: (one) => one.start_ms },
    { name: t("web.label"), of: (one) => one.label },
    { name: here.name, id: "here", isNumber: true, of: (one) => one.value },
    { name: there.name, id: "there", isNumber: true, of: (one) => one.other_value },
    { name: t("web.difference"), id: "apart", isNumber: true, of: (one) => Math.abs(one.difference) },
  ];
  const name = t("web.where_they_differ_most");
  area.replaceChildren(
    el("h4", name),
    most.length
      ? scrollable(
          name,
          sortableTable({ name, kind: "sides most", columns, lines: most, rowFor, order: mostOrder }),
        )
      : el("p.muted", t("web.no_bar_differs")),
    el(
      "p.muted.small",
      t("web.of_bars_of_a_label_differ", { differing: number(differing), compared: number(compared) }),
    ),
  );
}

/**
 * One side of the comparison.
 * @typedef {Object} Side
 * @property {string} name  "a week earlier"
 * @property {Page.State} state
 * @property {number|null} base  the stored interval that it was read from
 */

/**
 * @typedef {Object} Context
 * @property {[here: Side, there: Side]} sides
 * @property {Page.ColorOf} colorOf
 * @property {(source: string) => string} nameOf
 * @property {(label: string) => void} onLabel  shows only this label
 * @property {(start: number) => void} onBar
 */

/** @param {HTMLElement} area @param {Api.Differences} found @param {Context} context */
export function showComparison(area, found, context) {
  const metric = METRICS[found.metric];
  const name = context.sides[1].name;
  const parts = found.seen_by_both ? [el("div.compare-labels"), el("div.compare-most")] : [];
  area.replaceChildren(
    el("h3", t("web.compared_with", { name })),
    el("p.muted.small", rangesOf(found)),
    el("p.small.compare-seen", seenWords(found)),
    parts.length ? el("div.compare-parts.stack", ...parts) : "",
  );
  if (!parts.length) return;
  showByLabel(parts[0], found, metric, context);
  showMost(parts[1], found, metric, context);
}

/** @param {Api.Differences} found */
function rangesOf({ from_ms: from, to_ms: to, other_from_ms: otherFrom, other_to_ms: otherTo }) {
  const range = (/** @type {number|null} */ start, /** @type {number|null} */ end) =>
    start === null || end === null ? "–" : span(start, end);
  const [here, there] = [range(from, to), range(otherFrom, otherTo)];
  return here === there ? here : t("web.beside", { here, there });
}

/** What is compared, and the gaps of both sides. @param {Api.Differences} found */
function seenWords({ seen_by_both: both, only_here: here, only_there: there, frames, other_frames: others }) {
  const holes = [
    here && t("web.only_here", { here: number(here) }),
    there && t("web.only_there", { there: number(there) }),
  ].filter(Boolean);
  const alone = holes.length ? t("web.filmed_that_is_not_a_difference", { holes: holes.join(", ") }) : "";
  if (!both) {
    const side = here ? t("web.nothing_was_filmed_on_the_other") : t("web.nothing_was_filmed_on_this_side");
    return here && there ? t("web.no_interval_was_filmed_on_both", { alone }) : side;
  }
  return t("web.compared_in_that_both_sides_have", {
    both: t("web.within_intervals", { count: both }),
    frames: number(frames),
    others: number(others),
    alone,
  });
}
