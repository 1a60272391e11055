// The dialog that changes footage: its plan, the button, its progress and its result.

import { get, send } from "../shared/api.js";
import { el } from "../shared/dom.js";
import { dayOf, number } from "../shared/format.js";
import { numberCell, rowOf, scrolledTable } from "../shared/tables.js";
import { zoneInUse } from "../shared/time.js";
import { press } from "../status/notices.js";
import { t } from "../shared/texts.js";

const LOOK_EVERY_MS = 400;

/**
 * @typedef {Object} Question
 * @property {string} title
 * @property {string} action  the button's text
 * @property {string} route  prefix of `/plan` and `/changes`
 * @property {HTMLElement} [form]  fields to fill in before the plan
 * @property {() => Record<string, unknown>|null} wanted  the request for both; `null` if the form is incomplete
 * @property {(state: Api.ChangeState) => void} changed  called when the change has ended, even if it failed
 * @property {typeof lastChange} [lastOf]  requests the change in progress
 */

/** @returns {Promise<Api.ChangeState|null>} */
const lastChange = async () => (await get("changes")).last;

/** @param {Question} question */
export async function askFirst({ title, action, route, form, wanted, changed, lastOf }) {
  const fault = el("p.notice.error", { role: "alert", hidden: true });
  const shown = el("div.stack.change-shown", { "aria-live": "polite" });
  const look = el("button.button.primary", { hidden: !form }, t("web.show_what_would_change"));
  const go = el("button.button.primary", { hidden: true }, action);
  const back = el("button.button", { hidden: true }, t("web.back"));
  const close = el("button.button", { onclick: () => dialog.close() }, t("web.cancel"));
  const dialog = el(
    "dialog.change-dialog",
    { "aria-labelledby": "change-title" },
    el("h2", { id: "change-title" }, title),
    form,
    shown,
    fault,
    el("p.change-buttons.row", look, go, back, close),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  /** @type {Record<string, unknown>|null} */
  let sent = null;

  /** @param {boolean} isAsked  whether to show the form again */
  const step = (isAsked) => {
    if (form) form.hidden = !isAsked;
    look.hidden = !isAsked || !form;
    back.hidden = isAsked || !form;
    go.hidden = isAsked;
    if (isAsked) shown.replaceChildren();
  };
  const plan = async () => {
    sent = wanted();
    if (!sent) return;
    shown.replaceChildren(el("p.muted", t("web.looking")));
    const isPlanned = await press([look, go], fault, async () => {
      const found = /** @type {Api.ChangePlan} */ (await send("POST", `${route}/plan`, sent));
      step(false);
      shown.replaceChildren(...planOf(found));
      go.hidden = !found.frames;
    });
    if (isPlanned) (go.hidden ? close : go).focus();
    else shown.replaceChildren();
  };
  look.addEventListener("click", plan);
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    plan();
  });
  back.addEventListener("click", () => {
    fault.hidden = true;
    step(true);
    look.focus();
  });
  go.addEventListener("click", async () => {
    if (!(await press(go, fault, () => send("POST", `${route}/changes`, sent)))) return;
    go.hidden = back.hidden = true;
    close.textContent = t("web.close");
    close.focus();
    await follow(shown, changed, lastOf);
  });
  if (!form) await plan();
}

/**
 * Shows the change in progress until it ends; the server continues even if no one watches.
 * @param {HTMLElement} area
 * @param {(state: Api.ChangeState) => void} changed
 * @param {typeof lastChange} [lastOf]
 */
export async function follow(area, changed, lastOf = lastChange) {
  const bar = el("progress", { "aria-label": t("web.progress") });
  const words = el("p");
  area.replaceChildren(words, bar);
  for (;;) {
    const last = await lastOf().catch(() => undefined);
    if (last === null) return area.replaceChildren(el("p", t("web.the_server_has_started_again_load")));
    if (last && last.state !== "running") {
      const failed = last.state === "failed" ? "p.strong.open" : "p.strong";
      area.replaceChildren(
        el(failed, last.state === "failed" ? t("web.the_change_failed") : t("web.done")),
        ...linesOf(last.lines, last.left_alone),
        ...historyOf(last),
      );
      return changed(last);
    }
    words.textContent = last ? stepsOf(last) : t("web.the_server_is_not_responding_the");
    if (last?.total) [bar.max, bar.value] = [last.total, last.done];
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** @param {Api.ChangeState} state */
const stepsOf = ({ target, done, total }) =>
  total
    ? t("web.of_you_can_close_this_the", { target, done: number(done), total: number(total) })
    : t("web.the_change_is_running_you_can", { target });

/** @param {string[]} lines @param {Api.LeftAlone[]} left */
const linesOf = (lines, left) => [
  ...lines.map((line) => el("p", line)),
  left.length
    ? el("details", el("summary", t("web.left_unchanged")), el("ul.todo", ...left.map(({ name, why }) => el("li", `${name}: ${why}`))))
    : null,
].filter((one) => one !== null); // prettier-ignore

/** @param {Api.ChangePlan} plan */
const planOf = ({ lines, left_alone: left, days, days_left_out: more }) => [
  ...linesOf(lines, left),
  ...(days?.length ? [daysTable(days)] : []),
  ...(more
    ? [el("p.muted.small", t("web.and_more_sentence", { more: t("web.count_more_days", { count: more }) }))]
    : []),
];

/** @param {Api.ChangedDay[]} days */
function daysTable(days) {
  const areSeveral = new Set(days.map(({ source }) => source)).size > 1;
  const both = (/** @type {number} */ before, /** @type {number} */ after) =>
    numberCell(before === after ? number(after) : `${number(before)} → ${number(after)}`);
  const rows = days.map((one) =>
    rowOf(
      areSeveral ? `${dayOf(one.day)}, ${one.name}` : dayOf(one.day),
      both(one.frames_before, one.frames_after),
      both(one.detections_before, one.detections_after),
    ),
  );
  const names = [t("web.day"), t("web.frames"), t("web.detections_title")];
  return scrolledTable(t("web.what_would_change_on_each_day"), names, 1, rows);
}

/** Links to the runs that count the change, once they have. @param {Api.ChangeState} state */
function historyOf({ state, changed }) {
  if (state !== "done" || !changed) return [];
  const { source, from_ms: from, to_ms: to } = changed;
  const query = new URLSearchParams({ source, from: String(from), to: String(to), timezone: zoneInUse() });
  return [el("p", el("a", { href: `/history?${query}` }, t("web.see_the_history_of_these_counts")))];
}
