// Notices on the page, also for screen readers: finished and failed actions, problems, and the age of the numbers.

import { ApiError, askAgain } from "../shared/api.js";
import { byId, el } from "../shared/dom.js";
import { day, timeOfDay, timeSince } from "../shared/format.js";
import { plus, startOf } from "../shared/time.js";
import { t } from "../shared/texts.js";

/** Reads words to screen readers. @param {string} words */
export function speak(words) {
  byId("spoken").textContent = words;
}

/** The error and its remedy in words. @param {unknown} error */
export function wordsOf(error) {
  if (!(error instanceof ApiError)) return String(error);
  return `${error.message} ${error.remedy}`.trim();
}

/** @type {ReturnType<typeof askAgain>} */
let again;

/**
 * Runs a button's action and returns whether it succeeded. The button is disabled meanwhile; errors go into `fault`.
 * @param {HTMLButtonElement|HTMLButtonElement[]} buttons
 * @param {HTMLElement} fault
 * @param {() => Promise<unknown>} action
 */
export async function press(buttons, fault, action) {
  const all = [buttons].flat();
  fault.hidden = true;
  for (const button of all) button.disabled = true;
  try {
    await action();
    return true;
  } catch (error) {
    fault.textContent = wordsOf(error);
    fault.hidden = false;
    return false;
  } finally {
    for (const button of all) button.disabled = false;
  }
}

/** Handles clicks on server-rendered buttons. @param {(button: HTMLButtonElement) => void} act */
export const onAction = (act) =>
  document.addEventListener("click", ({ target }) => {
    const button = target instanceof Element && target.closest("button[data-action]");
    if (button instanceof HTMLButtonElement) act(button);
  });

/**
 * Whether this is the second click on a button; the first click makes it ask.
 * @param {HTMLButtonElement} button
 * @param {string} text
 * @param {string} name
 */
export function isSure(button, text, name) {
  if (button.dataset.sure) return true;
  button.dataset.sure = "yes";
  button.textContent = text;
  button.ariaLabel = name;
  return false;
}

/** A button for an action, with errors next to it. @param {string} text @param {() => Promise<unknown>} action */
export function actionButton(text, action) {
  const fault = el("p.form-said", { role: "alert", hidden: true });
  const button = el("button.button", { onclick: () => press(button, fault, action) }, text);
  return el("div", button, fault);
}

/**
 * Shows a temporary error and the age of the content. It says "not connected" only if nothing responded.
 * @param {import("../shared/api.js").ApiError} error
 * @param {number|null} shownSince  when the content was loaded, in ms; `null` without content
 * @param {() => void} onRetry
 * @param {string} [title]
 */
export function showOutage(
  { message: reason, status },
  shownSince,
  onRetry,
  title = t("web.the_counts_are_out_of_reach"),
) {
  const said = /[.!?]$/.test(reason) ? reason : `${reason}.`;
  const kept = shownSince ? t("web.what_you_see_is_from", { shownSince: timeSince(shownSince) }) : "";
  const retry = el("button.button", { onclick: onRetry }, t("web.try_now"));
  showNotice("warning", title, t("web.kept_this_page_keeps_trying", { said, kept }), retry);
  const kind = shownSince ? t("web.not_up_to_date") : t("web.not_loaded_yet");
  showFreshness("away", status ? kind : t("web.not_connected"));
}

/**
 * Shows an invalid request, and offers valid ones.
 * @param {import("../shared/api.js").ApiError} error
 * @param {import("../context/remedies.js").Remedy[]} remedies
 * @param {(change: Partial<Page.State>) => void} onChange
 */
export function showMistake(error, remedies, onChange) {
  const buttons = remedies.map(({ text, change }) =>
    el("button.button", { onclick: () => onChange(change) }, text),
  );
  showNotice("error", t("web.this_cannot_be_shown_title"), `${error.message} ${error.remedy}`, ...buttons);
}

/** Shows a problem that retrying does not fix. @param {string} title @param {string} text */
export function showFault(title, text) {
  showNotice("error", title, text);
}

/** Shows which parts of the address are unreadable; empty if none are. @param {string} words */
export function showUnread(words) {
  if (words) showNotice("warning", t("web.part_of_the_address"), words);
}

/**
 * Warns if the default range leaves out footage because its dates are in the future.
 * @param {Page.State} state
 * @param {Pick<Page.Answers, "counts"|"sources">} answers
 * @param {(change: Partial<Page.State>) => void} onChange
 */
export function showFuture({ to, sources: chosen }, { counts, sources }, onChange) {
  if (to !== null || !counts.to_ms || !byId("notice").hidden) return;
  const end = plus(counts.to_ms, { days: 1 });
  const [last] = sources
    .filter(({ source }) => !chosen.length || chosen.includes(source))
    .sort((a, b) => b.next_interval_ms - a.next_interval_ms);
  if (!last || last.next_interval_ms <= end) return;
  const until = last.next_interval_ms;
  const range = { from: startOf(until - 1, "day"), to: until, interval: null };
  showNotice(
    "warning",
    t("web.some_footage_is_dated_in_the_future"),
    t("web.source_has_footage_dated", { source: last.name, date: day(until - 1) }),
    el("button.button", { onclick: () => onChange(range) }, t("web.show")),
  );
}

/**
 * Shows why a page has no content. Temporary errors are retried, automatically and with a button.
 * @param {HTMLElement} page
 * @param {unknown} error
 * @param {() => unknown} load
 */
export function showFailed(page, error, load) {
  page.dataset.state = "failed";
  clearTimeout(again);
  if (!(error instanceof ApiError)) return showOwnFault(error);
  const title = t("web.this_cannot_be_shown_title");
  if (!error.passes) return showFault(title, wordsOf(error));
  const now = () => {
    clearTimeout(again);
    load();
  };
  const button = el("button.button", { onclick: now }, t("web.try_now"));
  showNotice("warning", title, t("web.this_page_keeps_trying", { said: wordsOf(error) }), button);
  again = askAgain(error, load);
}

/** Shows an error of the page itself. @param {unknown} error */
export function showOwnFault(error) {
  console.error(error);
  showFault(t("web.the_page_met_an_error_of"), t("web.load_it_again_if_that_does"));
}

/** Hides problems and shows the current age. @param {number} now  ms */
export function showFresh(now) {
  hideNotice();
  showFreshness("ok", t("web.up_to_date", { now: timeOfDay(now) }));
}

/** @param {"ok"|"away"} state @param {string} text */
function showFreshness(state, text) {
  byId("freshness").textContent = text;
  byId("freshness").dataset.state = state;
}

/** Hides a notice whose problem is over. */
export function hideNotice() {
  byId("notice").hidden = true;
  byId("notice").replaceChildren();
}

/** @param {"error"|"warning"} kind @param {string} title @param {string} text @param {...HTMLElement} buttons */
export function showNotice(kind, title, text, ...buttons) {
  const notice = byId("notice");
  const wanted = `${kind} ${title} ${text}`;
  if (!notice.hidden && notice.dataset.text === wanted) return;
  notice.dataset.text = wanted;
  notice.className = `notice ${kind}`;
  const row = buttons.length ? el("div.row", ...buttons) : "";
  notice.replaceChildren(el("div", el("p.strong", title), el("p", text)), row);
  notice.hidden = false;
}
