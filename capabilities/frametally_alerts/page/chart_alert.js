// An alert in the chart on Answers: you drag its threshold, and the chart marks the bars that would have fired.

import { send } from "frametally/js/shared/api.js";
import { byId, el, iconButton } from "frametally/js/shared/dom.js";
import { totalIn } from "frametally/js/shared/series.js";
import { formatWhole } from "frametally/js/shared/state.js";
import { wordsOf } from "frametally/js/status/notices.js";
import { t } from "frametally/js/shared/texts.js";
import { period, thresholdPicture, trialParts } from "./trial.js";

const button = document.getElementById("alert-me");
if (button instanceof HTMLAnchorElement) start(button);

/** @param {HTMLAnchorElement} opener */
function start(opener) {
  /** @type {Page.ShownChart|null} */
  let shown = null;
  /** @type {Api.RuleTrial|null} */
  let trial = null;
  /** @type {SVGElement|null} */
  let picture = null;
  let trials = 0;
  const field = el("input", { type: "number", min: "0", step: "any", id: "chart-threshold" });
  const said = el("div", { role: "status" });
  const more = el("a.button.primary", t("alerts.set_up_this_alert"));
  const close = iconButton(t("web.close"), "×", () => show(false));
  const label = el("label", { for: field.id });
  const head = el("div.row", label, field, more, close);
  const panel = el("section.chart-alert", { "aria-label": t("alerts.alert_me"), hidden: true }, head, said);
  byId("chart-area").after(panel);

  const ask = () => String(Math.floor(highestOf(shown) * 100) / 100);
  const fill = () => {
    const query = new URLSearchParams(shown ? formatWhole(shown.state) : "");
    query.set("new", "1");
    query.set("threshold", field.value || ask());
    more.href = opener.href = `/alerts?${query}`;
  };
  /** @param {number} threshold */
  const change = (threshold) => {
    field.value = String(threshold);
    tryIt();
  };
  /** @param {boolean} isOpen */
  const show = (isOpen) => {
    panel.hidden = !isOpen;
    trial = null;
    field.value = isOpen ? ask() : "";
    draw();
    fill();
    if (isOpen) {
      field.focus();
      tryIt();
    } else opener.focus();
  };
  const draw = () => {
    picture?.remove();
    picture = null;
    const layout = shown?.chart.layout;
    if (panel.hidden || !shown || !layout || !trial) return;
    const { intervals } = trial;
    // A rule evaluates each source separately, so with several sources there is no bar to mark.
    const isOne = new Set(intervals.map(({ source }) => source)).size === 1;
    if (isOne) {
      const { left, top, bottom, right } = layout.area;
      const [zero, one] = [layout.y(0), layout.y(1)];
      /** @type {import("./trial.js").Scale} */
      const scale = {
        width: right,
        height: layout.height,
        left,
        bottom,
        x: (ms) => Math.min(Math.max(layout.x(ms), left), right),
        y: (value) => Math.max(layout.y(value), top),
        value: (y) => (zero - y) / (zero - one),
      };
      picture = thresholdPicture(scale, intervals, Number(field.value), change);
      const { canvas } = shown.chart;
      Object.assign(picture.style, {
        left: `${canvas.offsetLeft}px`,
        top: `${canvas.offsetTop}px`,
        width: `${right}px`,
        height: `${layout.height}px`,
      });
      canvas.after(picture);
    }
    said.replaceChildren(...trialParts(trial, Number(field.value), change, isOne));
  };
  const tryIt = async () => {
    const mine = ++trials;
    fill();
    if (!shown?.view || !field.value) return;
    try {
      const { state, view } = shown;
      const range = `from=${view.range[0]}&to=${view.range[1]}`;
      const answer = await send("POST", `alerts/trials?${range}`, ruleOf(state, Number(field.value)));
      if (mine !== trials || panel.hidden) return;
      trial = answer;
      draw();
      // Alerts use stored intervals, so the chart shows those too.
      if (answer.interval_s && answer.interval_s !== state.interval) {
        field.value = "";
        shown.change({ interval: answer.interval_s });
      }
    } catch (error) {
      if (mine === trials) said.replaceChildren(el("p.muted", wordsOf(error)));
    }
  };
  let waiting = 0;
  field.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(tryIt, 400);
  });
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") show(false);
  });
  opener.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || !shown?.view) return;
    event.preventDefault();
    show(panel.hidden);
  });
  document.addEventListener("frametally:chart", (event) => {
    shown = /** @type {CustomEvent<Page.ShownChart>} */ (event).detail;
    label.textContent = t("alerts.alert_at_least", { name: shown.view?.metric.name ?? "" });
    if (panel.hidden) return fill();
    field.value ||= ask();
    tryIt();
  });
  byId("chart").addEventListener("drawn", draw);
}

/** The highest value of a chart. @param {Page.ShownChart|null} shown */
function highestOf(shown) {
  if (!shown?.view) return 0;
  const { rows, metric } = shown.view;
  return Math.max(0, ...rows.map((row) => totalIn(row, metric) ?? 0));
}

/**
 * The chart's question as a rule.
 * @param {Page.State} state  a resolved state, without open choices
 * @param {number} threshold
 */
const ruleOf = ({ sources, labels, zone, interval, metric, model, timezone }, threshold) => ({
  ...{ name: "chart", what: "count", channels: [], threshold, sources, labels, timezone },
  ...{ zone: zone ?? "", model: model ?? "", measure: metric, interval: period(interval ?? 900) },
});
