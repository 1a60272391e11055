// Saves the drawing: it names each invalid shape, and merges changes if two people draw at the same time.

import { ApiError, getFrom, send } from "frametally/js/shared/api.js";
import { byId, el } from "frametally/js/shared/dom.js";
import { hideNotice, showFault, showNotice, wordsOf } from "frametally/js/status/notices.js";
import { bodyOf, drawingOf, KINDS, lackOf, shapesOf } from "./shapes.js";
import { t } from "frametally/js/shared/texts.js";

/** @param {string} source */
const routeOf = (source) => `sources/${encodeURIComponent(source)}`;

/** @type {(source: string) => Promise<Api.SourceDrawing>} */
export const askDrawing = (source) => getFrom(`${routeOf(source)}/drawing`);

/**
 * The first stored picture from a time onwards, or the last one.
 * @type {(source: string, ms: number|null) => Promise<Api.StoredPicture>}
 */
export const askPicture = (source, ms) =>
  getFrom(`${routeOf(source)}/frame`, new URLSearchParams(ms === null ? {} : { at: String(ms) }));

/**
 * Saves the whole drawing, unless someone else has changed that revision.
 * @type {(source: string, shapes: Page.Shape[], revision: number) => Promise<Api.SourceDrawing>}
 */
const sendDrawing = (source, shapes, revision) =>
  send("PUT", `${routeOf(source)}/drawing`, drawingOf(shapes), { "If-Match": `"${revision}"` });

/**
 * Requests the result of a calibration, without saving it.
 * @type {(shape: Page.Shape, signal: AbortSignal) => Promise<Api.CalibrationTry>}
 */
const tryCalibration = (shape, signal) => send("POST", "calibrations/try", bodyOf(shape), {}, signal);

const REST_MS = 150;

/** @typedef {{shape: string, answer: Api.CalibrationTry|null}} Tried */

export class Calibrating {
  /** @param {() => void} changed  called when there is a new result */
  constructor(changed) {
    this.changed = changed;
    this.area = byId("calibration");
    /** @type {Tried|null} */
    this.tried = null;
    /** @type {AbortController|null} */
    this.asking = null;
    this.timer = 0;
  }

  /** The errors of its points, in order; `null` if unknown. */
  get errorsPx() {
    return this.tried?.answer?.errors_px ?? null;
  }

  /** @param {Page.Shape|null} shape */
  show(shape) {
    const wanted = shape?.kind === "calibration" ? JSON.stringify(bodyOf(shape)) : null;
    if (wanted === (this.tried?.shape ?? null)) return;
    this.asking?.abort();
    clearTimeout(this.timer);
    this.tried = wanted === null ? null : { shape: wanted, answer: null };
    this.area.hidden = wanted === null;
    if (!shape || wanted === null) return;
    const lack = lackOf(shape);
    if (lack) this.#say("incomplete", lack);
    else this.timer = window.setTimeout(() => this.#ask(shape, wanted), REST_MS);
  }

  /** @param {Page.Shape} shape @param {string} wanted */
  async #ask(shape, wanted) {
    const asking = (this.asking = new AbortController());
    try {
      const answer = await tryCalibration(shape, asking.signal);
      if (this.tried?.shape !== wanted) return;
      this.tried = { shape: wanted, answer };
      this.#say(answer.verdict, `${answer.words}${errorsOf(answer)}`);
      this.changed();
    } catch (error) {
      if (!asking.signal.aborted)
        this.#say("refused", error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {string} verdict @param {string} words */
  #say(verdict, words) {
    this.area.dataset.verdict = verdict;
    this.area.textContent = words;
  }
}

/** @param {Api.CalibrationTry} answer */
function errorsOf({ verdict, error_px: px, error_m: m, scale_error: part }) {
  if (px === null || m === null || part === null) return "";
  const lengths = t("traffic.lengths_are_right_to", { part: (part * 100).toFixed(1) });
  return verdict === "good"
    ? t("traffic.reprojection_error", { px: px.toFixed(2), m: m.toFixed(2), lengths })
    : t("traffic.at_best", { lengths });
}

/** @typedef {{shapes: Page.Shape[], both: string[]}} Merged */

/**
 * Merges my changes into another person's drawing.
 * @param {Page.Shape[]} base  the drawing that both started from
 * @param {Page.Shape[]} mine
 * @param {Page.Shape[]} theirs
 * @returns {Merged}  `both` lists shapes that both people changed differently; mine wins
 */
export function merged(base, mine, theirs) {
  const [before, own, other] = [base, mine, theirs].map(byKey);
  /** @type {string[]} */
  const both = [];
  /** @type {Page.Shape[]} */
  const shapes = [];
  for (const key of new Set([...other.keys(), ...own.keys()])) {
    const [was, my, their] = [before.get(key), own.get(key), other.get(key)];
    const isMine = textOf(my) !== textOf(was);
    const isTheirs = textOf(their) !== textOf(was);
    if (isMine && isTheirs && textOf(my) !== textOf(their)) both.push((my ?? their)?.name ?? "");
    const chosen = isMine ? my : their;
    if (chosen) shapes.push(chosen);
  }
  return { shapes, both };
}

/**
 * Whether two drawings are the same, in any order.
 * @param {Page.Shape[]} one
 * @param {Page.Shape[]} other
 */
export function areSame(one, other) {
  const texts = [one, other].map((shapes) => JSON.stringify(shapes.map(textOf).sort()));
  return texts[0] === texts[1];
}

/** @param {Page.Shape[]} shapes */
const byKey = (shapes) => new Map(shapes.map((one) => [`${one.kind} ${one.from_ms} ${one.name}`, one]));

/** @param {Page.Shape|undefined} shape */
const textOf = (shape) => (shape ? `${shape.kind} ${JSON.stringify(bodyOf(shape))}` : "");

/**
 * @typedef {Object} Desk  the editor, as saving sees it
 * @property {() => Page.Shape[]} shapes
 * @property {() => {shapes: Page.Shape[], revision: number}} stored  the drawing it was made from
 * @property {(stored: Api.SourceDrawing) => void} saved
 * @property {(stored: Api.SourceDrawing, shapes: Page.Shape[]) => void} merge
 * @property {(id: number) => void} choose
 */

/** @param {string} source @param {Desk} desk */
export async function save(source, desk) {
  const shapes = desk.shapes();
  for (const one of shapes) {
    const lack = lackOf(one);
    if (!lack) continue;
    desk.choose(one.id);
    return showFault(t("traffic.not_saved"), lack);
  }
  try {
    desk.saved(await sendDrawing(source, shapes, desk.stored().revision));
    hideNotice();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 412) return showOthers(source, desk);
    const named = namedIn(error.message, shapes);
    if (named) desk.choose(named.id);
    const isOut = error.status === 401;
    if (!error.passes && !isOut) return showFault(t("traffic.not_saved"), error.message);
    const place = { href: "/sign-in", target: "_blank", rel: "noopener" };
    const link = isOut ? [el("a.button", place, t("traffic.sign_in"))] : [];
    showNotice("error", t("traffic.not_saved_what_was_drawn_is"), wordsOf(error), ...link);
  }
}

/**
 * Finds the shape that an error is about: the message begins with its kind and name.
 * @param {string} message
 * @param {Page.Shape[]} shapes
 */
export function namedIn(message, shapes) {
  const begun = KINDS.filter((kind) => message.startsWith(kind) || message.startsWith(`the ${kind}'s name`));
  return shapes.find(({ kind, name }) => begun.includes(kind) && message.includes(`'${name}'`)) ?? null;
}

/** Someone else has changed the drawing. @param {string} source @param {Desk} desk */
async function showOthers(source, desk) {
  let theirs;
  try {
    theirs = await askDrawing(source);
  } catch (error) {
    return showFault(t("traffic.not_saved"), wordsOf(error));
  }
  const { shapes, both } = merged(desk.stored().shapes, desk.shapes(), shapesOf(theirs));
  const also = both.length
    ? t("traffic.both_have_changed_putting_yours_in", { both: both.join(", ") })
    : t("traffic.both_changes_go_together");
  const revisions = { revision: theirs.revision, revision2: desk.stored().revision };
  /** @param {Page.Shape[]} wanted */
  const merge = (wanted) => () => {
    hideNotice();
    desk.merge(theirs, wanted);
  };
  showNotice(
    "warning",
    t("traffic.somebody_else_has_drawn_over_this"),
    t("traffic.it_is_revision_now_and_yours", { ...revisions, also }),
    el("button.button.primary", { onclick: merge(shapes) }, t("traffic.put_mine_into_theirs")),
    el("button.button", { onclick: merge(shapesOf(theirs)) }, t("traffic.take_theirs_drop_mine")),
  );
}
