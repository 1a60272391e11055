// The versions of a video with their buttons, and the choice of the version to watch.

import { el, fillSelect } from "frametally/js/shared/dom.js";
import { bytes } from "frametally/js/shared/format.js";
import { press, speak } from "frametally/js/status/notices.js";
import { enhancementWords } from "../jobs/words.js";
import { tellNews } from "../library/news.js";
import { playTime, visible } from "../library/words.js";
import { sendDerivativeRemoval } from "../library/requests.js";
import { t } from "frametally/js/shared/texts.js";

/** The name of a version. @param {Api.VideoDerivative} made */
export const nameOf = ({ kind, enhancement, recipe }) =>
  kind === "playable"
    ? t("videos.for_browsers")
    : t("videos.enhanced", {
        enhancement: enhancementWords(enhancement) || t("videos.as_it_was", { recipe }),
      });

const SOUNDS = {
  copied: t("videos.sound_copied"),
  encoded: t("videos.sound_encoded_anew"),
  none: t("videos.no_sound"),
};

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
    SOUNDS[sound],
  ].join(" · ");
}

/**
 * @param {Api.VideoDerivative} made
 * @param {boolean} leave  whether you may delete it
 * @param {{play: (recipe: string) => void, removed: () => void}} on
 */
export function madeRow(made, leave, on) {
  const name = nameOf(made);
  const { kind, recipe, tried } = made;
  const said = el("p.form-said.small", { role: "alert", hidden: true });
  const onRemove = () =>
    press(remove, said, async () => {
      await sendDerivativeRemoval(made.video_id, recipe);
      speak(t("videos.it_is_removed"));
      on.removed();
      tellNews();
    });
  const playing = { "aria-label": t("videos.play", { name }), onclick: () => on.play(recipe) };
  const file = {
    href: made.url,
    download: `${kind}-${recipe}.mp4`,
    "aria-label": t("videos.download", { name }),
  };
  const removing = { "aria-label": t("videos.remove", { name }), hidden: !leave, onclick: onRemove };
  const remove = el("button.button", removing, t("videos.delete"));
  const encoders = t("videos.count_encoders", { count: tried.length });
  const fallen = el("summary", t("videos.could_not_be_used", { length: encoders }));
  return el(
    "li.made",
    { "data-recipe": recipe, "data-kind": kind },
    el(
      "div",
      el("p.strong", name),
      el("p.muted.small", wordsOfMade(made)),
      tried.length > 0 && el("details.muted.small", fallen, ...tried.map((text) => el("p", visible(text)))),
    ),
    el(
      "div.job-buttons",
      el("button.button", playing, t("web.play")),
      el("a.button", file, t("videos.download_button")),
      remove,
    ),
    said,
  );
}

/** @typedef {{name: string, title: string, url: string, fps: number|null}} Version */

/**
 * The versions that browsers can play, default first.
 * @param {Api.LibraryVideo} video
 * @param {Api.VideoDerivative[]} made
 * @returns {Version[]}
 */
export function versionsOf({ plays_in_browsers: plays, links: { playable }, fps }, made) {
  const isPlayable = (/** @type {Api.VideoDerivative} */ { kind }) => Number(kind === "playable");
  const others = made
    .toSorted((one, other) => isPlayable(other) - isPlayable(one))
    .map((one) => ({ name: one.recipe, title: nameOf(one), url: one.url, fps: one.enhancement?.fps ?? fps }));
  if (playable && plays)
    others.unshift({ name: "original", title: t("videos.original"), url: playable, fps });
  // The video may link the browser version before the list of versions contains it.
  else if (playable && !made.some(isPlayable))
    others.unshift({ name: "playable", title: t("videos.for_browsers"), url: playable, fps });
  return others;
}

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

  /** The chosen version; `null` if there is none. @returns {Version|null} */
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

  /** Returns to the default version, for another video. */
  forget() {
    this.chosen = "";
  }
}
