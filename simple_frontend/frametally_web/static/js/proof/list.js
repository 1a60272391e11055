// The frames of a proof as a list: what each adds, and the running sum.

import { framePicture } from "../frames/boxed_picture.js";
import { el, swatch } from "../shared/dom.js";
import { labelName, moment, number, timeAmong } from "../shared/format.js";
import { framesFrom, openLightbox } from "./lightbox.js";
import { t } from "../shared/texts.js";

// Largest width of a picture on a card.
const SIZES = "(max-width: 640px) 76vw, 320px";

/**
 * @param {HTMLElement} area
 * @param {Api.EvidenceFrames} evidence
 * @param {boolean} withDay  whether times include the day, because the range has several
 * @param {Page.Looks} looks
 * @returns  the frames in view
 */
export function showEvidence(area, evidence, withDay, { colorOf, nameOf }) {
  const frames = evidence.frames.map((frame) => ({
    ...frame,
    when: timeAmong(frame.captured_at_ms, withDay),
    name: nameOf(frame.source),
    title: `${labelName(frame.label)} × ${frame.count}`,
    caption: `${nameOf(frame.source)} · ${moment(frame.captured_at_ms)}`,
    remarks: remarksOn(frame),
  }));
  if (!frames.length) {
    showMessage(area, t("web.no_frame_here_has_anything_that"));
    return frames;
  }
  const cards = frames.map((frame, position) =>
    el(
      "li",
      card(frame, colorOf, () => openLightbox(framesFrom(frames, position), colorOf)),
    ),
  );
  const { labels_left_out: left } = evidence;
  const labels_left_out = t("web.count_more_labels", { count: left });
  area.classList.remove("bare");
  area.replaceChildren(
    el("ul.strip", ...cards),
    left ? el("p.muted.small", t("web.choose_labels_above_to_see_their", { labels_left_out })) : "",
  );
  return frames;
}

/**
 * What people should know about a frame, next to its picture.
 * @param {{time_source?: string|null, note?: string|null}} frame
 */
export function remarksOn({ time_source: timeSource, note }) {
  const remarks = timeSource === "file_time" ? [t("web.time_guessed_from_the_files_date")] : [];
  return note ? [...remarks, note] : remarks;
}

/**
 * A sentence instead of frames, with an optional button.
 * @param {HTMLElement} area
 * @param {string} text
 * @param {HTMLElement|null} [button]
 */
export function showMessage(area, text, button = null) {
  area.classList.add("bare");
  area.replaceChildren(el("p.muted", text), button ?? "");
}

/**
 * Shows why the frames are unavailable, with a button that retries.
 * @param {HTMLElement} area
 * @param {{message: string, remedy?: string}} error
 * @param {() => void} again
 */
export function showFailure(area, { message, remedy = "" }, again) {
  const retry = el("button.button", { onclick: again }, t("web.try_again"));
  showMessage(area, t("web.the_frames_cannot_be_shown", { message, remedy }), retry);
}

/**
 * @param {Api.EvidenceFrame & {name: string, when: string, remarks: string[]}} frame
 * @param {Page.ColorOf} colorOf
 * @param {() => void} open
 */
const card = (frame, colorOf, open) =>
  el(
    "button.frame-card",
    { onclick: open, title: t("web.open_large") },
    framePicture(frame, colorOf, { alt: "", lazy: true, sizes: SIZES }),
    el(
      "span.frame-caption",
      el(
        "span.frame-label",
        swatch(colorOf(frame.label)),
        el("span.name", labelName(frame.label)),
        el("span.count.muted", `× ${frame.count}`),
      ),
      el("span.muted.small", frame.when),
      el("span.muted.small.ellipsis", frame.name),
      ...frame.remarks.map((text) => el("span.remark", text)),
    ),
  );

export class ProofList {
  /**
   * @param {Object} on
   * @param {(position: number) => void} on.choose
   * @param {(by: -1|1) => void} on.more  requests the previous or next page
   * @param {((empty: boolean) => void)|null} on.empty  `null` if every frame adds something
   * @param {boolean} on.isEmpty  whether the list includes frames without a counted box
   */
  constructor(on) {
    this.on = on;
    /** @type {HTMLElement[]} */
    this.entries = [];
    /** @type {{label: string, count: number}|null} */
    this.most = null;
    /** @type {import("./bar.js").Item[]} */
    this.items = [];
    /** @type {string|null} */
    this.note = null;
    this.body = el("ol.proof-entries");
    this.earlier = el("button.button", { hidden: true, onclick: () => on.more(-1) }, t("web.show_earlier"));
    this.more = el("button.button", { onclick: () => on.more(1) }, t("web.show_more"));
    const change = () => on.empty?.(this.empty.checked);
    this.empty = el("input", { type: "checkbox", checked: on.isEmpty, onchange: change });
    this.sum = el("p.proof-sum", { role: "status" });
    this.equation = el("p.muted.small");
    const named = { role: "group", "aria-label": t("web.frames_by_time_with_a_running") };
    this.scroll = el("div.proof-scroll", named, this.earlier, this.body, this.more);
    this.element = el(
      "div.proof-list",
      on.empty && el("label.check.small", this.empty, t("web.also_frames_without_a_counted_box")),
      this.scroll,
      this.sum,
      this.equation,
    );
    this.scroll.addEventListener("scroll", () => {
      const { scrollTop, clientHeight, scrollHeight } = this.scroll;
      if (!this.more.hidden && scrollTop + clientHeight > scrollHeight - 40) on.more(1);
    });
    this.body.addEventListener("keydown", (event) => this.#key(event));
  }

  /**
   * @param {import("./bar.js").Page} page
   * @param {-1|1} by  -1 for before the loaded items, 1 for after
   * @param {boolean} began  whether the first item of all is loaded
   * @param {boolean} ended  whether the last one is loaded
   */
  add(page, by, began, ended) {
    const { scroll } = this;
    const height = scroll.scrollHeight;
    const added = page.items.map((item) => this.#entry(item));
    const lines = added.map((entry) => el("li", entry));
    if (by > 0) this.body.append(...lines);
    else this.body.prepend(...lines);
    this.entries = by > 0 ? [...this.entries, ...added] : [...added, ...this.entries];
    this.items = by > 0 ? [...this.items, ...page.items] : [...page.items, ...this.items];
    this.earlier.hidden = began;
    this.more.hidden = ended;
    // Keep the current scroll position.
    if (by < 0) scroll.scrollTop += scroll.scrollHeight - height;
    this.note = page.note ?? this.note;
    for (const { most } of page.items) if (most && most.count > (this.most?.count ?? 0)) this.most = most;
    this.equation.textContent = this.note ?? `${page.equation}${this.#peak(page, began && ended)}`;
    this.equation.className = this.note ? "time-warning" : "muted small";
    this.#close(began && ended, page);
  }

  /**
   * The peak of the loaded frames in words; empty for other metrics.
   * @param {import("./bar.js").Page} page
   * @param {boolean} isAll
   */
  #peak({ metric }, isAll) {
    if (metric !== "peak" || !this.most) return "";
    const { count, label } = this.most;
    const values = { count: number(count), label };
    return isAll ? t("web.the_most_of_one_label_in", values) : t("web.so_far_is", values);
  }

  /**
   * The sum of the loaded frames, and whether it equals the bar's.
   * @param {boolean} isAll
   * @param {import("./bar.js").Page} page
   */
  #close(isAll, { total, metric }) {
    const [first] = this.items;
    const before = first ? first.runningTotal - first.adds : 0;
    const sum = (this.items.at(-1)?.runningTotal ?? 0) - before;
    const isValue = metric === "detections" || metric === "objects";
    const right = isAll && sum === total && !before;
    this.sum.dataset.state = right ? "right" : isAll && total !== null ? "wrong" : "open";
    if (right) {
      this.sum.textContent = t("web.the_sum_is", {
        sum: number(sum),
        part: isValue ? t("web.the_bars_value") : t("web.all_detections_of_this_bar"),
      });
    } else if (isAll) {
      const bar = total === null ? "" : t("web.the_bar", { total: number(total) });
      this.sum.textContent = t("web.the_sum_is_bar", { sum: number(sum), bar });
    } else {
      this.sum.textContent = t("web.sum_so_far", {
        sum: number(sum),
        part: total === null ? "" : t("web.of_total", { total: number(total) }),
      });
    }
  }

  /** @param {import("./bar.js").Item} item */
  #entry(item) {
    const entry = el(
      "button.proof-entry",
      { tabindex: -1, onclick: () => this.on.choose(this.entries.indexOf(entry)) },
      el("span.when", item.time),
      el("span.what.muted.ellipsis", { title: `${item.source}: ${item.what}` }, item.what),
      el("span.adds", `+${number(item.adds)}`),
      el("span.running", `= ${number(item.runningTotal)}`),
    );
    return entry;
  }

  /** @param {number} position @param {boolean} scroll */
  choose(position, scroll) {
    this.entries.forEach((entry, index) => {
      entry.ariaCurrent = index === position ? "true" : null;
      entry.tabIndex = index === position ? 0 : -1;
    });
    const entry = this.entries[position];
    if (!scroll || !entry) return;
    const { offsetTop: top, offsetHeight: height } = entry;
    const { scrollTop, clientHeight } = this.scroll;
    this.scroll.scrollTop = Math.min(Math.max(scrollTop, top + height - clientHeight), top);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const here = this.entries.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by === undefined || here < 0) return;
    event.preventDefault();
    this.entries[here + by]?.focus();
    if (this.entries[here + by]) this.on.choose(here + by);
    else this.on.more(by > 0 ? 1 : -1);
  }
}
