// The checks of a video: each result with its limit and its position in the video.

import { el } from "frametally/js/shared/dom.js";
import { number, percent, roughly } from "frametally/js/shared/format.js";
import { playTime, visible } from "../library/words.js";
import { Kept, whyMissing } from "./facts.js";
import { askQuality } from "../library/requests.js";
import { t } from "frametally/js/shared/texts.js";

/** @type {Record<string, string>} */
const NAMES = {
  black: t("videos.black"),
  dark: t("videos.dark"),
  frozen: t("videos.standing_still"),
  blurred: t("videos.blurred"),
  blocky: t("videos.blocky"),
  cut: t("videos.cut_off"),
  short: t("videos.short"),
  slow: t("videos.few_frames_a_second"),
  small: t("videos.small_picture"),
  clock: t("videos.clock"),
  repeated: t("videos.frames_twice"),
  dropped: t("videos.frames_left_out"),
};
/** The most positions that are buttons; the page only counts the others. */
const MOST_SPANS = 12;

export class Quality {
  /**
   * @param {(positionS: number) => void} onSeek
   * @param {(failed: number) => void} onFound  called with the number of failed checks
   */
  constructor(onSeek, onFound) {
    this.onSeek = onSeek;
    this.onFound = onFound;
    this.element = el("div.card");
    this.kept = new Kept(askQuality, (quality) => this.#show(quality));
    /** @type {Api.LibraryVideo|null} */
    this.video = null;
  }

  /** @param {Api.LibraryVideo} video */
  show(video) {
    this.video = video;
    this.kept.show(video.id, video.links.quality ?? null);
    if (!video.links.quality) this.#show(null); // always, because the reason may have changed
  }

  end() {
    this.kept.end();
  }

  /** @param {Api.VideoQuality|null} quality */
  #show(quality) {
    const failed = quality?.checks.filter(({ passed }) => !passed) ?? [];
    this.onFound(failed.length);
    if (!quality) {
      const text = whyMissing(this.video?.jobs ?? [], "checks", {
        coming: t("videos.it_is_being_checked"),
        failed: t("videos.it_could_not_be_checked"),
        missing: t("videos.it_is_not_checked_yet"),
      });
      this.element.replaceChildren(el("p.muted.job-reason", text));
      return;
    }
    const all = t("web.count_checks", { count: quality.checks.length });
    const failedFirst = quality.checks.toSorted((one, other) => Number(one.passed) - Number(other.passed));
    this.element.replaceChildren(
      failed.length
        ? el("p.strong.open", t("web.of_failed", { length: failed.length, length2: all }))
        : el("p.strong.ok", t("videos.all_passed", { length: all })),
      el("p.muted.small", t("videos.checks_tell_what_the_counts_may")),
      el("ul.checks.stack", ...failedFirst.map((one) => this.#check(one))),
    );
  }

  /** @param {Api.VideoCheck} check */
  #check({ name, passed, sentence, measured, limit, unit, spans_s: spans = [] }) {
    const shown = spans.slice(0, MOST_SPANS);
    const title = NAMES[name] ?? name;
    const places = shown.map(([from, to]) => {
      const words = spanWords(from, to);
      const seek = { "aria-label": `${words}: ${title}`, onclick: () => this.onSeek(from) };
      return el("button.button", seek, words);
    });
    const more = spans.length - shown.length;
    return el(
      "li.check-result",
      { "data-check": name, "data-passed": String(passed) },
      el(
        "p.check-head.row",
        el("span.strong", title),
        passed ? el("span.ok", t("videos.passed")) : el("span.open", t("videos.failed")),
      ),
      el("p", visible(sentence)),
      measured !== null && el("p.muted.small", measuredWords(measured, limit, unit)),
      places.length > 0 &&
        el(
          "p.check-places.row",
          ...places,
          more > 0 && el("span.muted.small", t("videos.and_more", { length: more })),
        ),
    );
  }
}

/** @param {number} from @param {number} to  seconds */
const spanWords = (from, to) => `${playTime(Math.floor(from))} – ${playTime(Math.ceil(to))}`;

/** @param {number} measured @param {number} limit @param {string} unit */
const measuredWords = (measured, limit, unit) =>
  t("videos.measured_limit", { measured: valueWords(measured, unit), limit: valueWords(limit, unit) });

/** Longer durations are shown in minutes, hours or days. */
const MOST_S = 600;

/** @param {number} value @param {string} unit */
function valueWords(value, unit) {
  if (unit === "1") return percent(value);
  if (unit === "s" && Math.abs(value) > MOST_S)
    return `${value < 0 ? "\u2212" : ""}${roughly(Math.abs(value) * 1000)}`;
  if (unit === "level") return t("videos.value_of_full_scale", { value: number(Math.round(value)) });
  const rounded = Math.abs(value) < 10 ? Math.round(value * 1000) / 1000 : Math.round(value * 10) / 10;
  return `${number(rounded)} ${visible(unit)}`.trim();
}
