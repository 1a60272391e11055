// The first cards next to the picture: the counts, and the balance of the frames.

import { el, swatch } from "frametally/js/shared/dom.js";
import { labelName, number } from "frametally/js/shared/format.js";
import { formatWhole, parseState } from "frametally/js/shared/state.js";
import { numberCell, rowOf } from "frametally/js/shared/tables.js";
import { zoneInUse } from "frametally/js/shared/time.js";
import { detectedOf, isInWork, rankedLabels, visible } from "../library/words.js";
import { t } from "frametally/js/shared/texts.js";

/**
 * @typedef {Object} Account
 * @property {{name: string, sign: string, frames: number|null, detail: string}[]} steps  in processing order; `sign`
 *   relates a step to the one before
 * @property {"open"|"even"|"odd"|"none"} verdict  open: frames are in progress; even: the numbers add up; odd: they
 *   do not; none: no frames yet
 * @property {string} words
 */

/** @param {Api.LibraryVideo} video @returns {Account} */
export function accountOf({ frames, state }) {
  const { expected, announced, detected, dead_lettered: dead, counted } = frames;
  const done = detectedOf(frames);
  /** @param {string} name @param {string} sign @param {number|null} of @param {string} detail */
  const step = (name, sign, of, detail) => ({ name, sign, frames: of, detail });
  const also = dead ? t("videos.and", { dead: t("web.count_dead_letters", { count: dead }) }) : "";
  const steps = [
    step(t("web.expected"), "", expected, t("videos.that_the_file_holds_as_often")),
    step(t("web.announced"), signOf(announced, expected), announced, t("videos.taken_stored_and_put_on_the")),
    step(t("web.detected"), signOf(done, announced), detected, also),
    step(t("web.counted"), signOf(counted, detected), counted, t("videos.in_the_chart")),
  ];
  if (announced === null && !expected)
    return { steps, verdict: "none", words: t("videos.no_frames_are_taken_yet") };
  const gone = difference(frames);
  if (!gone) return { steps, verdict: "even", words: evenWords(detected ?? 0, dead ?? 0) };
  if (isInWork({ state }))
    return { steps, verdict: "open", words: t("videos.frames_are_still_on_their_way") };
  return { steps, verdict: "odd", words: gone };
}

/** @param {number|null} frames @param {number|null} before */
const signOf = (frames, before) => (frames === null || before === null ? "" : frames === before ? "=" : "≠");

/** @param {number} detected @param {number} dead */
const evenWords = (detected, dead) =>
  dead
    ? t("videos.every_frame_is_accounted_for_detected", {
        detected: t("web.count_frames", { count: detected }),
        dead: t("web.count_dead_letters", { count: dead }),
      })
    : t("videos.every_frame_is_accounted_for_all", { detected: number(detected) });

/**
 * The first step whose number of frames differs from the one before; `null` if all agree.
 * @param {Api.LibraryVideo["frames"]} frames
 */
function difference(frames) {
  const { expected, announced, detected, counted } = frames;
  const done = detectedOf(frames);
  if (expected !== announced)
    return t("videos.expected_and_announced", { expected: told(expected), announced: told(announced) });
  if (done !== announced)
    return t("videos.announced_and_detected_or_a_dead", { announced: told(announced), done: told(done) });
  if (counted !== detected)
    return t("videos.detected_and_counted", { detected: told(detected), counted: told(counted) });
  return null;
}

/** @param {number|null} frames */
const told = (frames) => (frames === null ? t("videos.not_known_how_many_are") : number(frames));

/** @param {string} title @param {...import("frametally/js/shared/dom.js").Child} children */
const card = (title, ...children) => el("section.card", el("h3", title), ...children);

/**
 * The detections by label; the total links to all charts.
 * @param {Api.LibraryVideo} video
 * @param {Page.ColorOf} colorOf
 */
export function countsCard(video, colorOf) {
  const rows = rankedLabels(video.labels).map(([label, count]) =>
    rowOf(
      el("span.label-name", swatch(colorOf(label)), el("bdi", visible(labelName(label)))),
      numberCell(number(count)),
    ),
  );
  const all = video.detections_counted;
  const none = video.state === "ready" && (video.reason || t("videos.none_of_its_frames_counts"));
  const sum = t("videos.in_one_car_in_ten_frames", {
    all: t("videos.count_detections", { count: all }),
    counted: t("web.count_frames", { count: video.frames.counted ?? 0 }),
  });
  const { chart, proof } = video.links;
  const caption = el("caption.visually-hidden", t("videos.detections_by_label"));
  return card(
    t("videos.in_this_video"),
    rows.length > 0 && el("table.video-labels", caption, el("tbody", ...rows)),
    el("p.muted.small", all === null ? none || t("videos.nothing_is_counted_yet") : sum),
    (chart || proof) &&
      el(
        "p.video-leads",
        chart && el("a", { href: wholeOf(chart) }, t("videos.in_the_chart_title")),
        proof && el("a", { href: wholeOf(proof) }, t("videos.the_frames_behind_it")),
      ),
  );
}

/** A chart's address, with this page's time zone. @param {string} link */
function wholeOf(link) {
  const state = { ...parseState(new URL(link, location.href).search), timezone: null };
  return `/?${formatWhole(state, { timezone: zoneInUse() })}`;
}

/** @param {Api.LibraryVideo} video */
export function accountCard(video) {
  const { steps, verdict, words } = accountOf(video);
  return card(
    t("videos.account"),
    el(
      "ol.account",
      ...steps.map(({ name, sign, frames, detail }) =>
        el(
          "li",
          el("span.account-frames", sign, " ", el("strong", frames === null ? "–" : number(frames))),
          el("span", name, detail ? el("span.muted.small", detail) : null),
        ),
      ),
    ),
    el("p.account-words.small", { "data-verdict": verdict }, words),
  );
}
