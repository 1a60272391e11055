// The desk: you answer one frame or clip at a time with keys and clicks. It preloads the next ones.

import { Player } from "./player.js";
import { Stage } from "./stage.js";
import { addressOf } from "./list.js";
import {
  isOfFrames,
  labelWords,
  methodWords,
  missingWords,
  sourceNames,
  unitName,
  unitNames,
  waitingWords,
  wide,
} from "./words.js";
import { Answers, isRefused } from "./sending.js";
import { askAgain, BASE, getFrom } from "frametally/js/shared/api.js";
import { byId, control, el, swatch } from "frametally/js/shared/dom.js";
import { showPartsOf } from "frametally/js/status/forms.js";
import { mean, moment, number } from "frametally/js/shared/format.js";
import { colorsOf } from "frametally/js/shared/palette.js";
import { showFault, wordsOf } from "frametally/js/status/notices.js";
import { t } from "frametally/js/shared/texts.js";

const AHEAD = 5;
const AGAIN_MS = 5000;
const RESTORED_MS = 60_000;

/** A unit and its state on the stage. @typedef {any} Work */

/** The page has one desk, because it listens to keys. The page reuses it when you open it again. @type {Desk|null} */
let desk = null;

/** @param {string} name */
export async function openDesk(name) {
  desk ??= new Desk(name, await sourceNames());
  await desk.answers.sendAll();
  await desk.fetchMore();
  byId("desk-view").hidden = false;
  desk.show();
}

class Desk {
  /** @param {string} check @param {Map<string, string>} names  source names by slug */
  constructor(check, names) {
    this.check = check;
    this.names = names;
    this.answers = new Answers(check, (error, sent) => this.say(error, sent));
    /** @type {Work[]} */
    this.before = [];
    /** @type {Work|null} */
    this.now = null;
    /** @type {Work[]} */
    this.queue = [];
    this.shownAt = 0;
    /** @type {string[]} */
    this.labels = [];
    this.drawn = this.done = 0;
    this.isAsking = false;
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.timer = undefined;
    /** @type {import("./words.js").Metric} */
    this.metric = "detections";
    /** @type {Api.EventPlace|null} */
    this.place = null;
    /** Shows frames or clips. @type {Stage|Player|null} */
    this.shown = null;
    byId("desk-view").addEventListener("keydown", (event) => this.press(event));
    byId("act-next").addEventListener("click", () => this.next());
    byId("act-remove").addEventListener("click", () => this.stage.remove());
    byId("act-back").addEventListener("click", () => this.back());
    control("desk-result", HTMLAnchorElement).href = addressOf(check, "result");
    addEventListener("pagehide", () => fetch(`${BASE}/${this.#next(0)}`, { keepalive: true }));
  }

  /** The route of the next units; 0 returns those that this tab already has. @param {number} most */
  #next(most) {
    const query = new URLSearchParams({ number: String(most), desk: tabName() });
    return `accuracy/${encodeURIComponent(this.check)}/next?${query}`;
  }

  /** Requests the next units, except those that are already here. */
  async fetchMore() {
    if (this.isAsking) return;
    this.isAsking = true;
    try {
      /** @type {Api.NextUnits} */
      const next = await getFrom(this.#next(AHEAD));
      const judged = this.before.filter(({ unit }) => !unit.is_missing); // the server sends a restored picture again
      const here = new Set([...judged, ...this.queue, ...(this.now ? [this.now] : [])].map(keyOf));
      const fresh = next.units.filter((one) => !here.has(keyOf({ unit: one })));
      this.shown ??= this.#open(next);
      const { stage } = this;
      const named = fresh.map((unit) => ({ ...unit, source: this.names.get(unit.source) ?? unit.source }));
      this.queue.push(...named.map((unit) => stage.prepare(unit)));
      this.labels = next.labels;
      stage.labels = next.labels;
      stage.colorOf = colorsOf(next.labels, next.labels);
      this.drawn = next.drawn;
      this.done = next.answered + next.missing;
      this.showWidths(next);
      this.showLabels();
    } finally {
      this.isAsking = false;
    }
  }

  get stage() {
    if (!this.shown) throw new Error("nothing was asked for yet");
    return this.shown;
  }

  get player() {
    return this.shown instanceof Player ? this.shown : null;
  }

  /** @param {Api.NextUnits} next */
  #open({ metric, place }) {
    this.place = place;
    this.metric = metric;
    showPartsOf(byId("desk-view"), isOfFrames(metric) ? "frame" : "piece");
    const on = {
      place,
      onChange: () => this.showActs(),
      onMissing: (/** @type {Api.UnitToAnswer} */ unit) => this.miss(unit),
    };
    if (isOfFrames(metric)) return new Stage(byId("stage"), on);
    byId("what-counts").textContent =
      metric === "visits"
        ? t("accuracy.tap_when_an_object_is_first")
        : t("accuracy.tap_when_the_foot_of_an", { name: place?.name ?? "" });
    return new Player(byId("stage"), on);
  }

  /** Marks a unit without a picture as missing, because nobody can judge it. @param {Api.UnitToAnswer} unit */
  miss(unit) {
    unit.is_missing = true;
    if (this.now?.unit === unit) this.show();
  }

  get isMissing() {
    return Boolean(this.now?.unit.is_missing);
  }

  show() {
    this.now ??= this.queue.shift() ?? null;
    byId("desk-title").textContent = this.now
      ? moment(this.now.unit.captured_at_ms)
      : t("accuracy.there_is_nothing_left");
    byId("stage").toggleAttribute("data-empty", !this.now || this.isMissing);
    if (this.now) {
      if (this.isMissing)
        this.stage.clear(t("accuracy.a_picture_is_missing", { name: this.now.unit.source }));
      else this.stage.show(this.now);
      this.shownAt = performance.now();
      byId("stage").focus({ preventScroll: true });
    } else {
      this.stage.clear(
        this.done < this.drawn
          ? t("accuracy.someone_else_has_the_that_are", { unit: unitNames(this.metric) })
          : t("accuracy.every_of_the_sample_is_checked", { unit: unitName(this.metric) }),
      );
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.now ?? this.goOn(), this.done < this.drawn ? AGAIN_MS : RESTORED_MS);
    }
    if (this.queue[0]) this.stage.preload(this.queue[0]);
    this.showActs();
  }

  async goOn() {
    try {
      await this.fetchMore();
      if (!this.now) this.show();
    } catch (error) {
      showFault(t("accuracy.no_next_frame"), wordsOf(error));
      if (!this.now) this.stage.clear(wordsOf(error));
      askAgain(error, () => this.goOn());
    }
  }

  next() {
    if (!this.now) return;
    if (!this.isMissing && !this.stage.isReady) return this.stage.sayNotYet();
    const work = this.now;
    const answer = this.isMissing ? { is_missing: true } : this.stage.answerOf(work);
    this.answers.put(work.unit, Math.round(performance.now() - this.shownAt), answer);
    this.before.push(work);
    this.now = null;
    this.show();
    this.answers.sendAll().then(() => {
      if (this.queue.length < AHEAD - 1) this.goOn();
    });
  }

  back() {
    const work = this.before.pop();
    if (!work) return;
    if (this.now) this.queue.unshift(this.now);
    this.now = work;
    this.show();
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isButton = event.target instanceof HTMLElement && event.target.closest("button, a") !== null;
    const isPress = isButton && (event.key === "Enter" || event.key === " ");
    const act = isPress ? undefined : this.acts()[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** @returns {Record<string, () => void>} */
  acts() {
    const stage = this.stage;
    const next = () => this.next();
    const remove = () => stage.remove();
    const { player } = this;
    return {
      ...(player && { " ": () => player.toggle(), s: () => player.faster() }),
      Enter: next,
      n: next,
      ArrowRight: () => stage.choose(1),
      ArrowLeft: () => stage.choose(-1),
      Escape: () => stage.choose(0),
      x: remove,
      Delete: remove,
      Backspace: () => this.back(),
      ...Object.fromEntries(this.labels.slice(0, 9).map((label, at) => [at + 1, () => stage.give(label)])),
    };
  }

  showActs() {
    const { stage, player } = this;
    control("act-next", HTMLButtonElement).disabled = !this.now || !(this.isMissing || stage.isReady);
    control("act-remove", HTMLButtonElement).disabled = !this.now || !stage.canRemove;
    control("act-back", HTMLButtonElement).disabled = !this.before.length;
    byId("act-next").firstChild?.replaceWith(this.isMissing ? t("accuracy.skip_it_next") : stage.nextWords);
    byId("act-remove").firstChild?.replaceWith(stage.removeWords);
    if (player) {
      byId("act-play").firstChild?.replaceWith(player.isPlaying ? t("accuracy.pause") : t("accuracy.play"));
      byId("act-speed").firstChild?.replaceWith(t("accuracy.speed", { speed: player.speed }));
    }
    for (const one of byId("desk-labels").querySelectorAll("output"))
      one.textContent = this.now && !this.isMissing ? String(stage.countOf(one.dataset.label ?? "")) : "";
  }

  showLabels() {
    const area = byId("desk-labels");
    const text = this.labels.join("\n");
    if (area.dataset.of !== text) {
      area.dataset.of = text;
      area.replaceChildren(
        ...this.labels.map((label, at) =>
          el(
            "button.button",
            { onclick: () => this.stage.give(label) },
            swatch(this.stage.colorOf(label)),
            el("span", labelWords(label, this.place)),
            el("output", { "data-label": label }),
            at < 9 ? el("kbd", String(at + 1)) : "",
          ),
        ),
      );
    }
    this.showActs();
  }

  /** @param {Api.NextUnits} next */
  showWidths({ half_widths: widths, wanted_width: wanted, method, is_reached: isReached, labels, ...next }) {
    /** @param {string} label */
    const widthWords = (label) =>
      label in widths
        ? wide(widths[label])
        : label in next.differences
          ? t("accuracy.the_people_do_not_agree", { apart: mean(next.differences[label]) })
          : t("web.why_too_few");
    byId("desk-progress").textContent = [
      t("accuracy.of_are_checked_you_can_stop", {
        answered: number(next.answered),
        drawn: number(next.drawn),
        unit: unitNames(this.metric),
      }),
      missingWords(next.missing),
      waitingWords(next, this.metric),
    ].join(" ");
    byId("widths").replaceChildren(
      ...labels.map((label) => el("li", `${labelWords(label, this.place)}: `, widthWords(label))),
      el("li.muted", t("accuracy.wanted", { wanted: wide(wanted), method: methodWords(method) })),
    );
    byId("reached").hidden = !isReached;
    byId("reached").textContent = isReached
      ? t("accuracy.the_wanted_width_is_reached_you", { wanted: wide(wanted) })
      : "";
  }

  /** @param {unknown} error @param {{unit: number, turn: number}} sent */
  say(error, sent) {
    if (isRefused(error)) this.before = this.before.filter((work) => keyOf(work) !== keyOf({ unit: sent }));
    const values = { error: wordsOf(error), unit: unitName(this.metric) };
    showFault(
      t("accuracy.not_kept_yet"),
      isRefused(error)
        ? t("accuracy.this_answer_is_not_kept_its_unit", values)
        : t("accuracy.your_answers_wait_in_this_browser", values),
    );
  }
}

/** @param {{unit: {unit: number, turn: number}}} work */
const keyOf = ({ unit }) => `${unit.unit}/${unit.turn}`;

/** The name of this browser tab, so that two tabs get different frames. */
const tabName = () =>
  (sessionStorage["frametally-desk"] ??= crypto.getRandomValues(new Uint32Array(2)).join(""));
