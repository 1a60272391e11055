// Both pictures of a difference beside each other, with their boxes: of two models the same frame.

import { framePicture } from "../frames/boxed_picture.js";
import { allowSteps, closeDialog, openDialog } from "../frames/dialog.js";
import { remarksOn } from "../proof/evidence.js";
import { framesFrom, openLightbox } from "../proof/lightbox.js";
import { ApiError } from "../shared/api.js";
import { el, iconButton } from "../shared/dom.js";
import { moment, weekdaySpan } from "../shared/format.js";
import { framesOf } from "./frames_of_both.js";

// Of each picture: half of the window, or one above the other.
const SIZES = "(max-width: 800px) 96vw, 49vw";

/**
 * @param {Api.BarDifference[]} entries
 * @param {number} position  of the one to begin with
 * @param {Page.Metric} metric
 * @param {import("./card.js").Context} context
 * @param {HTMLElement|null} [opener]  has the keyboard afterwards
 */
export function openPair(entries, position, metric, context, opener = focused()) {
  const pair = new PairView(entries, position, metric, context, opener);
  openDialog({
    element: pair.element,
    close: pair.close,
    key: (event) => pair.key(event),
    shown: () => pair.show(),
    closed: () => opener?.focus(),
  });
}

const focused = () => (document.activeElement instanceof HTMLElement ? document.activeElement : null);

class PairView {
  /**
   * @param {Api.BarDifference[]} entries
   * @param {number} position
   * @param {Page.Metric} metric
   * @param {import("./card.js").Context} context
   * @param {HTMLElement|null} opener
   */
  constructor(entries, position, metric, context, opener) {
    this.entries = entries;
    this.position = position;
    this.metric = metric;
    this.context = context;
    this.opener = opener;
    this.asking = new AbortController();
    this.title = el("h2", { id: "lightbox-title", class: "pair-title", "aria-live": "polite" });
    this.subtitle = el("p", { class: "lightbox-caption" });
    this.stage = el("div", { class: "pair", "aria-busy": "true" });
    this.previous = iconButton("Previous difference", "‹", () => this.step(-1));
    this.following = iconButton("Next difference", "›", () => this.step(1));
    this.close = iconButton("Close", "×", closeDialog, { class: "button icon close" });
    const tools = el("div", { class: "lightbox-tools" }, this.previous, this.following, this.close);
    this.element = el(
      "div",
      { class: "lightbox-inner" },
      el("header", {}, this.title, tools),
      this.stage,
      this.subtitle,
    );
  }

  async show() {
    const entry = this.entries[this.position];
    const { metric } = this;
    const { sides, nameOf } = this.context;
    this.title.textContent = `${entry.label}: ${metric.format(entry.value)} beside ${metric.format(entry.other_value)}`;
    this.subtitle.replaceChildren(
      el("span", { text: `${metric.name}, ${weekdaySpan(entry.start_ms, entry.end_ms)}` }),
      entry.source ? el("span", { text: nameOf(entry.source) }) : "",
      el("button", {
        type: "button",
        class: "link",
        text: "All frames of this bar",
        onclick: () => {
          closeDialog();
          this.context.onBar(entry.start_ms);
        },
      }),
    );
    allowSteps(this, (by) => this.entries[this.position + by] !== undefined);
    this.asking.abort();
    const { signal } = (this.asking = new AbortController());
    this.stage.setAttribute("aria-busy", "true");
    this.stage.replaceChildren(...sides.map(() => el("div", { class: "picture skeleton" })));
    try {
      const frames = await framesOf(entry, sides, signal);
      if (!signal.aborted) this.#showFrames(frames, entry);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      const words = `The pictures cannot be shown. ${error.message} ${error.remedy}`;
      const again = el("button", {
        type: "button",
        class: "button",
        text: "Try again",
        onclick: () => this.show(),
      });
      this.stage.replaceChildren(el("p", { class: "muted", text: words }), again);
    }
    this.stage.setAttribute("aria-busy", "false");
  }

  /**
   * @param {(Api.FrameBoxes|null)[]} frames
   * @param {Api.BarDifference} entry
   */
  #showFrames(frames, entry) {
    const { sides, nameOf, colorOf } = this.context;
    const large = frames.map((frame, side) =>
      frame
        ? {
            ...frame,
            title: `${sides[side].name}: ${entry.label} × ${frame.boxes.length}`,
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
              const chosen = { ...framesFrom(there, there.indexOf(one)), closed: () => this.#again() };
              openLightbox(chosen, colorOf);
            })
          : el(
              "figure",
              {},
              el("figcaption", { class: "strong", text: sides[side].name }),
              el("p", { class: "muted", text: "No frame of it has been analysed here." }),
            ),
      ),
    );
  }

  /** Back from one of the pictures. */
  #again() {
    openPair(this.entries, this.position, this.metric, this.context, this.opener);
  }

  /**
   * @param {import("../proof/lightbox.js").LargeFrame} frame
   * @param {() => void} open
   */
  #figure(frame, open) {
    const alt = `Frame: ${frame.title}, ${frame.caption}`;
    return el(
      "figure",
      {},
      el("figcaption", { class: "strong name", text: frame.title }),
      el(
        "button",
        { type: "button", class: "pair-picture", title: "Open large", onclick: open },
        framePicture(frame, this.context.colorOf, { alt, named: true, sizes: SIZES }),
      ),
      el(
        "p",
        { class: "muted small" },
        frame.caption,
        ...frame.remarks.map((text) => el("span", { class: "remark", text })),
      ),
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
