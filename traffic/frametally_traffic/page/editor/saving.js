// Storing what was drawn: what cannot be is said by name, and of two who draw at one time nobody loses anything.

import { ApiError } from "frametally/js/shared/api.js";
import { byId, el } from "frametally/js/shared/dom.js";
import { askDrawing, sendDrawing } from "./asking.js";
import { merged } from "./merging.js";
import { KINDS, lackOf, shapesOf } from "./shapes.js";

/**
 * @typedef {Object} Desk  what is drawn at
 * @property {() => Page.Shape[]} shapes
 * @property {() => {shapes: Page.Shape[], revision: number}} stored  what it was made of
 * @property {(stored: Api.SourceDrawing) => void} saved
 * @property {(stored: Api.SourceDrawing, shapes: Page.Shape[]) => void} merge
 * @property {(id: number) => void} choose
 */

/**
 * @param {string} source
 * @param {Desk} desk
 */
export async function save(source, desk) {
  const shapes = desk.shapes();
  for (const one of shapes) {
    const lack = lackOf(one);
    if (!lack) continue;
    desk.choose(one.id);
    return notice("error", "Not saved", lack);
  }
  try {
    desk.saved(await sendDrawing(source, shapes, desk.stored().revision));
    hideNotice();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 412) return showOthers(source, desk);
    const named = namedIn(error.message, shapes);
    if (named) desk.choose(named.id);
    const title = error.passes ? "Not saved, what was drawn is still here" : "Not saved";
    notice("error", title, `${error.message} ${error.passes ? error.remedy : ""}`);
  }
}

/**
 * Which shape an error is about: it names the kind and the name first.
 * @param {string} message
 * @param {Page.Shape[]} shapes
 */
export function namedIn(message, shapes) {
  const begun = KINDS.filter((kind) => message.startsWith(kind) || message.startsWith(`the ${kind}'s name`));
  return shapes.find(({ kind, name }) => begun.includes(kind) && message.includes(`'${name}'`)) ?? null;
}

/** Another has drawn meanwhile. @param {string} source @param {Desk} desk */
async function showOthers(source, desk) {
  let theirs;
  try {
    theirs = await askDrawing(source);
  } catch (error) {
    return notice("error", "Not saved", error instanceof Error ? error.message : String(error));
  }
  const { shapes, both } = merged(desk.stored().shapes, desk.shapes(), shapesOf(theirs));
  const also = both.length
    ? ` Both have changed ${both.join(", ")}: putting yours in takes the place of theirs.`
    : " Both changes go together.";
  /** @param {string} text @param {string} look @param {() => void} onclick */
  const button = (text, look, onclick) =>
    el("button", {
      type: "button",
      class: `button ${look}`,
      text,
      onclick: () => {
        hideNotice();
        onclick();
      },
    });
  notice(
    "warning",
    "Somebody else has drawn over this source meanwhile",
    `It is revision ${theirs.revision} now, and yours was made of ${desk.stored().revision}. Nothing is lost.${also}`,
    button("Put mine into theirs", "primary", () => desk.merge(theirs, shapes)),
    button("Take theirs, drop mine", "", () => desk.merge(theirs, shapesOf(theirs))),
  );
}

/**
 * @param {"error"|"warning"} kind
 * @param {string} title
 * @param {string} text
 * @param {...HTMLElement} buttons
 */
export function notice(kind, title, text, ...buttons) {
  const area = byId("notice");
  area.className = `notice ${kind}`;
  area.replaceChildren(
    el("div", {}, el("p", { class: "strong", text: title }), el("p", { text })),
    el("div", { class: "notice-buttons" }, ...buttons),
  );
  area.hidden = false;
}

export const hideNotice = () => {
  byId("notice").hidden = true;
  byId("notice").replaceChildren();
};
