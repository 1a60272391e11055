// Both pictures of a difference next to each other, with their boxes; with two models, of the same frame.

import { framePicture } from "../frames/boxed_picture.js";
import { allowSteps, closeDialog, openDialog } from "../frames/dialog.js";
import { remarksOn } from "../proof/list.js";
import { framesFrom, openLightbox } from "../proof/lightbox.js";
import { withValues } from "../shared/address.js";
import { ApiError, fullestQuery, get } from "../shared/api.js";
import { el, iconButton } from "../shared/dom.js";
import { labelName, moment, weekdaySpan } from "../shared/format.js";
import { t } from "../shared/texts.js";

/** @typedef {Api.FrameBoxes} Frame */
/** @typedef {import("./card.js").Side} Side */

/**
 * @param {Api.BarDifference} entry
 * @param {[here: Side, there: Side]} sides
 * @param {AbortSignal} signal
 * @returns {Promise<(Frame|null)[]>}  `null` for a side without a picture
 */
export async function framesOf(entry, sides, signal) {
  const { start_ms: start, end_ms: end, other_start_ms: otherStart, other_end_ms: otherEnd } = entry;
  const fullest = await Promise.all([
    fullestOf(entry, sides[0], [start, end], signal),
    fullestOf(entry, sides[1], [otherStart, otherEnd], signal),
  ]);
  if (sides[0].state.model === sides[1].state.model) return fullest;
  // Compare each side's fullest frame with the other model's boxes in it; show the pair that differs more.
  const [here, there] = fullest;
  const pairs = await Promise.all([
    here && boxesIn(here, entry.label, sides[1], signal).then((beside) => [here, beside]),
    there && boxesIn(there, entry.label, sides[0], signal).then((beside) => [beside, there]),
  ]);
  const [best] = pairs.filter((pair) => pair !== null).sort((a, b) => shownBy(b) - shownBy(a));
  return best ?? fullest;
}

/**
 * Difference in the number of boxes; a pair with only one side comes last.
 * @param {(Frame|null)[]} pair
 */
const shownBy = ([a, b]) => (a && b ? Math.abs(a.boxes.length - b.boxes.length) : -1);

/**
 * The frame in a bar with the most boxes of the label; the first frame if there are none.
 * @param {Api.BarDifference} entry
 * @param {Side} side
 * @param {Page.Span} bar
 * @param {AbortSignal} signal
 * @returns {Promise<Api.CountedFrame|null>}
 */
async function fullestOf({ source, label }, { state, base }, [start, end], signal) {
  const sources = source ? [source] : state.sources;
  const query = fullestQuery({ ...state, labels: [label], sources }, base, start, end);
  return (await get("frames", query, signal)).frames[0] ?? null;
}

/**
 * A model's boxes in a frame; `null` if it has not analysed it.
 * @param {Frame} frame
 * @param {string} label
 * @param {Side} side
 * @param {AbortSignal} signal
 * @returns {Promise<Api.FrameOfModel|null>}
 */
async function boxesIn({ image_path: path }, label, { state, base }, signal) {
  try {
    return await get("frames/boxes", withValues("", { path, label, model: state.model, base }), signal);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

// Each picture takes half of the window, or its full width if they are stacked.
const SIZES = "(max-width: 800px) 96vw, 49vw";

export class PairView {
  /**
   * @param {Api.BarDifference[]} entries
   * @param {number} position  of the first pair
   * @param {Page.Metric} metric
   * @param {import("./card.js").Context} context
   */
  constructor(entries, position, metric, context) {
    this.entries = entries;
    this.position = position;
    this.metric = metric;
    this.context = context;
    this.opener = document.activeElement;
    this.asking = new AbortController();
    this.title = el("h2.pair-title", { id: "lightbox-title", "aria-live": "polite" });
    this.subtitle = el("p.lightbox-caption");
    this.stage = el("div.pair", { "aria-busy": "true" });
    this.previous = iconButton(t("web.previous_difference"), "‹", () => this.step(-1));
    this.following = iconButton(t("web.next_difference"), "›", () => this.step(1));
    this.close = iconButton(t("web.close"), "×", closeDialog, { class: "button icon close" });
    const tools = el("div.lightbox-tools.row", this.previous, this.following, this.close);
    this.element = el("div.lightbox-inner", el("header", this.title, tools), this.stage, this.subtitle);
  }

  open() {
    openDialog({
      element: this.element,
      close: this.close,
      key: (event) => this.key(event),
      shown: () => this.show(),
      closed: () => this.opener instanceof HTMLElement && this.opener.focus(),
    });
  }

  async show() {
    const entry = this.entries[this.position];
    const { metric } = this;
    const { sides, nameOf } = this.context;
    this.title.textContent = t("web.value_beside_other", {
      label: labelName(entry.label),
      value: metric.format(entry.value),
      other_value: metric.format(entry.other_value),
    });
    const openBar = () => {
      closeDialog();
      this.context.onBar(entry.start_ms);
    };
    this.subtitle.replaceChildren(
      el("span", `${metric.name}, ${weekdaySpan(entry.start_ms, entry.end_ms)}`),
      entry.source ? el("span", nameOf(entry.source)) : "",
      el("button.link", { onclick: openBar }, t("web.all_frames_of_this_bar")),
    );
    allowSteps(this, (by) => this.entries[this.position + by] !== undefined);
    this.asking.abort();
    const { signal } = (this.asking = new AbortController());
    this.stage.setAttribute("aria-busy", "true");
    this.stage.replaceChildren(...sides.map(() => el("div.picture.skeleton")));
    try {
      const frames = await framesOf(entry, sides, signal);
      if (!signal.aborted) this.#showFrames(frames, entry);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      const words = t("web.the_pictures_cannot_be_shown", { message: error.message, remedy: error.remedy });
      const again = el("button.button", { onclick: () => this.show() }, t("web.try_again"));
      this.stage.replaceChildren(el("p.muted", words), again);
    }
    this.stage.setAttribute("aria-busy", "false");
  }

  /** @param {(Api.FrameBoxes|null)[]} frames @param {Api.BarDifference} entry */
  #showFrames(frames, entry) {
    const { sides, nameOf, colorOf } = this.context;
    const large = frames.map((frame, side) =>
      frame
        ? {
            ...frame,
            title: `${sides[side].name}: ${labelName(entry.label)} × ${frame.boxes.length}`,
            caption: `${nameOf(frame.source)} · ${moment(frame.captured_at_ms)}`,
            remarks: remarksOn(frame),
          }
        : null,
    );
    const there = large.filter((one) => one !== null);
    this.stage.replaceChildren(
      ...large.map((one, side) =>
        one
          ? this.#figure(one, () => {
              const chosen = { ...framesFrom(there, there.indexOf(one)), closed: () => this.open() };
              openLightbox(chosen, colorOf);
            })
          : el(
              "figure",
              el("figcaption.strong", sides[side].name),
              el("p.muted", t("web.no_frame_of_it_has_been")),
            ),
      ),
    );
  }

  /** @param {import("../proof/lightbox.js").LargeFrame} frame @param {() => void} open */
  #figure(frame, open) {
    const alt = t("web.frame", { title: frame.title, caption: frame.caption });
    return el(
      "figure",
      el("figcaption.strong.name", frame.title),
      el(
        "button.pair-picture",
        { title: t("web.open_large"), onclick: open },
        framePicture(frame, this.context.colorOf, { alt, named: true, sizes: SIZES }),
      ),
      el("p.muted.small", frame.caption, ...frame.remarks.map((text) => el("span.remark", text))),
    );
  }

  /** @param {number} by */
  step(by) {
    if (!this.entries[this.position + by]) return;
    this.position += by;
    this.show();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    this.step(by);
    event.preventDefault();
  }
}
