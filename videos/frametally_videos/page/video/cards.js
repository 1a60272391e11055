// What stands beside the picture first: what was counted, and the account of the frames.

import { el } from "frametally/js/shared/dom.js";
import { number, plural } from "frametally/js/shared/format.js";
import { formatWhole, parseState } from "frametally/js/shared/state.js";
import { zoneInUse } from "frametally/js/shared/time.js";
import { visible } from "../library/words.js";
import { accountOf } from "./account.js";

/**
 * @param {string} title
 * @param {...(Node|null)} children
 */
export const card = (title, ...children) =>
  el("section", { class: "card" }, el("h3", { text: title }), ...children);

/**
 * What was found, by label; the whole leads to all charts.
 * @param {Page.Video} video
 * @param {Page.ColorOf} colorOf
 */
export function countsCard(video, colorOf) {
  const ranked = Object.entries(video.labels).sort((one, other) => other[1] - one[1]);
  const rows = ranked.map(([label, count]) => {
    const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = colorOf(label);
    return el(
      "tr",
      {},
      el(
        "th",
        { scope: "row" },
        el("span", { class: "label-name" }, swatch, el("bdi", { text: visible(label) })),
      ),
      el("td", { class: "number", text: number(count) }),
    );
  });
  const all = video.detections_counted;
  const words =
    all === null
      ? "Nothing is counted yet."
      : `${plural(all, "detection")} in ${plural(video.frames.counted ?? 0, "frame")}: one car in ten frames counts ten times.`;
  const { chart, proof } = video.links;
  const leads = [
    ...(chart ? [el("a", { href: wholeOf(chart), text: "In the chart" })] : []),
    ...(proof ? [el("a", { href: wholeOf(proof), text: "The frames behind it" })] : []),
  ];
  return card(
    "In this video",
    rows.length
      ? el(
          "table",
          { class: "video-labels" },
          el("caption", { class: "visually-hidden", text: "Detections by label" }),
          el("tbody", {}, ...rows),
        )
      : null,
    el("p", { class: "muted small", text: words }),
    leads.length ? el("p", { class: "video-leads" }, ...leads) : null,
  );
}

/** A chart's address, in the time zone of this page. @param {string} link */
function wholeOf(link) {
  const state = { ...parseState(new URL(link, location.href).search), timezone: null };
  return `/?${formatWhole(state, { timezone: zoneInUse() })}`;
}

/** @param {Page.Video} video */
export function accountCard(video) {
  const { steps, verdict, words } = accountOf(video);
  return card(
    "Account",
    el(
      "ol",
      { class: "account" },
      ...steps.map(({ name, sign, frames, detail }) =>
        el(
          "li",
          {},
          el(
            "span",
            { class: "account-frames" },
            sign,
            " ",
            el("strong", { text: frames === null ? "–" : number(frames) }),
          ),
          el("span", {}, name, detail ? el("span", { class: "muted small", text: detail }) : null),
        ),
      ),
    ),
    el("p", { class: "account-words small", "data-verdict": verdict, text: words }),
  );
}
