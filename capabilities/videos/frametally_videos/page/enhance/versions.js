// The versions of a video, with their buttons, and the choice of the version to watch.

import { el, fillSelect } from "frametally/js/shared/dom.js";
import { bytes } from "frametally/js/shared/format.js";
import { press, speak } from "frametally/js/status/notices.js";
import { enhancementWords } from "../jobs/words.js";
import { tellNews } from "../library/news.js";
import { playTime, visible } from "../library/words.js";
import { sendDerivativeRemoval } from "../library/requests.js";
import { t } from "frametally/js/shared/texts.js";

/** What one is called. @param {Api.VideoDerivative} made */
export const nameOf = ({ kind, enhancement, recipe }) =>
  kind === "playable"
    ? t("videos.for_browsers")
    : t("videos.enhanced", {
        enhancement: enhancementWords(enhancement) || t("videos.as_it_was", { recipe }),
      });

/** @param {Api.VideoDerivative} made */
function wordsOfMade({ width_px: width, height_px: height, size_bytes: size, duration_s: length, ...made }) {
  const { method, video_encoder: encoder, sound } = made;
  return [
    `${width} × ${height} px`,
    playTime(length),
    bytes(size),
    method === "remux"
      ? t("videos.the_pictures_are_the_originals")
      : t("videos.encoded_by", { encoder: encoder ?? t("videos.an_encoder") }),
    { copied: t("videos.sound_copied"), encoded: t("videos.sound_encoded_anew"), none: t("videos.no_sound") }[
      sound
    ],
  ].join(" · ");
}

/**
 * @param {Api.VideoDerivative} made
 * @param {boolean} leave  whether it may be removed
 * @param {{play: (recipe: string) => void, removed: () => void}} on
 */
export function madeRow(made, leave, on) {
  const name = nameOf(made);
  const said = el("p.form-said.small", { role: "alert", hidden: true });
  const remove = el(
    "button.button",
    {
      "aria-label": t("videos.remove", { name }),
      hidden: !leave,
      onclick: () =>
        press(remove, said, async () => {
          await sendDerivativeRemoval(made.video_id, made.recipe);
          speak(t("videos.it_is_removed"));
          on.removed();
          tellNews();
        }),
    },
    t("videos.delete"),
  );
  const play = el(
    "button.button",
    { "aria-label": t("videos.play", { name }), onclick: () => on.play(made.recipe) },
    t("web.play"),
  );
  const download = el(
    "a.button",
    {
      href: made.url,
      download: `${made.kind}-${made.recipe}.mp4`,
      "aria-label": t("videos.download", { name }),
    },
    t("videos.download_2"),
  );
  return el(
    "li.made",
    { "data-recipe": made.recipe, "data-kind": made.kind },
    el(
      "div",
      el("p.strong", name),
      el("p.muted.small", wordsOfMade(made)),
      made.tried.length
        ? el(
            "details.muted.small",
            el(
              "summary",
              t("videos.could_not_be_used", {
                length: t("videos.count_encoders", { count: made.tried.length }),
              }),
            ),
            ...made.tried.map((text) => el("p", visible(text))),
          )
        : null,
    ),
    el("div.job-buttons", play, download, remove),
    said,
  );
}

/** @typedef {{name: string, title: string, url: string, fps: number|null}} Version */

/**
 * Those that browsers play, the usual one first.
 * @param {Api.LibraryVideo} video
 * @param {Api.VideoDerivative[]} made
 * @returns {Version[]}
 */
export function versionsOf({ plays_in_browsers: plays, links: { playable }, fps }, made) {
  const order = { playable: 0, enhanced: 1 };
  const others = [...made]
    .sort((one, other) => order[one.kind] - order[other.kind])
    .map((one) => ({
      name: one.recipe,
      title: nameOf(one),
      url: one.url,
      fps: one.enhancement?.fps ?? fps,
    }));
  if (playable && plays)
    return [{ name: "original", title: t("videos.original"), url: playable, fps }, ...others];
  // What is made for browsers may be told before the list of what was made comes.
  const isListed = made.some(({ kind }) => kind === "playable");
  return playable && !isListed
    ? [{ name: "playable", title: t("videos.for_browsers"), url: playable, fps }, ...others]
    : others;
}

/** Chooses one of them. */
export class VersionChooser {
  /** @param {() => void} onChange */
  constructor(onChange) {
    this.chosen = "";
    /** @type {Version[]} */
    this.versions = [];
    this.select = el("select", {
      "aria-label": t("videos.version"),
      onchange: () => {
        this.chosen = this.select.value;
        onChange();
      },
    });
    this.element = el(
      "div.player-version",
      { hidden: true },
      el("span", { "aria-hidden": "true" }, t("videos.version")),
      this.select,
    );
  }

  /** The one that is watched; null: there is none. @returns {Version|null} */
  get now() {
    return this.versions.find(({ name }) => name === this.chosen) ?? this.versions[0] ?? null;
  }

  /** @param {Version[]} versions */
  show(versions) {
    this.versions = versions;
    this.element.hidden = versions.length < 2;
    fillSelect(
      this.select,
      versions.map(({ name, title }) => [name, title]),
      this.now?.name ?? "",
    );
  }

  /** Another video: the usual one again. */
  forget() {
    this.chosen = "";
  }
}
