// A search for ONVIF cameras on the local network; click a camera to put it into the form.

import { visible } from "frametally_videos/library/words.js";
import { byId, control, el } from "frametally/js/shared/dom.js";
import { t } from "frametally/js/shared/texts.js";
import { press } from "frametally/js/status/notices.js";
import { askSearch } from "./requests.js";

const button = control("search", HTMLButtonElement);
const said = byId("search-said");
const failed = byId("search-failed");
const list = byId("offers");

/** @typedef {(source: string, address: string) => void} Use  fills the form */

/** @param {Use} use */
export function startSearch(use) {
  button.addEventListener("click", async () => {
    list.hidden = true;
    say(t("live.searching_the_network_for_up_to"));
    const isDone = await press(button, failed, async () => show(await askSearch(), use));
    said.hidden = !isDone;
    button.focus();
  });
}

/** @param {string} words */
function say(words) {
  said.textContent = words;
  said.hidden = false;
}

/** @param {Api.CameraSearch} found @param {Use} use */
function show({ cameras, has_more: hasMore }, use) {
  list.replaceChildren(...cameras.map((camera) => offer(camera, use)));
  list.hidden = !cameras.length;
  const words = cameras.length
    ? t("live.found", { cameras: t("live.count_cameras", { count: cameras.length }) })
    : t("live.no_camera_answered");
  say([words, ...(hasMore ? [t("live.more_cameras_answered")] : [])].join(" "));
}

/** @param {Api.OfferedCamera} camera @param {Use} use */
function offer({ name, source, host, maker, model, streams, cameras, problem }, use) {
  const facts = [...new Set([`${maker} ${model}`.trim(), host])].filter((fact) => fact && fact !== name);
  const added = cameras.length ? [t("live.added_as", { names: cameras.join(", ") })] : [];
  return el(
    "li.card",
    el("h2", el("bdi", visible(name))),
    el("p.muted.small", [...facts, ...added].map(visible).join(" · ")),
    problem === null ? null : el("p.live-problem", visible(problem)),
    ...streams.map((stream) => {
      const words = [stream.name, ...pictureWords(stream)].map(visible).join(" · ");
      const label = t("live.use_stream", { name: visible(name), stream: words });
      const choose = () => use(source, stream.address);
      return el(
        "p.live-offer",
        el("button.button", { "aria-label": label, onclick: choose }, t("live.use")),
        el("span", words, el("code", visible(stream.address))),
      );
    }),
  );
}

/** "1920 x 1080, H264" @param {Api.OfferedStream} stream */
const pictureWords = ({ width_px: width, height_px: height, code }) => {
  const parts = [...(width && height ? [`${width} × ${height}`] : []), ...(code ? [code] : [])];
  return parts.length ? [parts.join(", ")] : [];
};
