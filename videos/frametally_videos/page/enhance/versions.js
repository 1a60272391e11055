// Which of its versions a video is watched in: as it came, for browsers, or better to look at.

import { el, fillSelect } from "frametally/js/shared/dom.js";
import { nameOf } from "./made.js";

/** @typedef {{name: string, title: string, url: string, fps: number|null}} Version */

/**
 * Those that browsers play, the usual one first.
 * @param {Page.Video} video
 * @param {Page.Derivative[]} made
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
  if (playable && plays) return [{ name: "original", title: "Original", url: playable, fps }, ...others];
  // What is made for browsers may be told before the list of what was made comes.
  const isListed = made.some(({ kind }) => kind === "playable");
  return playable && !isListed
    ? [{ name: "playable", title: "For browsers", url: playable, fps }, ...others]
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
      "aria-label": "Version",
      onchange: () => {
        this.chosen = this.select.value;
        onChange();
      },
    });
    this.element = el(
      "div",
      { class: "player-version", hidden: true },
      el("span", { "aria-hidden": "true", text: "Version" }),
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
