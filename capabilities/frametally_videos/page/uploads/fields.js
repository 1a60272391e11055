// The optional fields of a file before its upload.

import { el, field } from "frametally/js/shared/dom.js";
import { fromInput, moment } from "frametally/js/shared/format.js";
import { zoneInUse } from "frametally/js/shared/time.js";
import { zoneInput } from "frametally/js/shared/zone_input.js";
import { clientId } from "./client.js";
import { calibrationWords, containerTime, regionWords, verdictOn } from "./checks.js";
import { t } from "frametally/js/shared/texts.js";

/** The file name without its extension. @param {string} name */
const stemOf = (name) => name.replace(/(?<=.)\.[^.]*$/, "");

export class Fields {
  /** @param {File} file */
  constructor(file) {
    this.file = file;
    const stem = stemOf(file.name);
    const name = input("text", { maxlength: "255", placeholder: file.name });
    const source = input("text", { maxlength: "255", placeholder: stem, list: "known-sources" });
    const start = input("datetime-local", { step: "1" });
    const zone = zoneInput({ placeholder: zoneInUse() });
    const roi = jsonArea('{"x": 100, "y": 100, "width": 500, "height": 300}');
    const calibration = jsonArea('{"points": [[0, 0], [100, 100]]}');
    /** The fields by their names on the server. */
    this.asked = { name, source, start_time: start, timezone: zone, roi, calibration };
    const needsShape = t("videos.it_has_to_be_a_region");
    const needsPoints = t("videos.it_has_to_have_points_and");
    this.hint = el("p.muted.small", { hidden: true });
    this.doubt = el("p.remark", { role: "status" });
    this.drawn = el(
      "details.upload-drawn",
      el("summary", t("videos.region_and_calibration")),
      el(
        "div.upload-fields",
        drawnField(t("videos.region_as_json"), roi, regionWords, needsShape),
        drawnField(t("videos.calibration_as_json"), calibration, calibrationWords, needsPoints),
      ),
    );
    this.element = el(
      "div.upload-said",
      el(
        "div.upload-fields",
        field(t("videos.name"), name),
        field(t("web.source"), source),
        field(t("videos.filmed_from"), start),
        field(t("web.time_zone"), zone),
      ),
      this.hint,
      this.doubt,
      this.drawn,
    );
    start.addEventListener("input", () => {
      const isDoubtful = (fromInput(start.value) ?? 0) > Date.now() + 86_400_000;
      this.doubt.textContent = isDoubtful ? t("videos.starts_in_the_future") : "";
    });
    this.#showHint();
  }

  async #showHint() {
    const ms = await containerTime(this.file);
    if (ms === null) return;
    const when = moment(Math.floor(ms / 1000) * 1000);
    this.hint.textContent = t("videos.the_file_itself_says_which_is", { ms: when });
    this.hint.hidden = false;
  }

  /** Whether all fields are valid; moves the focus to the first invalid one. */
  check() {
    const wrong = Object.values(this.asked).find((one) => !one.checkValidity());
    if (wrong instanceof HTMLTextAreaElement) this.drawn.open = true;
    wrong?.reportValidity();
    return !wrong;
  }

  /**
   * Shows why the server refused a field, until you change it.
   * @param {keyof Fields["asked"]} name
   * @param {string} words
   */
  refuse(name, words) {
    const control = this.asked[name];
    control.setCustomValidity(words);
    // This runs before the field describes its new value.
    const mend = () => control.setCustomValidity((this.doubt.textContent = ""));
    control.addEventListener("input", mend, { once: true, capture: true });
    this.doubt.textContent = words;
    this.check();
  }

  /**
   * The fields in the server's form.
   * @param {string} source  for files that do not name a source
   * @returns {Record<string, string>}
   */
  metadata(source) {
    const { start_time: start, timezone } = this.asked;
    const usual = { source: source.trim(), timezone: start.value && timezone.placeholder };
    const typed = Object.entries(this.asked).map(([name, { value }]) => [name, value.trim()]);
    const given = [...Object.entries(usual), ...typed].filter(([, value]) => value);
    return {
      filename: this.file.name,
      last_modified_ms: String(this.file.lastModified),
      client_id: clientId(),
      ...Object.fromEntries(given),
    };
  }
}

/** @param {string} type @param {Record<string, string>} attributes */
const input = (type, attributes) => el("input", { type, autocomplete: "off", ...attributes });

/** @param {string} placeholder  an example */
const jsonArea = (placeholder) => el("textarea", { rows: "3", spellcheck: "false", placeholder });

/**
 * A JSON field that describes its value while you type, or says that it is invalid; the server checks numbers.
 * @param {string} name
 * @param {HTMLTextAreaElement} control
 * @param {(value: any) => string|null} wordsFor  returns `null` for an invalid value
 * @param {string} otherwise  the expected form
 */
function drawnField(name, control, wordsFor, otherwise) {
  const words = el("p.small.muted", { "aria-live": "polite" });
  const made = field(name, control, words);
  words.id = `${control.id}-words`;
  control.setAttribute("aria-describedby", words.id);
  control.addEventListener("input", () => {
    const [said, fault] = verdictOn(control.value, wordsFor, otherwise);
    words.textContent = said || fault;
    words.className = fault ? "small panel-error" : "small muted";
    control.toggleAttribute("aria-invalid", fault !== "");
    control.setCustomValidity(fault);
  });
  return made;
}
