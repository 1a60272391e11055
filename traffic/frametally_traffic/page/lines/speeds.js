// Speeds: median, 85th percentile and their error by label, and how they are spread.

import { byId, el, refill, svg } from "frametally/js/shared/dom.js";
import { LOCALE, number } from "frametally/js/shared/format.js";
import {
  headingsOf,
  numberCell,
  rowOf,
  scrollable,
  spokenCaption,
  tableOf,
} from "frametally/js/shared/tables.js";

/** Why a speed is not known. @type {Record<Api.SpeedReason["reason"], string>} */
const WHY_NO_SPEED = {
  out_of_reach: "out of the calibration's reach",
  too_few_boxes: "too few boxes",
  too_brief: "seen too briefly",
  too_short: "stood, or is too far away",
  too_uncertain: "too uncertain: it turned or braked",
  no_calibration: "no calibration",
};
const SIZE = { width: 640, height: 120, foot: 18 };

/** @param {number|null} value */
const tenths = (value) =>
  value === null ? "–" : value.toLocaleString(LOCALE, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/**
 * ", 28.6 ± 0.2 km/h over 62.5 ± 0.3 m", or why its speed is not known.
 * @param {Api.ShownVisit} one
 */
export function speedWords(one) {
  const way = one.length_m === null ? "" : `${tenths(one.length_m)} ± ${tenths(one.length_error_m)} m`;
  const { speed_missing: missing } = one;
  if (one.speed_km_h !== null) {
    return `, ${tenths(one.speed_km_h)} ± ${tenths(one.error_km_h)} km/h${way && ` over ${way}`}`;
  }
  if (way) return `, went ${way}; speed not known: ${WHY_NO_SPEED[missing ?? "no_calibration"]}`;
  return missing && missing !== "no_calibration" ? `, speed not known: ${WHY_NO_SPEED[missing]}` : "";
}

/** @param {Api.VisitSpeeds} answer */
export function showSpeeds({ is_calibrated: isCalibrated, speeds }) {
  byId("speeds-card").hidden = !isCalibrated;
  if (!isCalibrated) return;
  const [together, ...byLabel] = speeds;
  if (!together) {
    refill(byId("speeds"), el("p", { class: "muted", text: "No visits in this time." }));
    return;
  }
  const headings = ["Label", "Median km/h", "85th percentile", "± a single one", "Measured", "Not measured"];
  refill(
    byId("speeds"),
    scrollable(
      "Speeds by label",
      tableOf({
        caption: spokenCaption("Speeds by label, in km/h"),
        headings: headingsOf(headings, (position) => position > 0),
        rows: byLabel.map(speedRow),
        total: byLabel.length > 1 ? speedRow(together) : undefined,
      }),
    ),
    together.histogram.length ? histogramOf(together) : "",
  );
}

/** @param {Api.LabelSpeeds} one */
function speedRow(one) {
  const without = one.not_measured.reduce((sum, { count }) => sum + count, 0);
  const why = one.not_measured.map(({ reason, count }) => `${number(count)} ${WHY_NO_SPEED[reason]}`);
  return rowOf(
    one.label ?? "together",
    numberCell(tenths(one.median_km_h)),
    numberCell(tenths(one.p85_km_h)),
    numberCell(tenths(one.error_km_h)),
    numberCell(number(one.measured), one.measured ? "number" : "number zero"),
    el(
      "td",
      { class: without ? "words number" : "number zero" },
      without ? `${number(without)}: ${why.join(", ")}` : "0",
    ),
  );
}

/** @param {Api.LabelSpeeds} all */
function histogramOf({ histogram, median_km_h: median, p85_km_h: p85 }) {
  const fastest = Math.max(...histogram.map(({ km_h: speed }) => speed)) + 1;
  const most = Math.max(...histogram.map(({ visits }) => visits));
  const step = [1, 2, 5, 10, 20, 50, 100, 200].find((one) => fastest / one <= 12) ?? 500;
  const { width, height, foot } = SIZE;
  const x = (/** @type {number} */ speed) => (speed / Math.ceil(fastest / step) / step) * (width - 30);
  const words = `Speeds of all visits: median ${tenths(median)}, 85th percentile ${tenths(p85)} km/h`;
  return svg(
    "svg",
    { class: "histogram", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words },
    ...histogram.map(({ km_h: speed, visits }) => {
      const tall = (visits / most) * (height - foot - 4);
      return svg("rect", {
        x: x(speed) + 0.5,
        y: height - foot - tall,
        width: Math.max(x(1) - 1, 1),
        height: tall,
      });
    }),
    ...Array.from({ length: Math.ceil(fastest / step) + 1 }, (_, position) =>
      svg("text", {
        x: x(position * step),
        y: height - 4,
        text: position ? String(position * step) : "0 km/h",
      }),
    ),
  );
}
