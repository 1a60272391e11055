// The busiest intervals, most first; each leads to its frames.

import { byId, el, refill } from "../shared/dom.js";
import { duration, number, percent, plural, weekdaySpan } from "../shared/format.js";
import { METRICS } from "../shared/metrics.js";
import { numberCell, rowOf, sortableTable } from "../shared/tables.js";
import { isAdded, noneOf, whyAbsent } from "./tiles.js";

/** @type {import("../shared/tables.js").Order} */
const order = { by: "value", falls: true };

// From here on bars do not say the same any more.
const UNEVEN = 2;
// What people ask for, of all that can be: 5 and 15 minutes, an hour, a day.
const LENGTHS_S = [300, 900, 3600, 86_400];

/**
 * @param {HTMLElement} area
 * @param {Pick<Page.Answers, "counts"|"summary">} answers
 * @param {Object} on
 * @param {(start: number) => void} on.bar
 * @param {(change: Partial<Page.State>) => void} on.change
 */
export function showBusiest(area, { counts, summary }, on) {
  showLengths(byId("busiest-lengths"), counts, on.change);
  if (!isAdded(summary)) {
    area.replaceChildren(el("p", { class: "muted", text: whyAbsent(summary) }));
    return;
  }
  const { busiest, metric: id } = summary;
  const metric = METRICS[id];
  if (!busiest.length) {
    area.replaceChildren(el("p", { class: "muted", text: noneOf(summary, counts) }));
    return;
  }
  const rowFor = (/** @type {typeof busiest[number]} */ one) => {
    const when = weekdaySpan(one.start_ms, one.end_ms);
    const open = el("button", {
      type: "button",
      class: "link",
      text: when,
      "aria-label": `${when}: show the frames`,
    });
    const row = rowOf(
      open,
      numberCell(metric.format(one.value)),
      numberCell(number(one.frames), "number muted"),
      numberCell(one.filmed_part === null ? "–" : percent(one.filmed_part), "number muted"),
    );
    row.className = "leads";
    row.addEventListener("click", () => on.bar(one.start_ms));
    return row;
  };
  /** @type {import("../shared/tables.js").Column<typeof busiest[number]>[]} */
  const columns = [
    { name: "Interval", of: (one) => one.start_ms },
    { name: metric.name, id: "value", of: (one) => one.value, isNumber: true },
    { name: "Frames", of: (one) => one.frames, isNumber: true },
    { name: "Filmed", of: (one) => one.filmed_part, isNumber: true },
  ];
  refill(
    area,
    sortableTable({ name: "Busiest intervals", kind: "busiest", columns, lines: busiest, rowFor, order }),
  );
}

/**
 * How long the intervals are, and with them the chart's bars; one click chooses another length.
 * @param {HTMLElement} area
 * @param {Api.Counts} counts
 * @param {(change: Partial<Page.State>) => void} onChange
 */
function showLengths(area, { interval_s: shown, interval_choices_s: choices }, onChange) {
  const lengths = [...new Set([...LENGTHS_S.filter((one) => choices.includes(one)), shown ?? LENGTHS_S[0]])];
  lengths.sort((a, b) => a - b);
  area.hidden = shown === null || lengths.length < 2;
  const buttons = lengths.map((interval) =>
    el("button", {
      type: "button",
      text: duration(interval),
      "aria-pressed": String(interval === shown),
      onclick: () => onChange({ interval }),
    }),
  );
  refill(area, ...buttons);
}

/**
 * Where bars rest on very different numbers of frames, those with more frames have more of what is counted by frame.
 * @param {HTMLElement} area
 * @param {Page.Answers["summary"]} summary
 * @param {(change: Partial<Page.State>) => void} onChange
 */
export function showFramesWarning(area, summary, onChange) {
  area.hidden = true;
  if (!isAdded(summary)) return;
  const { frames_per_bar: frames, metric: id } = summary;
  const grows = id === "detections" || id === "peak";
  area.hidden = !(grows && frames && frames.most > UNEVEN * frames.least);
  if (area.hidden || !frames) return;
  area.replaceChildren(
    `Bars rest on ${number(frames.least)} to ${plural(frames.most, "frame")} each: where more frames were analysed, ` +
      "more is counted. ",
    el("button", {
      type: "button",
      class: "link",
      text: "Mean per frame",
      onclick: () => onChange({ metric: "mean_per_frame" }),
    }),
    " does not depend on that.",
  );
}
