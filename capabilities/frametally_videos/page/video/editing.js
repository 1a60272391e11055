// The forms of an open video: its name, its source, its time, and its deletion.

import { ApiError } from "frametally/js/shared/api.js";
import { el, field } from "frametally/js/shared/dom.js";
import { bytes, fromInput, toInput, zoneName } from "frametally/js/shared/format.js";
import { zoneInUse } from "frametally/js/shared/time.js";
import { press, speak } from "frametally/js/status/notices.js";
import { tellNews } from "../library/news.js";
import { askVideo, sendChange, sendRemoval } from "../library/requests.js";
import { t } from "frametally/js/shared/texts.js";

/** For an `<input type="datetime-local" step="0.001">`. @param {number|null} ms */
export function toField(ms) {
  if (ms === null) return "";
  const rest = ((ms % 1000) + 1000) % 1000;
  return toInput(ms) + (rest ? `.${String(rest).padStart(3, "0")}` : "");
}

/** Reads such a field; `null` if it does not contain a time. @param {string} text */
export function fromField(text) {
  const whole = fromInput(text.replace(/\.\d*$/, ""));
  const [, rest = ""] = text.match(/\.(\d{1,3})/) ?? [];
  return whole === null ? null : whole + Number(rest.padEnd(3, "0"));
}

/**
 * A field that explains below it what its change does.
 * @param {string} name
 * @param {HTMLInputElement} input
 * @param {string} meaning
 */
function meaningField(name, input, meaning) {
  const told = el("p.muted.small", meaning);
  const made = field(name, input, told);
  told.id = `${input.id}-meaning`;
  input.setAttribute("aria-describedby", told.id);
  return made;
}

const timeInput = () => el("input", { type: "datetime-local", step: "0.001", autocomplete: "off" });

/** @param {string} words @returns {[save: HTMLButtonElement, said: HTMLElement]} the foot of a form */
const footOf = (words) => [
  el("button.button.primary", { type: "submit" }, words),
  el("p.form-said", { role: "alert", hidden: true }),
];

/** @param {number|null} ms */
const zoneWords = (ms) => t("videos.by_the_clocks_of", { part: ms === null ? zoneInUse() : zoneName(ms) });

/** @param {(video: Api.LibraryVideo) => void} onSaved */
export function makeEditing(onSaved) {
  /** @type {Api.LibraryVideo|null} */
  let shown = null;
  const name = el("input", { type: "text", maxlength: "255", autocomplete: "off", required: true });
  const source = el("input", { type: "text", maxlength: "255", autocomplete: "off", required: true });
  const time = timeInput();
  const [save, said] = footOf(t("videos.save"));
  const meanings = [
    meaningField(t("videos.name"), name, t("videos.what_people_call_it_its_counts")),
    meaningField(t("web.source"), source, ""),
    meaningField(t("videos.first_frame_filmed"), time, ""),
  ];
  const typed = () => ({ name: name.value, source: source.value, time: time.value });
  const form = el("form.fields", { onsubmit: submit }, ...meanings, said, save);
  const element = el("details.card.editing", el("summary", t("videos.change_name_source_or_time")), form);
  element.addEventListener("toggle", () => {
    if (element.open && shown) fill(shown);
    said.hidden = true;
  });
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !element.open) return;
    event.stopPropagation(); // Escape closes the form, not the video
    close();
  });

  function close() {
    element.open = false;
    element.querySelector("summary")?.focus();
  }

  /** @param {Api.LibraryVideo} video */
  function fill(video) {
    name.value = video.name;
    source.value = video.source_name;
    time.value = toField(video.started_at_ms);
    const counted = video.frames.counted
      ? t("videos.and_their_counts", { counted: t("web.count_frames", { count: video.frames.counted }) })
      : t("videos.its_counts");
    const [, ofSource, ofTime] = meanings.map((one) => /** @type {HTMLElement} */ (one.lastElementChild));
    ofSource.textContent = t("videos.the_camera_as_in_the_charts", { counted });
    const clocks = zoneWords(video.started_at_ms);
    ofTime.textContent = t("videos.move_with_it_all_by_the", { started_at_ms: clocks, counted });
  }

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    if (!shown) return;
    const change = changeOf(shown, typed());
    if (!Object.keys(change).length) return close();
    const saved = await saveChange(shown, change, save, said, takeTheirs);
    if (!saved) return;
    close();
    onSaved(saved);
  }

  /**
   * Someone else has changed the video: take their values for fields that you have not changed.
   * @param {Api.LibraryVideo} theirs
   */
  function takeTheirs(theirs) {
    const change = shown && changeOf(shown, typed());
    if (change?.name === undefined) name.value = theirs.name;
    if (change?.source === undefined) source.value = theirs.source_name;
    if (change?.start_time === undefined) time.value = toField(theirs.started_at_ms);
    shown = theirs;
  }

  return {
    element,
    /** @param {Api.LibraryVideo} video */
    show(video) {
      const isOther = shown?.id !== video.id;
      // While the form is open, compare with the values that it was filled from, even if someone else changes them.
      if (isOther || !element.open) shown = video;
      if (isOther) element.open = false;
    },
  };
}

/**
 * The differences between a form and the video.
 * @param {Api.LibraryVideo} video
 * @param {{name: string, source: string, time: string}} typed
 */
export function changeOf(video, { name, source, time }) {
  /** @type {Api.VideoEdit} */
  const change = {};
  if (name !== video.name) change.name = name;
  if (source !== video.source_name) change.source = source;
  const ms = fromField(time);
  return ms === null || ms === video.started_at_ms ? change : { ...change, ...timeChange(ms) };
}

/** @param {number} ms */
const timeChange = (ms) => ({ start_time: new Date(ms).toISOString(), timezone: zoneInUse() });

/**
 * The form for a video without a known time; its frames cannot be counted before you enter one.
 * @param {(video: Api.LibraryVideo) => void} onSaved
 */
export function makeTimeForm(onSaved) {
  /** @type {Api.LibraryVideo|null} */
  let shown = null;
  const time = timeInput();
  time.required = true;
  const [save, said] = footOf(t("videos.set_the_time"));
  const element = el(
    "form.time-form",
    { onsubmit: submit },
    el("p.strong", t("videos.when_was_it_filmed")),
    el("p", t("videos.nothing_in_this_file_says_so")),
    meaningField(t("videos.first_frame_filmed"), time, zoneWords(null)),
    said,
    save,
  );

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    const ms = fromField(time.value);
    if (!shown || ms === null) return;
    const saved = await saveChange(shown, timeChange(ms), save, said, (theirs) => (shown = theirs));
    if (saved) onSaved(saved);
  }

  return {
    element,
    /** @param {Api.LibraryVideo} video */
    show(video) {
      if (shown?.id !== video.id) {
        time.value = "";
        said.hidden = true;
      }
      shown = video;
    },
  };
}

/**
 * @param {Api.LibraryVideo} video
 * @param {Api.VideoEdit} change
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} said
 * @param {(theirs: Api.LibraryVideo) => void} onOthers  called with the video if someone else has changed it
 * @returns {Promise<Api.LibraryVideo|null>}  `null` if it was not saved; the page says why
 */
async function saveChange(video, change, button, said, onOthers) {
  /** @type {Api.LibraryVideo|null} */
  let saved = null;
  await press(button, said, async () => {
    saved = await sendChange(video, change).catch(async (error) => {
      if (!(error instanceof ApiError && error.status === 412)) throw error;
      onOthers(await askVideo(video.id));
      throw new ApiError(412, t("videos.somebody_else_has_changed_this_video"), "");
    });
    speak(t("videos.saved"));
    tellNews();
  });
  return saved;
}

export function makeForgetting() {
  /** @type {Api.LibraryVideo|null} */
  let shown = null;
  const ask = el("button.button", { onclick: () => turn(true) }, t("videos.forget_this_video"));
  const meaning = el("ul.meaning");
  const keep = el("button.button", { onclick: () => turn(false) }, t("videos.keep_it"));
  const forget = el("button.button.danger", { onclick: go }, t("videos.forget_it"));
  const said = el("p.form-said", { role: "alert", hidden: true });
  const question = el(
    "div.forget-question",
    { role: "group", "aria-label": t("videos.forget_this_video_title"), hidden: true },
    el("p.strong", t("videos.forget_this_video_for_good")),
    meaning,
    said,
    el("div.row", keep, forget),
  );
  question.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation(); // Escape closes the question, not the video
    turn(false);
  });
  const element = el("div.forgetting", ask, question);

  /** @param {boolean} isAsked */
  function turn(isAsked) {
    if (isAsked && shown) meaning.replaceChildren(...meaningOf(shown).map((text) => el("li", text)));
    said.hidden = true;
    ask.hidden = isAsked;
    question.hidden = !isAsked;
    (isAsked ? keep : ask).focus();
  }

  function go() {
    const id = shown?.id;
    if (id === undefined) return;
    press(forget, said, async () => {
      await sendRemoval(id);
      speak(t("videos.the_video_is_being_removed"));
      turn(false);
      tellNews();
    });
  }

  return {
    element,
    /** @param {Api.LibraryVideo} video */
    show(video) {
      if (shown?.id !== video.id) {
        ask.hidden = false;
        question.hidden = true;
      }
      shown = video;
      element.hidden = video.state === "deleting";
    },
  };
}

/** What the deletion removes. @param {Api.LibraryVideo} video */
function meaningOf({ size_bytes: size, frames, detections_counted: counted }) {
  const announced = t("web.count_frames", { count: frames.announced });
  const detections = t("videos.count_detections", { count: counted });
  return [
    t("videos.the_file_goes_from_the_store", { size: bytes(size) }),
    frames.announced ? t("videos.that_were_taken_from_it_go", { announced }) : "",
    counted ? t("videos.go_from_all_charts_once_their", { counted: detections }) : "",
    t("videos.whoever_has_the_file_can_upload"),
  ].filter(Boolean);
}
