// What the colours and hatchings of the chart mean; a label's key shows that label alone.

import { el, swatch } from "../shared/dom.js";
import { totalWords } from "./words.js";

/**
 * @param {HTMLElement} area
 * @param {Page.View} view
 * @param {string[]} chosen  the labels that are filtered for
 * @param {(labels: string[]) => void} onLabels  [] for all
 */
export function showLegend(area, view, chosen, onLabels) {
  const {
    series,
    metric,
    gaps,
    notAnalysed,
    unmeasured,
    measuredInPart,
    partial,
    fileTimes,
    overlaps,
    other,
  } = view;
  const keys = series.map((one) => {
    const content = [
      swatch(one.color),
      el("span", { class: "name", text: one.name }),
      el("span", { class: "count muted", text: totalWords(metric, one) }),
    ];
    if (one.title) return el("span", { class: "key", title: one.title }, ...content);
    const alone = chosen.length === 1 && chosen[0] === one.name;
    return el(
      "button",
      {
        type: "button",
        class: "key",
        "aria-pressed": String(alone),
        title: alone ? "Show all labels again" : `Show only ${one.name}`,
        onclick: () => onLabels(alone ? [] : [one.name]),
      },
      ...content,
    );
  });
  /**
   * @param {string} kind
   * @param {string} name
   * @param {string} title
   */
  const mark = (kind, name, title) =>
    el(
      "span",
      { class: "key", title },
      el("span", { class: `swatch ${kind}`, "aria-hidden": "true" }),
      el("span", { class: "name", text: name }),
    );
  const inRange = (/** @type {Page.Span[]} */ spans) =>
    spans.some(([from, to]) => from < view.to && to > view.from);
  area.replaceChildren(
    ...keys,
    ...(other ? [mark("other", other.name, "All labels together, for comparison")] : []),
    ...(other?.gaps.length ? [mark("other-gap", `${other.name}: no footage`, "Nothing was filmed there on the other side: its line breaks.")] : []),
    ...(gaps.length ? [mark("gap", "no footage", "Nothing was filmed there: not the same as nothing there.")] : []),
    ...(notAnalysed.length ? [mark("unanalysed", "filmed, not analysed", "There is footage, but it is not in the counts: not yet, or it cannot be read. See the books below.")] : []),
    ...(partial.length ? [mark("partial", "filmed in part", "There was footage for a part of the interval only. Point at a bar to see how much.")] : []),
    ...(unmeasured.length ? [mark("unmeasured", "not measured", "There is footage, but objects were not followed in it.")] : []),
    ...(measuredInPart.length ? [mark("in-part", "measured in part", "Objects were followed in some of the footage only: there are at least as many. Point at a bar to see why.")] : []),
    ...(inRange(fileTimes) ? [mark("file-time", "time guessed", "No camera wrote these times: they are from a file's date or the upload, and may be wrong.")] : []),
    ...(inRange(overlaps) ? [mark("overlap", "media overlap", "One of them is counted there; the line below names them.")] : []),
  ); // prettier-ignore
}
