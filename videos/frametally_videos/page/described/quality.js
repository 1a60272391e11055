// What a video was checked for: what was found, beside what was looked for, and where in the video that is.

import { el } from "frametally/js/shared/dom.js";
import { number, percent, plural, roughly } from "frametally/js/shared/format.js";
import { playTime, visible } from "../library/words.js";
import { askQuality, Kept, whyMissing } from "./asking.js";

/** @type {Record<string, string>} */
const NAMES = {
  black: "Black",
  dark: "Dark",
  frozen: "Standing still",
  blurred: "Blurred",
  blocky: "Blocky",
  cut: "Cut off",
  short: "Short",
  slow: "Few frames a second",
  small: "Small picture",
  clock: "Clock",
  repeated: "Frames twice",
  dropped: "Frames left out",
};
/** Where it is, as buttons; of more, how many there are. */
const MOST_SPANS = 12;

export class Quality {
  /**
   * @param {(positionS: number) => void} onSeek
   * @param {(failed: number) => void} onFound  how many checks failed
   */
  constructor(onSeek, onFound) {
    this.onSeek = onSeek;
    this.onFound = onFound;
    this.element = el("div", { class: "card" });
    this.kept = new Kept(askQuality, (quality) => this.#show(quality));
    /** @type {Page.Video|null} */
    this.video = null;
  }

  /** @param {Page.Video} video */
  show(video) {
    this.video = video;
    this.kept.show(video.id, video.links.quality ?? null);
    if (!video.links.quality) this.#show(null); // why, may be another each time
  }

  end() {
    this.kept.end();
  }

  /** @param {Page.VideoQuality|null} quality */
  #show(quality) {
    const failed = quality?.checks.filter(({ passed }) => !passed) ?? [];
    this.onFound(failed.length);
    if (!quality) {
      const text = whyMissing(this.video?.jobs ?? [], "checks", {
        coming: "It is being checked.",
        failed: "It could not be checked:",
        missing: "It is not checked yet.",
      });
      this.element.replaceChildren(el("p", { class: "muted job-reason", text }));
      return;
    }
    const passed = quality.checks.filter((one) => one.passed);
    this.element.replaceChildren(
      el("p", {
        class: failed.length ? "strong open" : "strong ok",
        text: failed.length
          ? `${failed.length} of ${plural(quality.checks.length, "check")} failed`
          : `All ${plural(quality.checks.length, "check")} passed`,
      }),
      el("p", {
        class: "muted small",
        text: "Checks tell what the counts may suffer from; they never stop counting.",
      }),
      el("ul", { class: "checks" }, ...[...failed, ...passed].map((one) => this.#check(one))),
    );
  }

  /** @param {Page.VideoCheck} check */
  #check({ name, passed, sentence, measured, limit, unit, spans_s: spans = [] }) {
    const shown = spans.slice(0, MOST_SPANS);
    const places = shown.map(([from, to]) =>
      el("button", {
        type: "button",
        class: "button",
        text: spanWords(from, to),
        "aria-label": `${spanWords(from, to)}: ${NAMES[name] ?? name}`,
        onclick: () => this.onSeek(from),
      }),
    );
    return el(
      "li",
      { class: "check-result", "data-check": name, "data-passed": String(passed) },
      el(
        "p",
        { class: "check-head" },
        el("span", { class: "strong", text: NAMES[name] ?? name }),
        el("span", { class: passed ? "ok" : "open", text: passed ? "✓ passed" : "✗ failed" }),
      ),
      el("p", { text: visible(sentence) }),
      measured === null
        ? null
        : el("p", {
            class: "muted small",
            text: `measured ${valueWords(measured, unit)}, limit ${valueWords(limit, unit)}`,
          }),
      places.length
        ? el(
            "p",
            { class: "check-places" },
            ...places,
            spans.length > shown.length
              ? el("span", { class: "muted small", text: `and ${spans.length - shown.length} more` })
              : null,
          )
        : null,
    );
  }
}

/** @param {number} from @param {number} to  seconds */
const spanWords = (from, to) => `${playTime(Math.floor(from))} – ${playTime(Math.ceil(to))}`;

/** Seconds beyond this are told in minutes, hours or days. */
const MOST_S = 600;

/** @param {number} value @param {string} unit */
function valueWords(value, unit) {
  if (unit === "1") return percent(value);
  if (unit === "s" && Math.abs(value) > MOST_S)
    return `${value < 0 ? "\u2212" : ""}${roughly(Math.abs(value) * 1000)}`;
  if (unit === "level") return `${number(Math.round(value))} of 255`;
  const rounded = Math.abs(value) < 10 ? Math.round(value * 1000) / 1000 : Math.round(value * 10) / 10;
  return `${number(rounded)} ${visible(unit)}`.trim();
}
