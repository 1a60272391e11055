// Changing what a video is called, what filmed it, and when; each says what it does to the counts.

import { ApiError } from "frametally/js/shared/api.js";
import { el } from "frametally/js/shared/dom.js";
import { plural, zoneName } from "frametally/js/shared/format.js";
import { zoneInUse } from "frametally/js/shared/time.js";
import { askVideo } from "../library/asking.js";
import { tellNews } from "../library/news.js";
import { sendChange } from "./asking.js";
import { fromField, toField } from "./moments.js";
import { speak, wordsOf } from "frametally/js/shell/saying.js";

let fields = 0;

/**
 * A field with its name above it, and below it what its change does.
 * @param {string} name
 * @param {HTMLInputElement} input
 * @param {string} meaning
 */
function field(name, input, meaning) {
  fields += 1;
  input.id = `video-field-${fields}`;
  const told = el("p", { class: "muted small", id: `${input.id}-meaning`, text: meaning });
  input.setAttribute("aria-describedby", told.id);
  return el("div", { class: "field" }, el("label", { for: input.id, text: name }), input, told);
}

const timeInput = () => el("input", { type: "datetime-local", step: "0.001", autocomplete: "off" });

/** @param {number|null} ms */
const zoneWords = (ms) => `By the clocks of ${ms === null ? zoneInUse() : zoneName(ms)}.`;

/**
 * @param {(video: Page.Video) => void} onSaved
 */
export function makeEditing(onSaved) {
  /** @type {Page.Video|null} */
  let shown = null;
  const name = el("input", { type: "text", maxlength: "255", autocomplete: "off", required: true });
  const source = el("input", { type: "text", maxlength: "255", autocomplete: "off", required: true });
  const time = timeInput();
  const save = el("button", { type: "submit", class: "button primary", text: "Save" });
  const said = el("p", { class: "form-said", role: "alert", hidden: true });
  const meanings = [
    field("Name", name, "What people call it; its counts stay as they are."),
    field("Source", source, ""),
    field("First frame filmed", time, ""),
  ];
  const form = el("form", { class: "fields", onsubmit: submit }, ...meanings, said, save);
  const element = el(
    "details",
    { class: "card editing" },
    el("summary", { text: "Change name, source or time" }),
    form,
  );
  element.addEventListener("toggle", () => {
    if (element.open && shown) fill(shown);
    said.hidden = true;
  });
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !element.open) return;
    event.stopPropagation(); // it closes the form, not the video
    close();
  });

  function close() {
    element.open = false;
    element.querySelector("summary")?.focus();
  }

  /** @param {Page.Video} video */
  function fill(video) {
    name.value = video.name;
    source.value = video.source_name;
    time.value = toField(video.started_at_ms);
    const counted = video.frames.counted
      ? ` ${plural(video.frames.counted, "frame")} and their counts`
      : " Its counts";
    const [, ofSource, ofTime] = meanings.map((one) => /** @type {HTMLElement} */ (one.lastElementChild));
    ofSource.textContent = `The camera, as in the charts.${counted} move to the new one.`;
    ofTime.textContent = `${zoneWords(video.started_at_ms)}${counted} move with it, all by the same step.`;
  }

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    if (!shown) return;
    const change = changeOf(shown, { name: name.value, source: source.value, time: time.value });
    if (!Object.keys(change).length) return close();
    const saved = await saveChange(shown, change, save, said, takeTheirs);
    if (!saved) return;
    close();
    onSaved(saved);
  }

  /** Somebody else was faster: what is not changed here is theirs. @param {Page.Video} theirs */
  function takeTheirs(theirs) {
    const change = shown && changeOf(shown, { name: name.value, source: source.value, time: time.value });
    if (change?.name === undefined) name.value = theirs.name;
    if (change?.source === undefined) source.value = theirs.source_name;
    if (change?.start_time === undefined) time.value = toField(theirs.started_at_ms);
    shown = theirs;
  }

  return {
    element,
    /** @param {Page.Video} video */
    show(video) {
      const isOther = shown?.id !== video.id;
      // What a form was filled from stays what its change is of, whoever else changed it meanwhile.
      if (isOther || !element.open) shown = video;
      if (isOther) element.open = false;
    },
  };
}

/**
 * What of a form differs from the video.
 * @param {Page.Video} video
 * @param {{name: string, source: string, time: string}} typed
 * @returns {Page.VideoChange}
 */
export function changeOf(video, { name, source, time }) {
  /** @type {Page.VideoChange} */
  const change = {};
  if (name !== video.name) change.name = name;
  if (source !== video.source_name) change.source = source;
  const ms = fromField(time);
  if (ms !== null && ms !== video.started_at_ms) {
    change.start_time = new Date(ms).toISOString();
    change.timezone = zoneInUse();
  }
  return change;
}

/**
 * For a video of which nothing says when it was filmed: nothing of it can be counted before.
 * @param {(video: Page.Video) => void} onSaved
 */
export function makeTimeForm(onSaved) {
  /** @type {Page.Video|null} */
  let shown = null;
  const time = timeInput();
  const save = el("button", { type: "submit", class: "button primary", text: "Set the time" });
  const said = el("p", { class: "form-said", role: "alert", hidden: true });
  const element = el(
    "form",
    { class: "time-form", onsubmit: submit },
    el("p", { class: "strong", text: "When was it filmed?" }),
    el("p", {
      text: "Nothing in this file says so, and counts belong to moments. It can be watched, and is counted once its time is set.",
    }),
    field("First frame filmed", time, zoneWords(null)),
    said,
    save,
  );

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    const ms = fromField(time.value);
    if (!shown) return;
    if (ms === null) {
      said.textContent = "Say the day and the time.";
      said.hidden = false;
      time.focus();
      return;
    }
    const change = { start_time: new Date(ms).toISOString(), timezone: zoneInUse() };
    const saved = await saveChange(shown, change, save, said, (theirs) => (shown = theirs));
    if (saved) onSaved(saved);
  }

  return {
    element,
    /** @param {Page.Video} video */
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
 * @param {Page.Video} video
 * @param {Page.VideoChange} change
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} said
 * @param {(theirs: Page.Video) => void} onOthers  somebody else has changed it meanwhile, to this
 * @returns {Promise<Page.Video|null>} null: it is not saved, and the page says why
 */
async function saveChange(video, change, button, said, onOthers) {
  said.hidden = true;
  button.disabled = true;
  try {
    const saved = await sendChange(video, change);
    speak("Saved");
    tellNews();
    return saved;
  } catch (error) {
    said.textContent = isOutrun(error) ? await othersWords(video.id, onOthers) : wordsOf(error);
    said.hidden = false;
    return null;
  } finally {
    button.disabled = false;
  }
}

/** @param {unknown} error */
const isOutrun = (error) => error instanceof ApiError && error.status === 412;

/**
 * @param {string} id
 * @param {(theirs: Page.Video) => void} onOthers
 */
async function othersWords(id, onOthers) {
  try {
    onOthers(await askVideo(id));
  } catch (error) {
    return wordsOf(error);
  }
  return "Somebody else has changed this video meanwhile. What you have not changed is theirs now: look at it, and save again.";
}
