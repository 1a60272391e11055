// What the frame stage and the clip player share: the current work, its proportions, and its words for screen
// readers.

import { byId, el } from "frametally/js/shared/dom.js";
import { labelWords } from "./words.js";

/** @template {{unit: Api.UnitToAnswer}} Work  a unit and its state here */
export class Sheet {
  /**
   * @param {HTMLElement} area
   * @param {Object} of
   * @param {Api.EventPlace|null} of.place
   * @param {() => void} of.onChange
   * @param {(unit: Api.UnitToAnswer) => void} of.onMissing
   */
  constructor(area, { place, onChange, onMissing }) {
    this.area = area;
    this.place = place;
    this.onChange = onChange;
    this.onMissing = onMissing;
    /** @type {Work|null} */
    this.work = null;
    /** @type {string[]} */
    this.labels = [];
    /** @type {Page.ColorOf} */
    this.colorOf = () => "";
  }

  /** The picture of a frame; if it fails to load, it is missing. @param {Work} work @param {string|null} src */
  imageOf(work, src) {
    const image = el("img", { alt: "", draggable: "false", src });
    image.addEventListener("error", () => {
      if (this.work !== work) return;
      if (image.dataset.again) this.onMissing(work.unit);
      else this.loadAgain(image);
    });
    return image;
  }

  /**
   * Loads a missing image again, because the server may have been briefly unavailable.
   * @param {HTMLImageElement} image
   */
  loadAgain(image) {
    image.dataset.again = "yes";
    image.src = image.src; // eslint-disable-line no-self-assign -- this reloads the image
  }

  /** @param {Work} work @param {...Element} parts  the elements that show it */
  put(work, ...parts) {
    const { unit } = (this.work = work);
    this.area.style.setProperty("--ratio", String(unit.width_px / unit.height_px));
    this.area.dataset.unit = `${unit.unit}/${unit.turn}`;
    this.area.replaceChildren(...parts);
  }

  /** @param {string} words */
  clear(words) {
    this.work = null;
    delete this.area.dataset.unit;
    this.area.replaceChildren(el("p", words));
    this.say(words);
  }

  /** Subclasses return the count of a label. @param {string} label @returns {number} */
  countOf(label) {
    throw new Error(`nothing counts ${label}`);
  }

  /** "Car 2, person 1." @param {string} nothing  the text if there are no objects */
  all(nothing) {
    const counts = this.labels.map((label) => ({ label, count: this.countOf(label) }));
    const some = counts.filter(({ count }) => count);
    const words = some.map(({ label, count }) => `${labelWords(label, this.place)} ${count}`);
    return words.length ? `${words.join(", ")}.` : nothing;
  }

  /** @param {string} words */
  say(words) {
    byId("spoken").textContent = words;
  }
}
