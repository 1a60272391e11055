// What was counted of cameras in the last hour: a small chart, and words. Where nothing was filmed is a hole, not zero.

import { sparkline } from "frametally/js/chart/sparkline.js";
import { forgetAnswers, get } from "frametally/js/shared/api.js";
import { el } from "frametally/js/shared/dom.js";
import { roughly } from "frametally/js/shared/format.js";
import { joined, METRICS } from "frametally/js/shared/metrics.js";
import { gapsOf, notAnalysedOf, rowsOf, totalIn } from "frametally/js/shared/series.js";
import { formatWhole, parseState } from "frametally/js/shared/state.js";
import { zoneInUse } from "frametally/js/shared/time.js";
import { visible } from "frametally_videos/library/words.js";

const MINUTE_MS = 60_000;
const SHOWN_MS = 60 * MINUTE_MS;
/** Of so long the words are that stand beside one that is large. */
const LATELY_MS = 10 * MINUTE_MS;

/**
 * @typedef {Object} Counted
 * @property {number} from_ms
 * @property {number} to_ms
 * @property {Page.Row[]} rows
 * @property {Page.Span[]} notAnalysed
 */

/**
 * What was counted of all sources in the last hour; of one that is not in it, nothing was.
 * @returns {Promise<(source: string) => Counted>}
 */
export async function askCounted() {
  const to = (Math.floor(Date.now() / MINUTE_MS) + 1) * MINUTE_MS;
  const range = { from_ms: to - SHOWN_MS, to_ms: to };
  forgetAnswers(); // of the hour that was the last one before
  const asked = { by: "source", metric: "detections", timezone: zoneInUse() };
  const counts = await get(
    "counts",
    new URLSearchParams({ ...asked, from: String(range.from_ms), to: String(range.to_ms) }),
  );
  return (source) => {
    const isHere = (/** @type {{source: string|null}} */ one) => one.source === source;
    const of = {
      coverage: counts.coverage.filter(isHere),
      buckets: counts.buckets.filter(isHere),
      not_analysed: (counts.not_analysed ?? []).filter(isHere),
    };
    return { ...range, rows: rowsOf(of), notAnalysed: notAnalysedOf(of) };
  };
}

/** The small chart of a camera's last hour, which leads to the large one. */
export class LastHour {
  /** @param {Api.LiveCamera} camera */
  constructor({ source, name }) {
    this.source = source;
    this.chart = el("a", { "aria-label": `${visible(name)}, the last hour on the chart` });
    this.words = el("p", { class: "small live-counted" });
    this.element = el("div", { class: "live-hour", hidden: true }, this.chart, this.words);
  }

  /** @param {Counted} counted @param {boolean} isLarge  whether the words are of what was counted just now */
  show(counted, isLarge) {
    const { from_ms: from, to_ms: to, rows, notAnalysed } = counted;
    const metric = METRICS.detections;
    const most = Math.max(0, ...rows.map((row) => totalIn(row, metric) ?? 0));
    const hour = { ...parseState(""), sources: [this.source], from, to };
    this.chart.href = `/?${formatWhole(hour, { timezone: zoneInUse() })}`;
    this.chart.hidden = !rows.length && !notAnalysed.length;
    this.chart.replaceChildren(sparkline(counted, rows, notAnalysed, metric, most));
    const lately = rows.filter(({ end }) => end > to - LATELY_MS);
    const words = isLarge ? countedWords(lately, "last 10 minutes") : countedWords(rows, "last hour");
    this.words.textContent = [words, ...holeWords(counted)].join(" · ");
    this.element.hidden = false;
  }
}

/**
 * How long nothing was filmed since the first frame; what is counted of this very minute comes yet.
 * @param {Counted} counted
 */
function holeWords({ rows, notAnalysed, to_ms: to }) {
  if (!rows.length) return [];
  const gaps = gapsOf(rows, notAnalysed, rows[0].start, Math.max(to - MINUTE_MS, rows[0].start));
  const lostMs = gaps.reduce((sum, [start, end]) => sum + end - start, 0);
  return lostMs ? [`no footage for ${roughly(lostMs)}`] : [];
}

/**
 * "The last 10 minutes, unique objects: car 12 · person 3": of what was followed all the time; else the most in one frame.
 * @param {Page.Row[]} rows
 * @param {string} when
 */
export function countedWords(rows, when) {
  if (!rows.length) return `Nothing is counted of the ${when}.`;
  const isFollowed = rows.every(({ missing }) => missing === null);
  const metric = isFollowed ? METRICS.objects : METRICS.peak;
  const labels = [...new Set(rows.flatMap(({ byLabel }) => [...byLabel.keys()]))];
  const found = labels.flatMap((label) => {
    const value = metric.join(
      rows.flatMap(({ byLabel }) => {
        const bucket = byLabel.get(label);
        return bucket ? [joined(metric, [bucket]) ?? 0] : [];
      }),
    );
    return value > 0 ? [{ label: label ?? "other labels", value }] : [];
  });
  found.sort((one, other) => other.value - one.value);
  const words = found.map(({ label, value }) => `${label} ${metric.format(value)}`).join(" · ");
  return `The ${when}, ${metric.name.toLowerCase()}: ${words || "none"}`;
}
