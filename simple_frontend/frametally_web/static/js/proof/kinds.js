// The two kinds of proof: the frames behind detections, and unique objects.

import { get } from "../shared/api.js";
import { isOneDay, labelName, mean, moment, number, timeAmong } from "../shared/format.js";
import { remarksOn } from "./list.js";
import { t } from "../shared/texts.js";

export const framesProof = {
  hasEmpty: true,
  hasFullest: true,
  each_ms: null, // play at the original distances
  nothing: t("web.no_frame_behind_this_bar_has"),

  /**
   * @param {URLSearchParams} query
   * @param {AbortSignal} signal
   * @param {import("./bar.js").Bar} bar
   * @returns {Promise<import("./bar.js").Page>}
   */
  async page(query, signal, { metric, looks: { nameOf }, empty }) {
    const answer = await get("frames", query, signal);
    return {
      items: answer.frames.map((frame) => {
        const time = moment(frame.captured_at_ms);
        const source = nameOf(frame.source);
        const counts = countsOf(frame.boxes);
        const what =
          counts.map(({ label, count }) => `${count} × ${labelName(label)}`).join(", ") ||
          t("web.nothing_counted");
        return {
          key: frame.image_path,
          at_ms: frame.captured_at_ms,
          time: timeAmong(frame.captured_at_ms, severalDays(answer)),
          source,
          adds: frame.count,
          runningTotal: frame.running_total,
          what,
          most: counts[0] ?? null,
          pictures: [{ ...frame, title: what, caption: `${source} · ${time}`, remarks: remarksOn(frame) }],
        };
      }),
      previous: answer.previous,
      next: answer.next,
      position: answer.position,
      count: empty ? answer.frames_analysed : null,
      analysed: answer.frames_analysed,
      note: answer.note,
      total: answer.detections,
      metric: metric.id,
      equation: equationOf(answer, metric),
    };
  },
};

export const objectsProof = {
  hasEmpty: false,
  hasFullest: false,
  each_ms: 1000,
  nothing: t("web.no_object_was_first_seen_in"),

  /**
   * @param {URLSearchParams} query
   * @param {AbortSignal} signal
   * @param {import("./bar.js").Bar} bar
   * @returns {Promise<import("./bar.js").Page>}
   */
  async page(query, signal, { looks: { nameOf } }) {
    const answer = await get("objects", query, signal);
    return {
      items: answer.tracks.map((track) => {
        const source = nameOf(track.source);
        const label = labelName(track.label);
        return {
          key: track.id,
          at_ms: track.first_seen_ms,
          time: timeAmong(track.first_seen_ms, severalDays(answer)),
          source,
          adds: 1,
          runningTotal: track.running_total,
          what: `${label}, ${t("web.count_boxes", { count: track.boxes })}`,
          most: null,
          pictures: [
            { ...sighting(track.best, t("web.seen_best", { label }), source), isCrop: true },
            sighting(track.first, t("web.first_seen", { label }), source),
          ],
        };
      }),
      previous: null,
      next: answer.next,
      position: 0,
      count: answer.objects,
      analysed: 0,
      note: answer.note,
      total: answer.objects,
      metric: "objects",
      equation: "",
    };
  },
};

/** @param {{from_ms: number|null, to_ms: number|null}} bar */
export const severalDays = ({ from_ms: from, to_ms: to }) =>
  from === null || to === null || !isOneDay(from, to);

/** @param {Api.Sighting} seen @param {string} title @param {string} source */
function sighting(seen, title, source) {
  return {
    image_url: seen.image_url,
    width_px: null,
    height_px: null,
    boxes: [seen.box],
    title,
    caption: `${source} · ${moment(seen.captured_at_ms)}`,
    remarks: [],
  };
}

/** "2 of car, 1 of bus", highest first. @param {Api.Box[]} boxes */
function countsOf(boxes) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { label } of boxes) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].map(([label, count]) => ({ label, count })).sort((a, b) => b.count - a.count);
}

/**
 * How the chart's number follows from the detections.
 * @param {Api.Frames} answer
 * @param {Page.Metric} metric
 */
function equationOf({ detections, frames_analysed: frames }, metric) {
  const looked = t("web.count_frames", { count: frames });
  if (metric.id === "mean_per_frame" && detections !== null) {
    const values = { detections: number(detections), frames: looked, mean: mean(detections / frames) };
    return t("web.mean_equation", values);
  }
  return t("web.analysed_with_or_without_anything_in", { frames: looked });
}
