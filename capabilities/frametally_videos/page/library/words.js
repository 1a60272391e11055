// The page's words about a video: its state, its size, when it was filmed. All of them are plain text.

import { labelName, number, percent, span } from "frametally/js/shared/format.js";
import { t } from "frametally/js/shared/texts.js";

/** @type {Record<Api.LibraryVideo["state"], string>} */
export const STATES = {
  received: t("videos.waiting_title"),
  producing: t("videos.taking_frames"),
  detecting: t("videos.detecting"),
  counting: t("videos.counting"),
  ready: t("web.counted"),
  needs_time: t("videos.needs_a_time"),
  failed: t("videos.failed_title"),
  deleting: t("videos.being_removed"),
};

/** States of videos in progress, in order. @type {Api.LibraryVideo["state"][]} */
export const IN_WORK = ["received", "producing", "detecting", "counting"];

/** @param {Pick<Api.LibraryVideo, "state">} video */
export const isInWork = ({ state }) => IN_WORK.includes(state);

/**
 * The source of a video's time, and whether it may be wrong.
 * @type {Record<NonNullable<Api.LibraryVideo["time_source"]>, string>}
 */
export const TIME_SOURCES = {
  start_time: t("videos.time_as_it_was_given"),
  exif: t("videos.time_from_the_camera"),
  container: t("videos.time_from_the_file"),
  stream_clock: t("videos.time_from_the_cameras_clock"),
  file_name: t("videos.time_from_its_name"),
  file_time: t("videos.time_guessed_from_the_files_date"),
  arrival: t("videos.time_of_arrival"),
};

/**
 * The finished share of the work, 0 to 1; `null` if unknown.
 * @param {Api.LibraryVideo} video
 */
export function shareDone({ state, progress, frames }) {
  if (progress !== null) return Math.min(Math.max(progress, 0), 1);
  /** @type {Partial<Record<Api.LibraryVideo["state"], number|null>>} */
  const known = { producing: frames.announced, detecting: detectedOf(frames), counting: frames.counted };
  const done = known[state];
  const all = state === "producing" ? frames.expected : (frames.announced ?? frames.expected);
  return done === undefined || done === null || !all ? null : Math.min(done / all, 1);
}

/** Frames that the detector has finished. @param {Api.LibraryVideo["frames"]} frames */
export const detectedOf = ({ detected, dead_lettered: dead }) =>
  detected === null ? null : detected + (dead ?? 0);

/**
 * "Detecting: 141 of 398 frames", "Counted", "Failed: it holds no frames", "Waiting: Kafka is not responding".
 * @param {Api.LibraryVideo} video
 */
export function stateWords(video) {
  const { state, frames, reason } = video;
  const word = STATES[state] ?? state;
  if (reason && state !== "ready") return `${word}: ${visible(reason)}`;
  const share = shareDone(video);
  const all = frames.announced ?? frames.expected;
  const seen = state === "detecting" ? detectedOf(frames) : state === "counting" ? frames.counted : null;
  if (seen !== null && all)
    return t("videos.word_seen_of_all", {
      word,
      seen: number(seen),
      all: t("web.count_frames", { count: all }),
    });
  if (share !== null && isInWork(video)) return `${word}: ${percent(share)}`;
  if (state === "ready") return [word, ...flaws(video)].join(" · ");
  return word;
}

/** Problems of a processed video. @param {Api.LibraryVideo} video */
function flaws({ frames, damage }) {
  const dead = frames.dead_lettered ?? 0;
  return [
    ...(dead ? [t("videos.not_readable", { dead: t("web.count_frames", { count: dead }) })] : []),
    ...(damage.length ? [t("videos.the_file_is_damaged")] : []),
  ];
}

/** When it was filmed, to the second; `null` if unknown. @param {Api.LibraryVideo} video */
export function filmed({ started_at_ms: from, ended_at_ms: until, duration_s: length }) {
  if (from === null) return null;
  const begun = Math.floor(from / 1000) * 1000;
  const ended = Math.ceil((until ?? from + (length ?? 0) * 1000) / 1000) * 1000;
  return span(begun, Math.max(ended, begun + 1000));
}

/**
 * A duration as players show it: 1:19, 1:02:03
 * @param {number} seconds
 */
export function playTime(seconds) {
  const whole = Math.max(Math.round(seconds), 0);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/**
 * "1,234 detections: car 900, person 300, …"; `null` before anything is counted.
 * @param {Api.LibraryVideo} video
 */
export function countedWords({ state, detections_counted: all, labels }) {
  if (all === null) return state === "ready" ? t("videos.none_of_its_frames_counts") : null;
  if (!all) return t("web.nothing_found");
  const ranked = rankedLabels(labels);
  const named = ranked
    .slice(0, 2)
    .map(([label, count]) => `${visible(labelName(label))} ${number(count)}`)
    .join(", ");
  const count = ranked.length - 2;
  const labelled = count > 0 ? t("videos.and_count_more_labels", { named, count }) : named;
  return `${t("videos.count_detections", { count: all })}: ${labelled}`;
}

/** Labels with their counts, highest first. @param {Api.LibraryVideo["labels"]} labels */
export const rankedLabels = (labels) => Object.entries(labels).sort((one, other) => other[1] - one[1]);

const CONTROLS = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/**
 * A name with symbols instead of invisible characters: control characters, and those that change the writing
 * direction, which can make "gpj.exe" look like "exe.jpg".
 * @param {string} name
 */
export const visible = (name) =>
  name.replace(CONTROLS, (sign) => {
    const code = sign.codePointAt(0) ?? 0;
    if (code < 32) return String.fromCodePoint(0x2400 + code);
    return `[U+${code.toString(16).toUpperCase().padStart(4, "0")}]`;
  });

/** The URL of a poster of this width in pixels. @param {string} url @param {320|640} width */
export const smallerPoster = (url, width) => `${url}&w=${width}`;

/**
 * The corners of each region of interest.
 * @param {Record<string, any>|null} roi  as uploaded
 * @returns {[x: number, y: number][][]}
 */
export function cornersOf(roi) {
  if (!roi) return [];
  if (roi.regions) return roi.regions.flatMap(cornersOf);
  if (roi.points) return [roi.points];
  const { x, y, width, height } = roi;
  return [
    [
      [x, y],
      [x + width, y],
      [x + width, y + height],
      [x, y + height],
    ],
  ];
}
