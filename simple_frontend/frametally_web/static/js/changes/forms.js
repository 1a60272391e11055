// The forms that change footage: which recordings, and which change. Each creates its own request.

import { el, field } from "../shared/dom.js";
import { fromInput, moment, toInput } from "../shared/format.js";
import { zoneInUse } from "../shared/time.js";
import { zoneInput } from "../shared/zone_input.js";
import { t } from "../shared/texts.js";

/** @typedef {{element: HTMLElement, read: () => Record<string, unknown>|null}} Form  `read` returns `null` if a field is missing */

/** A time field in the page's time zone. @param {string} id @param {number|null} ms @param {boolean} [required] */
function momentInput(id, ms, required = false) {
  const input = el("input", { id, type: "datetime-local", step: 1, required });
  /** @type {number|null} */
  let shown = null;
  const show = (/** @type {number|null} */ at) => {
    shown = at;
    input.value = at === null ? "" : toInput(at);
  };
  show(ms);
  // The field has whole seconds, so an unchanged field keeps its exact time.
  const read = () => {
    const typed = fromInput(input.value);
    return shown !== null && typed === fromInput(toInput(shown)) ? shown : typed;
  };
  return { input, show, read };
}

/** The choice of all footage or one recording. @param {Api.SourceFootage} footage @param {() => void} [onchange] */
function recordingSelect({ recordings }, onchange) {
  const options = recordings.map(({ id, name, from_ms: from }) =>
    el("option", { value: id }, from === null ? name : `${name}, ${moment(from)}`),
  );
  return el("select", { id: "change-medium", onchange }, el("option", { value: "" }, t("web.all_footage")), ...options);
} // prettier-ignore

const hint = (/** @type {string} */ words) => el("p.muted.small", words);

/**
 * A form that can only be read when all its fields are valid.
 * @param {() => Record<string, unknown>} read
 * @param {...HTMLElement} fields
 * @returns {Form}
 */
function formOf(read, ...fields) {
  const element = el("form.stack.change-form", { autocomplete: "off" }, ...fields);
  return { element, read: () => (element.reportValidity() ? read() : null) };
}

/** @param {Api.SourceFootage} footage @returns {Form} */
export function retimeForm(footage) {
  const beginOf = (/** @type {string} */ id) =>
    id ? (footage.recordings.find((one) => one.id === id)?.from_ms ?? null) : footage.from_ms;
  const start = momentInput("change-start", footage.from_ms, true);
  const medium = recordingSelect(footage, () => start.show(beginOf(medium.value)));
  return formOf(
    () => ({ what: "retime", medium: medium.value || null, start_ms: start.read() }),
    field(t("web.footage"), medium),
    field(t("web.its_first_frame_was_filmed_at"), start.input),
    hint(t("web.all_other_frames_move_by_as", { zoneInUse: zoneInUse() })),
  );
}

/** @param {Api.SourceFootage} footage @param {string[]} others  names of the other sources @returns {Form} */
export function renameForm({ name: former }, others) {
  const list = el("datalist", { id: "change-names" }, ...others.map((value) => el("option", { value })));
  const name = el("input", {
    id: "change-name",
    required: true,
    maxlength: 200,
    list: list.id,
    value: former,
  });
  return formOf(
    () => ({ what: "rename", name: name.value }),
    field(t("web.new_name"), name, list),
    hint(t("web.if_another_source_has_this_name")),
  );
}

/** @param {Api.SourceFootage} footage @returns {Form} */
export function timezoneForm({ timezone: former }) {
  const zone = zoneInput({ id: "change-zone", value: former ?? "", placeholder: zoneInUse() });
  return formOf(
    () => ({ timezone: zone.value }),
    field(t("web.time_zone"), zone),
    hint(t("web.times_of_this_source_are_shown")),
  );
}

/** @param {Api.SourceFootage} footage @returns {Form} */
export function forgetForm(footage) {
  const medium = recordingSelect(footage);
  const from = momentInput("change-from", null);
  const to = momentInput("change-to", null);
  const pictures = el("input", { id: "change-pictures", type: "checkbox" });
  return formOf(
    () => ({
      what: "forget",
      medium: medium.value || null,
      from_ms: from.read(),
      to_ms: to.read(),
      delete_images: pictures.checked,
    }),
    field(t("web.footage"), medium),
    field(t("web.from_empty_the_first_frame"), from.input),
    field(t("web.to_empty_the_last_frame"), to.input),
    el("label.row", pictures, t("web.also_delete_its_stored_pictures_and")),
    hint(t("web.times_are_in_zone", { zoneInUse: zoneInUse() })),
  );
}
