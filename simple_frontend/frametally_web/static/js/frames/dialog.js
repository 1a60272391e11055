// The page's one dialog, for large views.

import { byId } from "../shared/dom.js";

/**
 * @typedef {Object} Content
 * @property {HTMLElement} element  has an #lightbox-title
 * @property {HTMLElement} close  the button that closes it
 * @property {(event: KeyboardEvent) => void} key
 * @property {() => void} [shown]  it has its size
 * @property {() => void} [closed]  puts the keyboard back, where the place that it came from is gone
 */

export const closeDialog = () => dialogOf().close();

/** Opens the dialog, or puts something else into it. @param {Content} content */
export function openDialog(content) {
  const dialog = dialogOf();
  const opener = document.activeElement;
  dialog.replaceChildren(content.element);
  dialog.onkeydown = content.key;
  // A click beside the picture closes it, as people expect.
  dialog.onclick = (event) => {
    if (event.target === dialog) dialog.close();
  };
  dialog.onclose = () => {
    dialog.replaceChildren();
    if (!opener?.isConnected || opener === document.body) content.closed?.();
  };
  if (!dialog.open) dialog.showModal();
  content.shown?.();
  content.close.focus();
}

/**
 * Lets the buttons be pressed that lead somewhere; from one that does no more the keyboard goes to "Close".
 * @param {{previous: HTMLButtonElement, following: HTMLButtonElement, close: HTMLElement}} buttons
 * @param {(by: -1|1) => boolean} has  whether there is one so many steps on
 */
export function allowSteps({ previous, following, close }, has) {
  for (const [button, by] of /** @type {[HTMLButtonElement, -1|1][]} */ ([
    [previous, -1],
    [following, 1],
  ])) {
    const hadFocus = document.activeElement === button;
    button.disabled = !has(by);
    if (hadFocus && button.disabled) close.focus();
  }
}

const dialogOf = () => /** @type {HTMLDialogElement} */ (byId("lightbox"));
