// The pages' words about jobs, and the filter of jobs in the page's address.

import { withValues } from "frametally/js/shared/address.js";
import { moment, number, percent, roughly } from "frametally/js/shared/format.js";
import { joined, t } from "frametally/js/shared/texts.js";

/** @type {Record<Api.VideoJob["kind"], string>} */
export const KINDS = {
  frames: t("web.frames"),
  previews: t("videos.poster_and_preview"),
  metadata: t("videos.metadata"),
  checks: t("videos.quality_checks"),
  playable: t("videos.version_for_browsers"),
  enhance: t("videos.enhanced_version"),
  gold: t("videos.gold_tables"),
  removal: t("videos.removal"),
};

/** @type {Record<Api.VideoJob["state"], string>} */
export const STATES = {
  queued: t("videos.state_waits"),
  running: t("videos.state_runs"),
  done: t("videos.state_done"),
  failed: t("videos.state_failed"),
  cancelled: t("videos.state_cancelled"),
};

/** The job kinds of each worker. @type {[name: string, kinds: Api.VideoJob["kind"][]][]} */
export const QUEUES = [
  [t("web.frames"), ["frames"]],
  [t("videos.metadata_and_checks"), ["metadata", "checks"]],
  [t("videos.versions_of_videos"), ["playable", "enhance"]],
  [t("videos.pictures_gold_removal"), ["previews", "gold", "removal"]],
];

/** @param {Pick<Api.VideoJob, "state">} job */
export const isOpen = ({ state }) => state === "queued" || state === "running";

/** @template {Api.VideoJob} Job @param {Job[]} jobs */
export const newestFirst = (jobs) => jobs.toSorted((one, other) => other.created_at_ms - one.created_at_ms);

/** Whether a job creates another version of its video. @param {Pick<Api.VideoJob, "kind">} job */
export const makesVersion = ({ kind }) => kind === "enhance" || kind === "playable";

/** @type {[name: "brightness"|"contrast"|"gamma"|"saturation"|"denoise"|"sharpen"|"local_contrast", words: string][]} */
const CHANGES = [
  ["brightness", t("videos.brightness_word")],
  ["contrast", t("videos.contrast_word")],
  ["gamma", t("videos.gamma_word")],
  ["saturation", t("videos.saturation_word")],
  ["denoise", t("videos.denoised")],
  ["sharpen", t("videos.sharpened")],
  ["local_contrast", t("videos.local_contrast_word")],
];

/**
 * "brightness 0.2, contrast 1.3, 10 frames a second"; empty without changes.
 * @param {Api.Enhancement|null|undefined} options
 */
export function enhancementWords(options) {
  if (!options) return "";
  const { deinterlace, fps } = options;
  const values = CHANGES.filter(([name]) => options[name] !== undefined);
  return [
    ...values.map(([name, words]) => `${words} ${Math.round(100 * Number(options[name])) / 100}`),
    ...(deinterlace === "on" ? [t("videos.deinterlaced")] : []),
    ...(deinterlace === "off" ? [t("videos.not_deinterlaced")] : []),
    ...(fps ? [t("videos.fps_a_second", { fps: Math.round(fps * 1000) / 1000 })] : []),
  ].join(", ");
}

/**
 * "failed · 3 tries · 1 May 2024, 10:00:09", "runs · 31%"
 * @param {Api.VideoJob} job
 */
export function jobWords({ state, progress, attempts, ended_at_ms: ended }) {
  const share = state === "running" && progress !== null && percent(progress);
  const tries = attempts > 1 && t("videos.count_tries", { count: attempts });
  const when = ended !== null && moment(toTheSecond(ended));
  return joined([STATES[state] ?? state, share, tries, when]);
}

/**
 * "queued 1 May 2024, 10:00:00, begun 10:00:01, took 8 sec"
 * @param {Api.VideoJob} job
 */
export function timesWords({ created_at_ms: created, started_at_ms: started, ended_at_ms: ended }) {
  const waited = started === null ? null : started - created;
  const took = started === null || ended === null ? null : ended - started;
  return [
    t("videos.queued", { created: moment(toTheSecond(created)) }),
    ...(waited === null ? [] : [t("videos.waited", { waited: lengthWords(waited) })]),
    ...(took === null ? [] : [t("videos.took", { took: lengthWords(took) })]),
  ].join(" · ");
}

/** @param {number} ms */
const lengthWords = (ms) =>
  ms < 1000 ? t("videos.ms", { ms: number(Math.max(Math.round(ms), 0)) }) : roughly(ms);

/** @param {number} ms */
const toTheSecond = (ms) => Math.floor(ms / 1000) * 1000;

/**
 * @typedef {Object} Question
 * @property {string} state  one of `SECTIONS`; empty means all
 * @property {string} kind  empty means all
 */

/** The groups of states, in order. @type {[name: string, title: string, states: Api.VideoJob["state"][]][]} */
export const SECTIONS = [
  ["running", t("videos.running_title"), ["running"]],
  ["failed", t("videos.failed_title"), ["failed"]],
  ["queued", t("videos.waiting_title"), ["queued"]],
  ["ended", t("videos.ended_title"), ["done", "cancelled"]],
];

/** Jobs in a section before you request more. */
export const PAGE_SIZE = 50;

/** @param {string} search @returns {Question} */
export function parseQuestion(search) {
  const query = new URLSearchParams(search);
  const state = query.get("state") ?? "";
  const kind = query.get("kind") ?? "";
  return {
    state: SECTIONS.some(([name]) => name === state) ? state : "",
    kind: Object.hasOwn(KINDS, kind) ? kind : "",
  };
}

/**
 * The address of a filter; it keeps the other parameters.
 * @param {Question} question
 * @param {string} search
 */
export const addressOf = ({ state, kind }, search) => `?${withValues(search, { state, kind })}`;

/**
 * The filter as the API's query.
 * @param {string} kind
 * @param {Api.VideoJob["state"][]} state  any job state
 * @param {string} cursor  empty for the first page
 */
export const queryOf = (kind, state, cursor) => withValues("", { limit: PAGE_SIZE, state, kind, cursor });
