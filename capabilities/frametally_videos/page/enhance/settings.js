// The settings of an enhancement: each has a slider and a number, which follow each other.

import { el, iconButton } from "frametally/js/shared/dom.js";
import { inSentence, t } from "frametally/js/shared/texts.js";

/**
 * @typedef {Object} Scale
 * @property {"brightness"|"contrast"|"gamma"|"saturation"|"denoise"|"sharpen"|"local_contrast"} name
 * @property {string} title
 * @property {number} min
 * @property {number} max  of the number; the slider may end earlier
 * @property {number} far  end of the slider; few people need higher values
 * @property {number} usual  the value that changes nothing
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

export class Settings {
  /** @param {() => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    made += 1;
    this.scales = SCALES.map((scale) => ({ scale, ...this.#slider(scale) }));
    this.deinterlace = el("select", ...DEINTERLACE.map(([value, text]) => el("option", { value }, text)));
    this.fps = el("input", {
      type: "number",
      min: "1",
      max: "120",
      step: "any",
      placeholder: t("videos.as_it_is"),
    });
    this.rows = [
      ...this.scales.map(({ row }) => row),
      this.#row("deinterlace", t("videos.deinterlace"), "auto", this.deinterlace),
      this.#row("fps", t("videos.frames_a_second"), "", this.fps),
    ];
    const elements = this.rows.map(({ element }) => element);
    this.element = el("div.enhance-settings", { oninput: () => this.#changed() }, ...elements);
    this.#showResets();
  }

  /** The changes to the video; `null` if a number is invalid. */
  read() {
    if ([...this.element.querySelectorAll("input")].some((one) => !one.validity.valid)) return null;
    /** @type {Partial<Api.Enhancement>} */
    const options = {};
    for (const { scale, number } of this.scales)
      if (Number(number.value) !== scale.usual) options[scale.name] = Number(number.value);
    if (this.deinterlace.value !== "auto") {
      options.deinterlace = this.deinterlace.value === "on" ? "on" : "off";
    }
    if (this.fps.value) options.fps = Number(this.fps.value);
    return options;
  }

  /** Resets all settings. */
  clear() {
    for (const { clear } of this.rows) clear();
    this.#changed();
  }

  #changed() {
    this.#showResets();
    this.onChange();
  }

  /** Shows a reset button only next to a changed setting. */
  #showResets() {
    for (const { showReset } of this.rows) showReset();
  }

  /** @param {Scale} scale */
  #slider({ name, title, min, max, far, usual }) {
    const slider = el("input", {
      type: "range",
      min: String(min),
      max: String(far),
      step: min === 0.1 ? "0.1" : String(STEP),
      value: String(usual),
      oninput: () => (number.value = slider.value),
    });
    const number = el("input", {
      type: "number",
      "aria-label": t("videos.to", { title, min, max }),
      min: String(min),
      max: String(max),
      step: "any",
      required: true,
      value: String(usual),
      oninput: () => {
        if (number.value) slider.value = number.value;
      },
    });
    return { number, row: this.#row(name, title, String(usual), slider, number) };
  }

  /**
   * @param {string} name
   * @param {string} title
   * @param {string} usual  the value that changes nothing
   * @param {...(HTMLSelectElement|HTMLInputElement)} controls  all controls of this value
   */
  #row(name, title, usual, ...controls) {
    controls[0].id = `enhance-${made}-${name}`;
    const clear = () => controls.forEach((control) => (control.value = usual));
    const onReset = () => {
      clear();
      this.#changed();
    };
    const words = t("videos.reset", { title: inSentence(title) });
    const reset = iconButton(words, "↺", onReset, { title: t("videos.reset_button") });
    const kind = controls.length > 1 ? "div.enhance-row" : "div.enhance-row.plain";
    const label = el("label", { for: controls[0].id }, title);
    return {
      clear,
      element: el(kind, { "data-name": name }, label, ...controls, reset),
      showReset: () => (reset.disabled = controls.every(({ value }) => value === usual)),
    };
  }
}
