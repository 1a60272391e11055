// The crossings and visits behind a number: pictures with line, path and box, page by page, until they add up to it.

import { framePicture } from "frametally/js/frames/boxed_picture.js";
import { el, iconButton } from "frametally/js/shared/dom.js";
import { number } from "frametally/js/shared/format.js";
import { shapesOver } from "frametally/js/frames/shapes_over.js";
import { wordsOf } from "frametally/js/status/notices.js";
import { t } from "frametally/js/shared/texts.js";

/**
 * @typedef {import("frametally/js/frames/boxed_picture.js").Picture & {title: string, caption: string, remarks:
 *   string[], small: (size: import("frametally/js/frames/shapes_over.js").Size) => SVGElement}} Large  `small` is the
 *   drawing over its thumbnail
 */
/**
 * @typedef {Object} Sighting
 * @property {string[]} words  one per line
 * @property {Large[]} pictures
 */
/**
 * @typedef {Object} Answered  a page of them
 * @property {number} value
 * @property {Sighting[]} sightings
 * @property {string|null} next
 */

export class Sightings {
  /** @param {HTMLElement} area @param {Pick<import("./views.js").On, "colorOf"|"open">} on */
  constructor(area, on) {
    this.area = area;
    this.on = on;
    this.asked = 0;
  }

  close() {
    this.asked += 1;
    this.area.hidden = true;
    this.area.replaceChildren();
  }

  /**
   * Shows the sightings behind a number, and scrolls to them.
   * @param {string} title
   * @param {(cursor: string|null) => Promise<Answered>} load
   */
  async open(title, load) {
    const mine = ++this.asked;
    const list = el("div.sightings");
    const sum = el("p.muted", { role: "status" }, t("traffic.looking_for_them"));
    const more = el("button.button", { hidden: true }, t("web.show_more"));
    this.area.hidden = false;
    const close = iconButton(t("web.close"), "×", () => this.close());
    this.area.replaceChildren(el("div.proof-head", el("h3", title), close), sum, list, more);
    this.area.focus({ preventScroll: true });
    this.area.scrollIntoView({ block: "nearest" });
    /** @type {string|null} */
    let cursor = null;
    let shown = 0;
    const next = async () => {
      more.disabled = true;
      try {
        const page = await load(cursor);
        if (mine !== this.asked) return;
        cursor = page.next;
        shown += page.sightings.length;
        const isSingle = page.sightings.every(({ pictures }) => pictures.length < 2);
        list.classList.toggle("single", isSingle);
        list.append(...page.sightings.map((one) => this.#card(one)));
        const part = cursor ? "" : t("traffic.that_is_the_number");
        const values = { shown: number(shown), value: number(page.value), part };
        sum.textContent = page.value ? t("traffic.of", values) : t("traffic.there_is_none");
        more.hidden = !cursor;
      } catch (error) {
        if (mine !== this.asked) return;
        sum.textContent = wordsOf(error);
        more.hidden = false;
      } finally {
        more.disabled = false;
      }
    };
    more.addEventListener("click", next);
    await next();
  }

  /** @param {Sighting} sighting */
  #card({ words, pictures }) {
    const look = { alt: "", lazy: true, sizes: "(max-width: 640px) 46vw, 320px" };
    const shown = pictures.map((one, position) => {
      const name = t("traffic.open_large", { title: one.title, caption: one.caption });
      const picture = framePicture({ ...one, over: one.small }, this.on.colorOf, look);
      return el(
        "button.whole",
        { "aria-label": name, onclick: () => this.on.open(pictures, position) },
        picture,
      );
    });
    const absent = el("p.words.muted.small", t("traffic.its_frames_are_no_longer_in"));
    return el(
      "article.sighting",
      shown.length ? el("div.pictures", ...shown) : absent,
      el("div.words.small", ...words.map((text, row) => el("p", { class: row ? "muted" : "strong" }, text))),
    );
  }
}

/**
 * A picture of an object on its path.
 * @param {Api.PathFrame|null} frame
 * @param {import("frametally/js/frames/shapes_over.js").Shown} shown
 * @param {{title: string, caption: string}} words
 * @returns {Large[]}  `null` if the frame was deleted
 */
export function pictureOf(frame, shown, { title, caption }) {
  if (!frame) return [];
  const { box } = frame;
  const foot = box ? footOf(box.box) : undefined;
  return [
    {
      ...frame,
      boxes: box ? [box] : [],
      over: shapesOver({ ...shown, foot }),
      small: shapesOver({ ...shown, foot }, false),
      title,
      caption,
      remarks: box ? [] : [t("traffic.its_box_is_not_among_those")],
    },
  ];
}

/** @param {Api.Box["box"]} box @returns {[number, number]} */
const footOf = ([left, top, width, height]) => [left + width / 2, top + height];
