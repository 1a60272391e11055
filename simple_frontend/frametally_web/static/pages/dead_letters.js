// Dead letters: frames that could not be read, by reason; you can retry or drop each.

import { askFirst } from "../js/changes/dialog.js";
import { get } from "../js/shared/api.js";
import { byId, el } from "../js/shared/dom.js";
import { number } from "../js/shared/format.js";
import { useAskedZone } from "../js/shared/state.js";
import { has } from "../js/shell/navigation.js";
import { deadLetterCard, withPages } from "../js/status/books.js";
import { askForStrip } from "../js/status/live.js";
import { hideNotice, showFailed } from "../js/status/notices.js";
import { t } from "../js/shared/texts.js";

const page = byId("letters-page");

/** @typedef {{ids?: string[], cause?: string}} Which */

/** @param {string} noun  the frames to retry, in words @param {Which} which */
function buttons(noun, which) {
  if (!has("run")) return null;
  const ask = (/** @type {string} */ what, /** @type {string} */ action) => () =>
    askFirst({
      title: `${action}: ${noun}`,
      action,
      route: "dead-letters",
      wanted: () => ({ what, ...which }),
      changed: load,
    });
  return el(
    "p.change-buttons.row",
    which.cause === "malformed" ? null : el("button.button", { onclick: ask("replay", t("web.try_again")) }, which.ids ? t("web.try_again") : t("web.try_all_again")),
    el("button.button", { onclick: ask("drop", t("web.drop")) }, which.ids ? t("web.drop") : t("web.drop_all")),
  ); // prettier-ignore
}

/** @param {Api.DeadLetterCause} cause @param {(source: string) => string} nameOf */
async function sectionOf({ cause, frames, reason, remedy }, nameOf) {
  const query = new URLSearchParams({ cause });
  const { dead_letters: letters, dead_letters_left_out: left } = await get("dead-letters", query);
  const title = `${t("web.count_frames", { count: frames })}: ${reason}`;
  const cards = letters.map((letter) => {
    const which = { ids: [letter.id], ...(cause === "malformed" ? { cause } : {}) };
    return el("li", deadLetterCard(letter, nameOf, buttons(t("web.count_frames", { count: 1 }), which)));
  });
  return el(
    "section.card",
    { "aria-label": cause, "data-cause": cause },
    el("h2", title),
    el("p.muted", ...withPages(`${remedy[0].toUpperCase()}${remedy.slice(1)}.`)),
    frames > 1 ? buttons(t("web.count_frames", { count: frames }), { cause }) : null,
    el("ul.strip", ...cards),
    left ? el("p.muted.small", t("web.and_left_more", { left: number(left) })) : null,
  );
}

async function load() {
  try {
    const [{ causes }, { sources }] = await Promise.all([
      get("dead-letters", new URLSearchParams({ limit: "1" })),
      get("status"),
    ]);
    const names = new Map(sources.map(({ source, name }) => [source, name]));
    const nameOf = (/** @type {string} */ source) => names.get(source) ?? source;
    const sections = await Promise.all(causes.map((cause) => sectionOf(cause, nameOf)));
    const none = el("p.card", t("web.there_are_no_dead_letters_every"));
    byId("letters").replaceChildren(...(sections.length ? sections : [none]));
    hideNotice();
    page.dataset.state = "ready";
  } catch (error) {
    showFailed(page, error, load);
  }
}

useAskedZone();
byId("may-not").hidden = has("run");
askForStrip();
load();
