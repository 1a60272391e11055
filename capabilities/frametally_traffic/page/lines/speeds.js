// Speeds: median, 85th percentile and their error by label, and their distribution.

import { byId, el, refill, svg } from "frametally/js/shared/dom.js";
import { labelName, number, tenths } from "frametally/js/shared/format.js";
import { t } from "frametally/js/shared/texts.js";
import { numberCell, rowOf, scrolledTable } from "frametally/js/shared/tables.js";

/** Why a speed is unknown. @type {Record<Api.SpeedReason["reason"], string>} */
const WHY_NO_SPEED = {
  out_of_reach: t("traffic.out_of_the_calibrations_reach"),
  too_few_boxes: t("traffic.too_few_boxes"),
  too_brief: t("traffic.seen_too_briefly"),
  too_short: t("traffic.stood_or_is_too_far_away"),
  too_uncertain: t("traffic.too_uncertain_it_turned_or_braked"),
  no_calibration: t("traffic.no_calibration"),
};
const SIZE = { width: 640, height: 120, foot: 18 };

/** @param {number|null} value */
const known = (value) => (value === null ? "–" : tenths(value));

/** ", 28.6 ± 0.2 km/h over 62.5 ± 0.3 m", or why the speed is unknown. @param {Api.ShownVisit} one */
export function speedWords(one) {
  const way = one.length_m === null ? "" : `${known(one.length_m)} ± ${known(one.length_error_m)} m`;
  const why = WHY_NO_SPEED[one.speed_missing ?? "no_calibration"];
  if (one.speed_km_h !== null) {
    const [speed, error] = [known(one.speed_km_h), known(one.error_km_h)];
    const over = way && t("traffic.over_way", { way });
    return t("traffic.km_h", { speed_km_h: speed, error_km_h: error, way: over });
  }
  if (way) return t("traffic.went_speed_not_known", { way, WHY_NO_SPEED: why });
  return why === WHY_NO_SPEED.no_calibration ? "" : t("traffic.speed_not_known", { WHY_NO_SPEED: why });
}

/** @param {Api.VisitSpeeds} answer */
export function showSpeeds({ is_calibrated: isCalibrated, speeds }) {
  byId("speeds-card").hidden = !isCalibrated;
  if (!isCalibrated) return;
  const [together, ...byLabel] = speeds;
  if (!together) return refill(byId("speeds"), el("p.muted", t("traffic.no_visits_in_this_time")));
  const columns = [
    t("web.label"),
    t("traffic.median_km_h"),
    t("traffic.85th_percentile"),
    t("traffic.a_single_one"),
    t("traffic.measured"),
    t("traffic.not_measured"),
  ];
  refill(
    byId("speeds"),
    scrolledTable(t("traffic.speeds_by_label_in_km_h"), columns, 1, byLabel.map(speedRow), {
      total: byLabel.length > 1 ? speedRow(together) : undefined,
    }),
    together.histogram.length ? histogramOf(together) : "",
  );
}

/** @param {Api.LabelSpeeds} one */
function speedRow(one) {
  const without = one.not_measured.reduce((sum, { count }) => sum + count, 0);
  const why = one.not_measured.map(({ reason, count }) => `${number(count)} ${WHY_NO_SPEED[reason]}`);
  return rowOf(
    one.label ? labelName(one.label) : t("traffic.together"),
    numberCell(known(one.median_km_h)),
    numberCell(known(one.p85_km_h)),
    numberCell(known(one.error_km_h)),
    numberCell(number(one.measured), one.measured ? "number" : "number zero"),
    without ? el("td.words.number", `${number(without)}: ${why.join(", ")}`) : el("td.number.zero", "0"),
  );
}

/** @param {Api.LabelSpeeds} all */
function histogramOf({ histogram, median_km_h: median, p85_km_h: p85 }) {
  const fastest = Math.max(...histogram.map(({ km_h: speed }) => speed)) + 1;
  const most = Math.max(...histogram.map(({ visits }) => visits));
  const step = [1, 2, 5, 10, 20, 50, 100, 200].find((one) => fastest / one <= 12) ?? 500;
  const { width, height, foot } = SIZE;
  const x = (/** @type {number} */ speed) => (speed / Math.ceil(fastest / step) / step) * (width - 30);
  const words = t("traffic.speeds_of_all_visits_median_85th", { median: known(median), p85: known(p85) });
  return svg(
    "svg",
    { class: "histogram", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words },
    ...histogram.map(({ km_h: speed, visits }) => {
      const tall = (visits / most) * (height - foot - 4);
      const top = height - foot - tall;
      return svg("rect", { x: x(speed) + 0.5, y: top, width: Math.max(x(1) - 1, 1), height: tall });
    }),
    ...Array.from({ length: Math.ceil(fastest / step) + 1 }, (_, position) => {
      const text = position ? String(position * step) : t("traffic.0_km_h");
      return svg("text", { x: x(position * step), y: height - 4, text });
    }),
  );
}
