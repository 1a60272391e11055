// Searches many lanes by source name.

import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";

/** With more lanes than this, a search field appears. */
const MOST_UNSEARCHED = 24;

/**
 * A field that shows only lanes whose names contain the typed text; it stays when the lanes are redrawn.
 * @param {HTMLElement} area
 * @param {{name: string}[]} lanes
 * @param {HTMLElement[]} items
 */
export function searchOf(area, lanes, items) {
  if (lanes.length <= MOST_UNSEARCHED) return [];
  const none = el("p.muted.small", t("web.no_sources_of_that_name"));
  const wanted = area.dataset.wanted ?? "";
  const search = el("input.chooser-search.lanes-search", {
    ...{ type: "search", value: wanted, placeholder: t("web.find_sources"), autocomplete: "off" },
    "aria-label": t("web.find_sources"),
    oninput: () => find(),
  });
  const find = () => {
    area.dataset.wanted = search.value;
    const text = search.value.trim().toLowerCase();
    items.forEach((item, place) => {
      item.hidden = !lanes[place].name.toLowerCase().includes(text);
    });
    none.hidden = items.some((item) => !item.hidden);
  };
  find();
  return [search, none];
}
