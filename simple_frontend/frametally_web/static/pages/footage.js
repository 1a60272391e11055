// Footage: the recordings of a source, and changes to them: their time, their source, or their deletion.

import { askFirst, follow } from "../js/changes/dialog.js";
import { forgetForm, renameForm, retimeForm, timezoneForm } from "../js/changes/forms.js";
import { askAgain, get, send } from "../js/shared/api.js";
import { byId, el } from "../js/shared/dom.js";
import { moment, number, toTheMinute } from "../js/shared/format.js";
import { parseState, useAskedZone } from "../js/shared/state.js";
import { numberCell, rowOf, scrollable, sortableTable } from "../js/shared/tables.js";
import { setSourceZone, useZone, zoneInUse, zoneOf } from "../js/shared/time.js";
import { has } from "../js/shell/navigation.js";
import { askForStrip } from "../js/status/live.js";
import { hideNothing, showNothingYet } from "../js/status/nothing.js";
import { actionButton, hideNotice, showFailed } from "../js/status/notices.js";
import { t } from "../js/shared/texts.js";

/** @typedef {import("../js/changes/forms.js").Form} Form */

const page = byId("footage-page");

/**
 * The address of a source's page, in its time zone unless you chose another.
 * @param {string} path
 * @param {string} source
 */
function addressOf(path, source) {
  const timezone = zoneOf({ ...parseState(location.search), sources: [source] });
  return `${path}?${new URLSearchParams({ source, timezone })}`;
}

/** @param {Api.SourceFootage} footage @param {Api.SourceBooks[]} sources */
function changesCard(footage, sources) {
  const { source, name } = footage;
  const timezone = zoneInUse();
  /** @param {string} title @param {string} action @param {Form} form @param {string} [route] */
  const ask = (title, action, form, route = "footage") =>
    askFirst({
      title,
      action,
      route,
      form: form.element,
      wanted: () => form.read() && { source, timezone, ...form.read() },
      changed: ({ what, state, changed }) => {
        // A renamed source has a new address.
        if (what === "rename" && state === "done" && changed && changed.source !== source)
          window.history.replaceState(null, "", addressOf("/footage", changed.source));
        load();
      },
    });
  const others = sources.filter((one) => one.source !== source).map((one) => one.name);
  return el(
    "p.change-buttons.row",
    el("button.button", { onclick: () => ask(t("web.correct_the_time", { name }), t("web.correct_the_time_title"), retimeForm(footage)) }, t("web.correct_the_time_button")),
    el("button.button", { onclick: () => ask(t("web.time_zone_of", { name }), t("web.set_time_zone"), timezoneForm(footage), "timezones") }, t("web.set_time_zone_button")),
    el("button.button", { onclick: () => ask(t("web.rename", { name }), t("web.rename_title"), renameForm(footage, others)) }, t("web.rename_button")),
    el("button.button", { onclick: () => ask(t("web.forget_footage", { name }), t("web.forget"), forgetForm(footage)) }, t("web.forget_footage_button")),
  ); // prettier-ignore
}

/**
 * @template Line
 * @param {string} name
 * @param {Omit<Parameters<typeof sortableTable<Line>>[0], "name">} parts
 */
const inArea = (name, parts) => el("div.part", scrollable(name, sortableTable({ name, kind: "", ...parts })));

/** @param {Api.SourceFootage} footage */
function recordingsTable({ name, recordings, recordings_left_out: left }) {
  const at = (/** @type {number|null} */ ms) => el("td", ms === null ? "–" : moment(ms));
  return el(
    "section.card",
    { "aria-labelledby": "recordings-title" },
    el("h2", { id: "recordings-title" }, t("web.recordings")),
    inArea(t("web.recordings_of", { name }), {
      columns: [
        { name: t("web.recording"), of: (/** @type {Api.Recording} */ one) => one.name },
        { name: t("web.from_title"), id: "from", of: ({ from_ms: from }) => from ?? 0 },
        { name: t("web.to"), of: ({ to_ms: to }) => to ?? 0 },
        { name: t("web.frames"), of: ({ frames }) => frames, isNumber: true },
      ],
      lines: recordings,
      rowFor: (one) =>
        rowOf(el("span.name", { title: one.name }, one.name), at(one.from_ms), at(one.to_ms), numberCell(number(one.frames))),
      order: { by: "from", falls: false },
    }),
    left ? el("p.muted.small", t("web.and_left_more", { left: number(left) })) : null,
  ); // prettier-ignore
}

/** @param {Api.SourceBooks[]} sources */
function sourcesTable(sources) {
  return el(
    "div.card",
    inArea(t("web.sources"), {
      columns: [
        { name: t("web.source"), of: (/** @type {Api.SourceBooks} */ one) => one.name },
        { name: t("web.frames"), of: ({ announced }) => announced, isNumber: true },
        { name: t("web.footage_up_to"), of: ({ footage_until_ms: until }) => until ?? 0 },
      ],
      lines: sources,
      rowFor: (one) =>
        rowOf(
          el("a.name", { href: addressOf("/footage", one.source), title: one.name }, one.name),
          numberCell(number(one.announced)),
          el("td", one.footage_until_ms === null ? "–" : toTheMinute(one.footage_until_ms)),
        ),
      order: { by: t("web.source"), falls: false },
    }),
  );
}

async function showInterrupted() {
  if (!has("run")) return;
  const { last, unfinished } = await get("changes");
  const area = byId("interrupted");
  area.hidden = !unfinished.length && last?.state !== "running";
  if (last?.state === "running") return follow(area, load);
  const finish = async () => {
    await send("POST", "changes/finish", {});
    follow(area, load);
  };
  area.replaceChildren(
    el("p", t("web.interrupted_nothing_is_lost_finish_it", { unfinished: unfinished.join(", ") })),
    actionButton(t("web.finish"), finish),
  );
}

async function load() {
  try {
    const source = new URLSearchParams(location.search).get("source");
    const { sources } = await get("status");
    if (source === null && !sources.length) {
      showNothingYet(t("web.there_is_no_footage_yet"));
      byId("footage").replaceChildren();
    } else if (source === null) {
      hideNothing();
      byId("footage").replaceChildren(sourcesTable(sources));
    } else {
      const footage = await get("footage", new URLSearchParams({ source }));
      setSourceZone(footage.source, footage.timezone);
      useZone(zoneOf({ ...parseState(location.search), sources: [footage.source] }));
      byId("footage-title").textContent = t("web.footage_of", { name: footage.name });
      const { frames, from_ms: from, to_ms: to } = footage;
      const range = from === null || to === null ? "" : ` · ${moment(from)} – ${moment(to)}`;
      const chart = addressOf("/", footage.source);
      byId("footage").replaceChildren(
        el(
          "p",
          `${t("web.count_frames", { count: frames })}${range}. ${t("web.times_are_in_zone", { zoneInUse: zoneInUse() })} `,
          el("a", { href: chart }, t("web.see_its_chart")),
        ),
        ...(has("run") ? [changesCard(footage, sources)] : []),
        recordingsTable(footage),
      );
      byId("way-back").replaceChildren(el("a", { href: "/footage" }, t("web.back_to_all_footage")));
    }
    hideNotice();
    page.dataset.state = "ready";
  } catch (error) {
    byId("footage").replaceChildren();
    showFailed(page, error, load);
  }
}

useAskedZone();
byId("may-not").hidden = has("run");
askForStrip();
const interrupted = () => showInterrupted().catch((error) => askAgain(error, interrupted));
load().then(interrupted);
