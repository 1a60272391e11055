// What the pages say of jobs: what is done, how it stands, since when.

import { moment, number, percent, plural, roughly } from "frametally/js/shared/format.js";

/** @type {Record<Page.JobKind, string>} */
export const KINDS = {
  frames: "Frames",
  previews: "Poster and preview",
  metadata: "Metadata",
  checks: "Quality checks",
  playable: "Version for browsers",
  enhance: "Enhanced version",
  gold: "Gold tables",
  removal: "Removal",
};

/** @type {Record<Page.JobState, string>} */
export const STATES = {
  queued: "waits",
  running: "runs",
  done: "done",
  failed: "failed",
  cancelled: "cancelled",
};

/** Which workers take which kinds. @type {[name: string, kinds: Page.JobKind[]][]} */
export const QUEUES = [
  ["Frames", ["frames"]],
  ["Metadata and checks", ["metadata", "checks"]],
  ["Versions of videos", ["playable", "enhance"]],
  ["Pictures, gold, removal", ["previews", "gold", "removal"]],
];

/** @param {Pick<Page.VideoJob, "state">} job */
export const isOpen = ({ state }) => state === "queued" || state === "running";

/** @type {[name: "brightness"|"contrast"|"gamma"|"saturation"|"denoise"|"sharpen"|"local_contrast", words: string][]} */
const CHANGES = [
  ["brightness", "brightness"],
  ["contrast", "contrast"],
  ["gamma", "gamma"],
  ["saturation", "saturation"],
  ["denoise", "denoised"],
  ["sharpen", "sharpened"],
  ["local_contrast", "local contrast"],
];

/**
 * "brightness 0.2, contrast 1.3, 10 frames a second"; empty: nothing is changed.
 * @param {Page.Enhancement|null|undefined} options
 */
export function enhancementWords(options) {
  if (!options) return "";
  const { deinterlace, fps } = options;
  const values = CHANGES.filter(([name]) => options[name] !== undefined);
  return [
    ...values.map(([name, words]) => `${words} ${Math.round(100 * Number(options[name])) / 100}`),
    ...(deinterlace === "on" ? ["deinterlaced"] : []),
    ...(deinterlace === "off" ? ["not deinterlaced"] : []),
    ...(fps ? [`${Math.round(fps * 1000) / 1000} frames a second`] : []),
  ].join(", ");
}

/**
 * "failed · 3 tries · 1 May 2024, 10:00:09", "runs · 31%"
 * @param {Page.VideoJob} job
 */
export function jobWords({ state, progress, attempts, ended_at_ms: ended }) {
  const share = state === "running" && progress !== null ? [percent(progress)] : [];
  const tries = attempts > 1 ? [plural(attempts, "try", "tries")] : [];
  const when = ended === null ? [] : [moment(toTheSecond(ended))];
  return [STATES[state] ?? state, ...share, ...tries, ...when].join(" · ");
}

/**
 * "queued 1 May 2024, 10:00:00, begun 10:00:01, took 8 sec"
 * @param {Page.VideoJob} job
 */
export function timesWords({ created_at_ms: created, started_at_ms: started, ended_at_ms: ended }) {
  const waited = started === null ? null : started - created;
  const took = started === null || ended === null ? null : ended - started;
  return [
    `queued ${moment(toTheSecond(created))}`,
    ...(waited === null ? [] : [`waited ${lengthWords(waited)}`]),
    ...(took === null ? [] : [`took ${lengthWords(took)}`]),
  ].join(" · ");
}

/** @param {number} ms */
const lengthWords = (ms) => (ms < 1000 ? `${number(Math.max(Math.round(ms), 0))} ms` : roughly(ms));

/** @param {number} ms */
const toTheSecond = (ms) => Math.floor(ms / 1000) * 1000;
