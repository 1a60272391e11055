// The optional fields of a file before its upload.

import { el, field } from "frametally/js/shared/dom.js";
import { fromInput, moment } from "frametally/js/shared/format.js";
import { isZone, zoneInUse } from "frametally/js/shared/time.js";
import { clientId } from "./client.js";
import { checkCalibration, checkRegion, containerTime } from "./checks.js";
import { t } from "frametally/js/shared/texts.js";

/** The name without what comes behind its last point. @param {string} name */
const stemOf = (name) => name.replace(/(?<=.)\.[^.]*$/, "");

export class Fields {
  /** @param {File} file */
  constructor(file) {
    this.file = file;
    this.name = input("text", { maxlength: "255", placeholder: file.name });
    this.source = input("text", { maxlength: "255", placeholder: stemOf(file.name), list: "known-sources" });
    this.start = input("datetime-local", { step: "1" });
    this.zone = input("text", { list: "known-zones", placeholder: zoneInUse(), spellcheck: "false" });
    this.roi = jsonArea('{"x": 100, "y": 100, "width": 500, "height": 300}');
    this.calibration = jsonArea('{"points": [[0, 0], [100, 100]]}');
    this.hint = el("p.muted.small", { hidden: true });
    this.doubt = el("p.remark", { role: "status" });
    this.drawn = el(
      "details.upload-drawn",
      el("summary", t("videos.region_and_calibration")),
      el(
        "div.upload-fields",
        drawnField(t("videos.region_as_json"), this.roi, checkRegion),
        drawnField(t("videos.calibration_as_json"), this.calibration, checkCalibration),
      ),
    );
    this.element = el(
      "div.upload-said",
      el(
        "div.upload-fields",
        field(t("videos.name"), this.name),
        field(t("web.source"), this.source),
        field(t("videos.filmed_from"), this.start),
        field(t("web.time_zone"), this.zone),
      ),
      this.hint,
      this.doubt,
      this.drawn,
    );
    this.start.addEventListener("input", () => {
      const isDoubtful = (fromInput(this.start.value) ?? 0) > Date.now() + 86_400_000;
      this.doubt.textContent = isDoubtful ? t("videos.starts_in_the_future") : "";
    });
    this.zone.addEventListener("input", () => {
      const isRight = !this.zone.value || isZone(this.zone.value);
      this.zone.setCustomValidity(isRight ? "" : t("videos.there_is_no_such_time_zone"));
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

  /** Whether all can be sent as it is; what cannot is shown, and has the keyboard. */
  check() {
    const all = [this.name, this.source, this.start, this.zone, this.roi, this.calibration];
    const wrong = all.find((one) => !one.checkValidity());
    if (wrong instanceof HTMLTextAreaElement) this.drawn.open = true;
    wrong?.reportValidity();
    return !wrong;
  }

  /**
   * As the server takes it.
   * @param {string} source  of those that name none themselves
   * @returns {Record<string, string>}
   */
  metadata(source) {
    const start = this.start.value;
    /** @type {Record<string, string>} */
    const said = {
      name: this.name.value,
      source: this.source.value || source,
      start_time: start,
      timezone: this.zone.value || (start ? this.zone.placeholder : ""),
      roi: this.roi.value,
      calibration: this.calibration.value,
    };
    const given = Object.entries(said).map(([name, value]) => [name, value.trim()]);
    return {
      filename: this.file.name,
      last_modified_ms: String(this.file.lastModified),
      client_id: clientId(),
      ...Object.fromEntries(given.filter(([, value]) => value)),
    };
  }
}

/** @param {string} type @param {Record<string, string>} attributes */
export const input = (type, attributes) => el("input", { type, autocomplete: "off", ...attributes });

/** @param {string} placeholder  an example */
const jsonArea = (placeholder) => el("textarea", { rows: "3", spellcheck: "false", placeholder });

/**
 * A field for JSON that says while one types what it is, or what is wrong with it.
 * @param {string} name
 * @param {HTMLTextAreaElement} control
 * @param {(text: string) => import("./checks.js").Verdict} check
 */
function drawnField(name, control, check) {
  const words = el("p.small.muted", { "aria-live": "polite" });
  const made = field(name, control, words);
  words.id = `${control.id}-words`;
  control.setAttribute("aria-describedby", words.id);
  control.addEventListener("input", () => {
    const verdict = check(control.value);
    words.textContent = verdict.words;
    words.className = verdict.isRight ? "small muted" : "small panel-error";
    control.toggleAttribute("aria-invalid", !verdict.isRight);
    control.setCustomValidity(verdict.isRight ? "" : verdict.words);
  });
  return made;
}
