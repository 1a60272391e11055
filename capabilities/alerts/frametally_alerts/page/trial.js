// What a rule would have sent, in words and drawn: its intervals, and its threshold, which can be dragged.

import { el, svg } from "frametally/js/shared/dom.js";
import { moment, number } from "frametally/js/shared/format.js";
import { t } from "frametally/js/shared/texts.js";

const MOST_LINES = 8;
const MOST_CHARTS = 3;
const [WIDTH, HEIGHT] = [600, 90];

/**
 * @param {Api.RuleTrial} trial
 * @param {number} threshold
 * @param {(threshold: number) => void} onThreshold
 */
export function trialParts(trial, threshold, onThreshold) {
  const { from_ms: from, to_ms: to, total, alerts, tried, fulfilled } = trial;
  if (from === null || to === null) return [el("p.muted", t("alerts.frametally_cannot_try_this_rule_there"))];
  const span = t("alerts.to_2", { from: moment(from), to: moment(to) });
  const lines = alerts.slice(0, MOST_LINES).map((one) => {
    const value = one.value === null ? "" : `: ${number(one.value)}`;
    return el(
      "li",
      `${moment(one.start_ms)}, ${[one.source_name, one.label].filter(Boolean).join(", ")}${value}`,
    );
  });
  const more =
    total > lines.length
      ? [el("p.muted.small", t("alerts.and_more", { total: number(total - lines.length) }))]
      : [];
  const counts = { fulfilled: number(fulfilled), tried: number(tried) };
  return [
    el(
      "p.strong",
      t("alerts.this_rule_would_have_sent", { total: t("alerts.count_alerts", { count: total }), span }),
    ),
    tried ? el("p", t(fulfilled === tried ? "alerts.true_all_along" : "alerts.true_in", counts)) : "",
    ...charts(trial, threshold, onThreshold),
    el("ul", ...lines),
    ...more,
  ];
}

/**
 * The bars of each source; those that fulfil the rule are marked.
 * @param {Api.RuleTrial} trial
 * @param {number} threshold
 * @param {(threshold: number) => void} onThreshold
 */
function charts({ intervals, from_ms, to_ms }, threshold, onThreshold) {
  const [from, to] = [from_ms ?? 0, to_ms ?? 1];
  const top = 1.1 * Math.max(threshold, ...intervals.map(({ value }) => value)) || 1;
  const x = (/** @type {number} */ ms) => (WIDTH * (ms - from)) / (to - from);
  const y = (/** @type {number} */ value) => HEIGHT * (1 - value / top);
  const sources = [...new Set(intervals.map(({ source }) => source))].slice(0, MOST_CHARTS);
  return sources.map((source) => {
    const bars = intervals
      .filter((one) => one.source === source)
      .map(({ start_ms: start, end_ms: end, value, fulfils }) =>
        svg("rect", {
          class: fulfils ? "fulfils" : "",
          x: x(start),
          y: y(value),
          width: Math.max(x(end) - x(start) - 0.5, 0.5),
          height: HEIGHT - y(value),
        }),
      );
    const line = svg("line", { x1: 0, x2: WIDTH, y1: y(threshold), y2: y(threshold) });
    const viewBox = `0 0 ${WIDTH} ${HEIGHT}`;
    const chart = svg("svg", { viewBox, preserveAspectRatio: "none", "aria-hidden": "true" }, ...bars, line);
    const valueAt = (/** @type {PointerEvent} */ { clientY }) => {
      const { top: above, height } = chart.getBoundingClientRect();
      return Number(Math.max(top * (1 - (clientY - above) / height), 0).toPrecision(2));
    };
    chart.addEventListener("pointerdown", (event) => chart.setPointerCapture(event.pointerId));
    chart.addEventListener("pointermove", (event) => {
      if (!event.buttons) return;
      for (const name of ["y1", "y2"]) line.setAttribute(name, String(y(valueAt(event))));
    });
    chart.addEventListener("pointerup", (event) => onThreshold(valueAt(event)));
    return el("figure.trial-chart", el("figcaption.small.muted", source), chart);
  });
}
