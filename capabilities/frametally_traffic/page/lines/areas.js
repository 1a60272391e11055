// Zones: how many objects were in them over time, how many entered and left, and how long they stayed.

import { byId, el, refill, swatch } from "frametally/js/shared/dom.js";
import { labelName, mean, number, span } from "frametally/js/shared/format.js";
import { WHY_NOT } from "frametally/js/shared/metrics.js";
import { scrollable, tableOf, rowOf, numberCell } from "frametally/js/shared/tables.js";
import { ChosenCard, missingIn } from "./views.js";
import { t } from "frametally/js/shared/texts.js";

/** @typedef {"at_start"|"entered"|"appeared"|"from_start"|"left"|"vanished"|"to_end"} Field */

/** Changes in the number of objects, as columns of the table. @type {[Field, string, string][]} */
const COLUMNS = [
  ["at_start", t("traffic.at_start"), t("traffic.there_just_before_the_interval")],
  ["entered", t("traffic.entered"), t("traffic.came_over_the_zones_rim_or")],
  ["appeared", t("traffic.appeared"), t("traffic.first_seen_within_the_zone")],
  ["from_start", t("traffic.from_start"), t("traffic.there_when_the_footage_began")],
  ["left", t("traffic.left"), t("traffic.went_over_the_rim_or_to")],
  ["vanished", t("traffic.vanished"), t("traffic.last_seen_within_the_zone")],
  ["to_end", t("traffic.to_the_end"), t("traffic.there_when_the_footage_ended")],
];
const MOST_ROWS = 500;

export class ZonesCard extends ChosenCard {
  /** @param {import("./views.js").On} on */
  constructor(on) {
    super("zones", on);
  }

  /** @param {Api.ZoneStays} answer */
  show(answer) {
    if (!this.choose(answer.zones, () => this.show(answer))) return;
    const zone = answer.zones.find(({ name }) => name === this.chosen);
    const own = answer.stays.filter((one) => one.zone === this.chosen);
    byId("zones-subtitle").textContent = wordsOf(this.chosen, zone);
    this.#showChart(answer, own);
    refill(byId("zones-table"), tableOfStays(own, answer));
  }

  /** @param {Api.ZoneStays} answer @param {Api.ZoneBucket[]} own */
  #showChart(answer, own) {
    if (!answer.bars.length) return;
    const labels = [...new Set([...own, ...answer.unknown].map(({ label }) => label))].sort();
    const columns = labels.map((label) => ({
      name: labelName(label),
      color: this.on.colorOf(label),
      values: new Map(own.filter((one) => one.label === label).map((one) => [one.start_ms, one.mean ?? 0])),
      missing: missingIn([...answer.unknown, ...own].filter((one) => one.label === label)),
    }));
    const keys = columns.map(({ name, color }) => el("span.key", swatch(color), el("span.name", name)));
    refill(byId("zones-legend"), ...keys);
    this.showChart(answer, columns, answer.zones, {
      title: t("traffic.in", { chosen: this.chosen }),
      axis: t("traffic.there_at_a_time"),
      perInterval: false,
      format: (value) => (value === null ? t("web.not_measured") : mean(value)),
    });
  }
}

/**
 * What is known about a zone's stays, in sentences.
 * @param {string} name
 * @param {Api.ZoneStays["zones"][number]} [zone]
 */
export function wordsOf(name, zone) {
  const words = [t("traffic.how_many_were_in_on_average", { chosen: name, stay: stayOf(zone) })];
  if (!zone) return words[0];
  const { appeared, vanished } = zone.at_least ?? zone;
  const inside = { appeared: number(appeared ?? 0), vanished: number(vanished ?? 0) };
  if (appeared || vanished) words.push(t("traffic.tracks_began_or_ended_inside", inside));
  return words.join(" ");
}

/** @param {Api.ZoneStays["zones"][number]} [zone] */
function stayOf(zone) {
  if (zone && zone.median_s !== null && zone.stays !== null)
    return t("traffic.stays_half_of_them_up_to", {
      stays: number(zone.stays),
      median_s: seconds(zone.median_s),
      p90_s: seconds(zone.p90_s),
    });
  if (zone?.missing) {
    const why = WHY_NOT[zone.missing];
    return zone.at_least?.stays
      ? t("traffic.stays_are_at_least", { count: zone.at_least.stays, why })
      : t("traffic.stays_are_not_measured", { why });
  }
  return t("traffic.no_stay_of_which_both_ends");
}

/**
 * A row per interval and label: objects at the start, plus entered, minus left, equals objects at the end.
 * @param {Api.ZoneBucket[]} stays
 * @param {Api.ZoneStays} answer
 */
function tableOfStays(stays, { bars }) {
  if (!stays.length) return el("p.muted", t("traffic.nobody_was_there_in_this_time"));
  const ends = new Map(bars.map(({ start_ms: start, end_ms: end }) => [start, end]));
  const rows = stays
    .slice(0, MOST_ROWS)
    .map((one) =>
      rowOf(
        span(one.start_ms, ends.get(one.start_ms) ?? one.start_ms),
        el("td", labelName(one.label)),
        ...COLUMNS.map(([field]) => numberCell(whole(one[field]), one[field] ? "number" : "number zero")),
        numberCell(whole(one.at_end), "number strong"),
        numberCell(whole(one.peak)),
        numberCell(one.mean === null ? "–" : mean(one.mean)),
      ),
    );
  const heading = (/** @type {string} */ text, /** @type {string} */ title) =>
    el("th.number", { scope: "col", title }, text);
  const headings = [
    el("th", { scope: "col" }, t("web.interval")),
    el("th", { scope: "col" }, t("web.label")),
    ...COLUMNS.map(([, name, title]) => heading(name, title)),
    heading(t("traffic.at_end"), t("traffic.there_just_before_the_interval_ended")),
    heading(t("traffic.peak"), t("traffic.most_at_once")),
    heading(t("web.mean"), t("traffic.on_average_while_there_was_footage")),
  ];
  const caption = t("traffic.who_came_and_went_by_interval");
  const more = t("traffic.the_first_of_rows_choose_a", { MOST_ROWS, length: number(stays.length) });
  return el(
    "div",
    scrollable(caption, tableOf({ caption, headings, rows })),
    stays.length > MOST_ROWS && el("p.muted.small", more),
  );
}

/** @param {number|null} value  `null` if not measured */
const whole = (value) => (value === null ? "–" : number(value));

/** @param {number|null} value */
const seconds = (value) => (value === null ? "–" : `${mean(value)} s`);
