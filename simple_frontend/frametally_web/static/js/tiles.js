// The summary tiles above the chart.

import { el } from "./dom.js";
import { bigNumber, day, isOneDay, mean, number, plural, shortSpan, span } from "./format.js";

/**
 * @param {HTMLElement} list  the `<dl>`
 * @param {Object} counts  the API's answer
 * @param {Row[]} rows
 * @param {Object[]} sources  those selected that have footage in the range
 */
export function showTiles(list, counts, rows, sources) {
  list.replaceChildren(
    ...[
      detections(counts),
      framesAnalysed(rows, counts),
      busiest(rows),
      peak(counts),
      filmed(rows, sources),
    ].map(({ name, value, detail, small, exact }) =>
      el(
        "div",
        { class: "tile" },
        el("dt", { text: name }),
        el("dd", { class: small ? "value words" : "value", text: value, title: exact ?? value }),
        el("dd", { class: "detail", text: detail }),
      ),
    ),
  );
}

/** Grey shapes where the tiles will be. */
export function showTileSkeletons(list) {
  list.replaceChildren(
    ...Array.from({ length: 5 }, () =>
      el("div", { class: "tile", "aria-hidden": "true" }, el("dd", { class: "skeleton line" }), el("dd", { class: "skeleton block" })),
    ),
  );
}

function total(counts) {
  return counts.totals.reduce((sum, one) => sum + one.detections, 0);
}

function detections(counts) {
  const all = total(counts);
  const top = counts.totals.reduce((best, one) => (one.detections > (best?.detections ?? 0) ? one : best), null);
  const several = counts.totals.filter((one) => one.detections > 0).length > 1;
  const share = several ? `${Math.round((100 * top.detections) / all)} % ${top.label}` : null;
  return {
    name: "Detections",
    value: bigNumber(all),
    exact: number(all),
    detail: share ?? (top ? top.label : counts.frames ? "nothing was found" : "–"),
  };
}

function framesAnalysed(rows, counts) {
  const perFrame = counts.frames ? `${mean(total(counts) / counts.frames)} detections a frame` : "–";
  return { name: "Frames analysed", value: bigNumber(counts.frames), exact: number(counts.frames), detail: perFrame };
}

function busiest(rows) {
  const row = rows.reduce((best, one) => (one.total > (best?.total ?? 0) ? one : best), null);
  if (!row) return { name: "Busiest interval", value: "–", detail: "no detections" };
  const oneDay = isOneDay(rows[0].start, rows.at(-1).end);
  return {
    name: "Busiest interval",
    value: isOneDay(row.start, row.end) ? shortSpan(row.start, row.end) : span(row.start, row.end),
    detail: `${oneDay || !isOneDay(row.start, row.end) ? "" : `${day(row.start)}, `}${plural(row.total, "detection")}`,
    small: true,
  };
}

function peak(counts) {
  const top = counts.totals.reduce((best, one) => (one.peak > (best?.peak ?? 0) ? one : best), null);
  return {
    name: "Peak in one frame",
    value: top ? number(top.peak) : "–",
    detail: top ? top.label : "no detections",
  };
}

function filmed(rows, sources) {
  const withFootage = rows.filter((row) => row.frames !== null);
  if (!withFootage.length) return { name: "Sources", value: "–", detail: "no footage here" };
  const only = sources.length === 1;
  return {
    name: only ? "Source" : "Sources",
    value: only ? sources[0].name : number(sources.length),
    detail: span(withFootage[0].start, withFootage.at(-1).end),
    small: only,
  };
}
