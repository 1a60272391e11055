// The change of each property of the picture: a slider and a number, which follow each other.

import { el, iconButton } from "frametally/js/shared/dom.js";
import { inSentence, t } from "frametally/js/shared/texts.js";

/**
 * @typedef {Object} Scale
 * @property {"brightness"|"contrast"|"gamma"|"saturation"|"denoise"|"sharpen"|"local_contrast"} name
 * @property {string} title
 * @property {number} min
 * @property {number} max  of the number; the slider may end before
 * @property {number} far  where the slider ends: beyond, hardly anybody goes
 * @property {number} usual  changes nothing
 */

/** @type {Scale[]} */
const SCALES = [
  { name: "brightness", title: t("videos.brightness"), min: -1, max: 1, far: 1, usual: 0 },
  { name: "contrast", title: t("videos.contrast"), min: 0, max: 4, far: 4, usual: 1 },
  { name: "gamma", title: t("videos.gamma"), min: 0.1, max: 10, far: 4, usual: 1 },
  { name: "saturation", title: t("videos.saturation"), min: 0, max: 3, far: 3, usual: 1 },
  { name: "denoise", title: t("videos.denoise"), min: 0, max: 1, far: 1, usual: 0 },
  { name: "sharpen", title: t("videos.sharpen"), min: 0, max: 1, far: 1, usual: 0 },
  { name: "local_contrast", title: t("videos.local_contrast"), min: 0, max: 1, far: 1, usual: 0 },
];
/** @type {[value: "auto"|"on"|"off", title: string][]} */
const DEINTERLACE = [
  ["auto", t("videos.where_needed")],
  ["on", t("videos.always")],
  ["off", t("videos.never")],
];
const STEP = 0.05;
let made = 0;

/** The controls of an enhancement. */
export class Settings {
  /** @param {() => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    made += 1;
    this.scales = SCALES.map((scale) => ({ scale, ...this.#slider(scale) }));
    this.deinterlace = el(
      "select",
      { id: `enhance-${made}-deinterlace`, onchange: () => this.#changed() },
      ...DEINTERLACE.map(([value, text]) => el("option", { value }, text)),
    );
    this.fps = el("input", {
      type: "number",
      id: `enhance-${made}-fps`,
      min: "1",
      max: "120",
      step: "any",
      placeholder: t("videos.as_it_is"),
      oninput: () => this.#changed(),
    });
    /** @type {(() => void)[]} */
    this.plainResets = [];
    this.element = el(
      "div.enhance-settings",
      ...this.scales.map(({ element }) => element),
      this.#plain(t("videos.deinterlace"), this.deinterlace, "auto"),
      this.#plain(t("videos.frames_a_second"), this.fps, ""),
    );
    this.#showResets();
  }

  /** What differs from the video as it is; null: a number cannot be. */
  read() {
    /** @type {Partial<Api.Enhancement>} */
    const options = {};
    for (const { scale, number } of this.scales) {
      if (!number.checkValidity() || number.value === "") return null;
      if (Number(number.value) !== scale.usual) options[scale.name] = Number(number.value);
    }
    if (!this.fps.checkValidity()) return null;
    if (this.deinterlace.value !== "auto") {
      options.deinterlace = this.deinterlace.value === "on" ? "on" : "off";
    }
    if (this.fps.value) options.fps = Number(this.fps.value);
    return options;
  }

  /** @param {Partial<Api.Enhancement>} options */
  fill(options) {
    for (const { scale, slider, number } of this.scales) {
      slider.value = number.value = String(options[scale.name] ?? scale.usual);
    }
    this.deinterlace.value = options.deinterlace ?? "auto";
    this.fps.value = options.fps ? String(options.fps) : "";
    this.#changed();
  }

  /** Says of the first number that cannot be why. */
  report() {
    const wrong = [...this.element.querySelectorAll("input")].find(
      (one) => !one.checkValidity() || (one.type === "number" && one !== this.fps && one.value === ""),
    );
    if (!wrong) return;
    if (wrong.value === "") wrong.focus();
    wrong.reportValidity();
  }

  #changed() {
    this.#showResets();
    this.onChange();
  }

  /** Each leads back only where there is somewhere to go back to. */
  #showResets() {
    for (const { scale, number, reset } of this.scales) reset.disabled = Number(number.value) === scale.usual;
    for (const showReset of this.plainResets) showReset();
  }

  /** @param {Scale} scale */
  #slider({ name, title, min, max, far, usual }) {
    const id = `enhance-${made}-${name}`;
    const slider = el("input", {
      type: "range",
      id,
      min: String(min),
      max: String(far),
      step: min === 0.1 ? "0.1" : String(STEP),
      value: String(usual),
    });
    const number = el("input", {
      type: "number",
      "aria-label": t("videos.to", { title, min, max }),
      min: String(min),
      max: String(max),
      step: "any",
      required: true,
      value: String(usual),
    });
    slider.addEventListener("input", () => {
      number.value = slider.value;
      this.#changed();
    });
    number.addEventListener("input", () => {
      if (number.value) slider.value = number.value;
      this.#changed();
    });
    const reset = resetButton(title, () => {
      slider.value = number.value = String(usual);
      this.#changed();
    });
    const element = el(
      "div.enhance-row",
      { "data-name": name },
      el("label", { for: id }, title),
      slider,
      number,
      reset,
    );
    return { element, slider, number, reset };
  }

  /** @param {string} title @param {HTMLSelectElement|HTMLInputElement} control @param {string} usual */
  #plain(title, control, usual) {
    const reset = resetButton(title, () => {
      control.value = usual;
      this.#changed();
    });
    this.plainResets.push(() => (reset.disabled = control.value === usual));
    return el("div.enhance-row.plain", el("label", { for: control.id }, title), control, reset);
  }
}

/** @param {string} title @param {() => void} onclick */
const resetButton = (title, onclick) =>
  iconButton(t("videos.reset", { title: inSentence(title) }), "↺", onclick, { title: t("videos.reset_2") });
