// The fullest moment of a video: the frame with the most objects of one label.

import { el } from "frametally/js/shared/dom.js";
import { number, pluralOf } from "frametally/js/shared/format.js";
import { askDetections, MOST_S } from "../library/requests.js";
import { playTime } from "../library/words.js";
import { t } from "frametally/js/shared/texts.js";

/** @typedef {{label: string, count: number, fromS: number, toS: number}} Fullest  within that stretch of the video */

/**
 * The highest count of one label in a frame; `null` if nothing was counted.
 * @param {Page.Row[]} rows  the video's rows
 * @param {number} startedAtMs  event time of its first frame
 * @returns {Fullest|null}
 */
export function fullestOf(rows, startedAtMs) {
  /** @type {Fullest|null} */
  let fullest = null;
  for (const { start, end, byLabel } of rows) {
    for (const { label, peak } of byLabel.values()) {
      if (label === null || peak <= (fullest?.count ?? 0)) continue;
      const fromS = Math.max(start - startedAtMs, 0) / 1000;
      fullest = { label, count: peak, fromS, toS: (end - startedAtMs) / 1000 };
    }
  }
  return fullest;
}

/**
 * The first frame in the stretch with the highest count of the label. The maximum may be from another video of the
 * same time.
 * @param {string} id  the video's ID
 * @param {Fullest} fullest
 * @param {AbortSignal} signal
 * @returns {Promise<{positionS: number, count: number}|null>}  `null` if no frame has the label
 */
async function momentOf(id, { label, count: most, fromS, toS }, signal) {
  let moment = null;
  for (let at = fromS; at < toS; at += MOST_S) {
    const { frames } = await askDetections(id, at, Math.min(at + MOST_S, toS), signal);
    for (const { position_s: positionS, boxes } of frames) {
      const count = boxes.filter(([name]) => name === label).length;
      if (count > (moment?.count ?? 0)) moment = { positionS, count };
    }
    if (moment && moment.count >= most) break;
  }
  return moment;
}

export class FullestMoment {
  /** @param {(positionS: number) => void} onChoose */
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.positionS = 0;
    /** The rows of the last search. @type {Page.Row[]} */
    this.rows = [];
    this.words = el("span");
    this.element = el("button.button.fullest", { onclick: () => this.onChoose(this.positionS) }, this.words);
    this.mark = el("span.seek-mark", { "aria-hidden": "true" });
    this.asking = new AbortController();
    this.hide();
  }

  hide() {
    this.asking.abort();
    this.rows = [];
    this.element.hidden = this.mark.hidden = true;
  }

  /** @param {Api.LibraryVideo} video @param {Page.Row[]} rows @param {number} lengthS */
  async show({ id, started_at_ms: startedAtMs }, rows, lengthS) {
    if (rows === this.rows) return;
    this.hide();
    this.rows = rows;
    const fullest = startedAtMs === null ? null : fullestOf(rows, startedAtMs);
    if (!fullest || !lengthS) return;
    const { signal } = (this.asking = new AbortController());
    const moment = await momentOf(id, fullest, signal).catch(() => null);
    if (signal.aborted || !moment) return;
    const { positionS, count } = moment;
    this.positionS = positionS;
    this.mark.style.left = `${Math.min((100 * positionS) / lengthS, 100)}%`;
    const place = playTime(Math.floor(positionS));
    const what = `${number(count)} ${pluralOf(fullest.label, count)}`;
    this.words.textContent = t("videos.fullest_moment", { place, count: what });
    this.element.hidden = this.mark.hidden = false;
  }
}
