// The counts of each label and of each source.

import { sparkline } from "../chart/sparkline.js";
import { holesOf } from "../chart/tooltip.js";
import { intervalOf } from "../shared/checked.js";
import { el, refill, swatch } from "../shared/dom.js";
import { labelName, moment, number, percent, span } from "../shared/format.js";
import { amountOf, knownOf } from "../shared/metrics.js";
import { absenceOf, allIn, allKnownIn, partOf, spansOf, totalIn, UNKNOWN } from "../shared/series.js";
import {
  checkedCell,
  numberCell,
  onlyButton,
  rowOf,
  scrollable,
  sortableTable,
  valueCell,
} from "../shared/tables.js";
import { t } from "../shared/texts.js";

const labelOrder = { by: "value", falls: true };

const SHOWN = 12;

/**
 * @param {HTMLElement} area
 * @param {Api.Counts} counts
 * @param {Page.Metric} metric
 * @param {Page.ColorOf} colorOf
 * @param {(label: string) => void} onLabel
 */
export function showBreakdown(area, counts, metric, colorOf, onLabel) {
  const labels = [...counts.totals, ...counts.rest_totals];
  const found = labels.filter((total) => total.label !== null && metric.of(total) !== 0);
  const amount = (/** @type {Api.Total} */ total) => amountOf(knownOf(metric, total));
  const most = Math.max(0, ...found.map((total) => amount(total) ?? 0));
  const all = allIn(counts, metric).value;
  const frames = counts.sources.length === 1 ? counts.frames : 0;
  const name = t("web.name_by_label", { name: metric.name });
  const lines = found.slice(0, SHOWN);
  const rowFor = (/** @type {Api.Total} */ total) => {
    const value = amount(total);
    const label = total.label ?? "";
    const bar = el("span.bar", { "aria-hidden": "true" });
    bar.style.width = `${most ? (100 * (value ?? 0)) / most : 0}%`;
    bar.style.background = colorOf(label);
    const share = metric.of(total) !== null && all ? percent((value ?? 0) / all) : "";
    return rowOf(
      onlyButton(labelName(label), () => onLabel(label), swatch(colorOf(label))),
      el("td.bar-cell", value === null ? null : bar),
      checkedCell(metric, knownOf(metric, total), intervalOf(total, metric, frames)),
      metric.stacks ? numberCell(share, "number muted") : null,
    );
  };
  const columns = [
    { name: t("web.label"), of: (/** @type {Api.Total} */ { label }) => label },
    { name: "" },
    { name: metric.name, id: "value", of: amount, isNumber: true },
    ...(metric.stacks ? [{ name: t("web.share"), of: amount, isNumber: true }] : []),
  ];
  const left = found.length - lines.length;
  refill(
    area,
    lines.length
      ? sortableTable({ name, kind: "bars", columns, lines, rowFor, order: labelOrder })
      : el("p.muted", counts.coverage.length ? t("web.nothing_was_found_sentence") : absenceOf(counts)),
    left > 0 ? el("p.muted.small", t("web.and_more_labels", { count: left })) : "",
  );
}

const AT_ONCE = 12;
/** With more sources, the table scrolls. */
const MOST_UNBOUNDED = 24;

/** The interval of a single-label answer. @param {Api.Counts} answer @param {Page.Metric} metric */
const aloneIn = ({ totals, frames }, metric) =>
  totals.length === 1 ? intervalOf(totals[0], metric, frames) : null;

/** One source. @typedef {{source: string, name: string} & ReturnType<typeof partOf>} Part */

const sourceOrder = { by: t("web.source"), falls: false };

/**
 * @param {HTMLElement} area
 * @param {Api.Counts} counts  by source
 * @param {Page.Metric} metric
 * @param {Page.Span[]} outside  time that was not chosen
 * @param {(source: string) => string} nameOf
 * @param {(source: string) => void} onSource
 */
export function showSources(area, counts, metric, outside, nameOf, onSource) {
  /** @type {Part[]} */
  const parts = counts.sources.map((source) => ({ source, name: nameOf(source), ...partOf(counts, source) }));
  const most = Math.max(0, ...parts.flatMap(({ rows }) => rows.map((row) => totalIn(row, metric) ?? 0)));
  const valueOf = (/** @type {Part} */ { answer, rows }) =>
    rows.length ? amountOf(allIn(answer, metric)) : null;
  /** @param {Part} part */
  const rowFor = ({ source, name, answer, rows, notAnalysed, nothing }) => {
    const absent = nothing[0]?.kind ?? (notAnalysed.length ? t("web.not_analysed") : t("web.no_footage"));
    const known = allIn(answer, metric);
    return rowOf(
      onlyButton(name, () => onSource(source)),
      el("td.spark", sparkline(counts, rows, notAnalysed, metric, most, outside, spansOf(nothing))),
      rows.length ? checkedCell(metric, known, aloneIn(answer, metric)) : numberCell(absent),
      numberCell(number(answer.frames), "number muted"),
    );
  };
  const isOpen = area.querySelector("details")?.open ?? false;
  /** @type {import("../shared/tables.js").Column<Part>[]} */
  const columns = [
    { name: t("web.source"), of: ({ name }) => name },
    { name: t("web.over_time_up_to", { most: metric.format(most) }) },
    { name: metric.name, id: "value", of: valueOf, isNumber: true },
    { name: t("web.frames"), of: ({ answer }) => answer.frames, isNumber: true },
  ];
  // Shows the fullest sources, unless you chose all; the button says how many others there are.
  const isAll = area.dataset.all === "true";
  const ranked = [...parts].sort((a, b) => (valueOf(b) ?? -1) - (valueOf(a) ?? -1));
  const lines = isAll ? parts : parts.filter((part) => ranked.indexOf(part) < AT_ONCE);
  const showAll = () => {
    area.dataset.all = "true";
    showSources(area, counts, metric, outside, nameOf, onSource);
    area.querySelector("button")?.focus();
  };
  const left = t("web.length_more", { length: number(parts.length - lines.length) });
  const name =
    lines.length < parts.length ? t("web.the_sources_with_the_most", { AT_ONCE }) : t("web.each_source");
  const table = sortableTable({ name, kind: "multiples", columns, lines, rowFor, order: sourceOrder });
  refill(
    area,
    lines.length > MOST_UNBOUNDED ? scrollable(name, table) : table,
    lines.length < parts.length ? el("button.button", { onclick: showAll }, left) : "",
    sourcesNumbers(parts, metric, isOpen),
  );
}

/** A table, which can be long. @param {Part[]} sources @param {Page.Metric} metric @param {boolean} isOpen */
function sourcesNumbers(sources, metric, isOpen) {
  const details = el("details", el("summary", t("web.numbers_per_interval")));
  const fill = () => {
    if (details.open && details.childElementCount === 1) details.append(numbersOf(sources, metric));
  };
  details.addEventListener("toggle", fill);
  details.open = isOpen;
  fill();
  return details;
}

const numbersOrder = { by: t("web.interval"), falls: false };

/** @param {Part[]} sources @param {Page.Metric} metric */
function numbersOf(sources, metric) {
  const columns = sources.map(({ name, rows, notAnalysed, nothing }) => {
    const knownBy = new Map(rows.map((row) => [row.start, allKnownIn(row, metric)]));
    const holes = holesOf({ gaps: [], notAnalysed, nothing });
    /** @param {number} start */
    const absentAt = (start) =>
      knownBy.has(start)
        ? t("web.not_measured")
        : (holes.find(({ span: [from, to] }) => from <= start && start < to)?.kind ?? t("web.no_footage"));
    /** @param {number} start */
    const of = (start) => amountOf(knownBy.get(start) ?? UNKNOWN);
    return { name, isNumber: true, of, knownBy, absentAt };
  });
  const ends = new Map(sources.flatMap(({ rows }) => rows.map((row) => [row.start, row.end])));
  return sortableTable({
    name: t("web.per_interval_and_source", { name: metric.name }),
    columns: [{ name: t("web.interval"), of: (start) => start }, ...columns],
    lines: [...ends.keys()].sort((a, b) => a - b),
    rowFor: (start) => {
      const when = el("span", { title: span(start, ends.get(start) ?? start) }, moment(start));
      return rowOf(
        when,
        ...columns.map(({ knownBy, absentAt }) =>
          valueCell(metric, knownBy.get(start) ?? null, absentAt(start)),
        ),
      );
    },
    order: numbersOrder,
  });
}
