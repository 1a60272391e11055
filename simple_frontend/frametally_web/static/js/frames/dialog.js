// The page's one dialog, for large views.

import { byId } from "../shared/dom.js";

/**
 * @typedef {Object} Content
 * @property {HTMLElement} element  contains #lightbox-title
 * @property {HTMLElement} close  the close button
 * @property {(event: KeyboardEvent) => void} key
 * @property {() => void} [shown]  called once it has its size
 * @property {() => void} [closed]  restores the focus if the opener is gone
 */

export const closeDialog = () => dialogOf().close();

/** Opens the dialog, or replaces its content. @param {Content} content */
export function openDialog(content) {
  const dialog = dialogOf();
  const opener = document.activeElement;
  dialog.replaceChildren(content.element);
  dialog.onkeydown = content.key;
  // A click outside the picture closes the dialog.
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
 * Enables the buttons that have a next step; a disabled button passes its focus to "Close".
 * @param {{previous: HTMLButtonElement, following: HTMLButtonElement, close: HTMLElement}} buttons
 * @param {(by: -1|1) => boolean} has  whether there is a step in this direction
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
