// What stands beside the picture: what was counted, the account of the frames, what the file is, what was done.

import { el } from "../shared/dom.js";
import { moment, number, percent, plural, toTheMinute } from "../shared/format.js";
import { TIME_SOURCES, bytes, filmed, playTime, visible } from "../videos/words.js";
import { accountOf } from "./account.js";

/** @type {Record<Page.VideoJob["kind"], string>} */
const JOBS = { frames: "Frames", previews: "Poster and preview", removal: "Removal" };
/** @type {Record<Page.VideoJob["state"], string>} */
const JOB_STATES = {
  queued: "waits",
  running: "runs",
  done: "done",
  failed: "failed",
  cancelled: "cancelled",
};

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
  const all = video.objects_counted;
  const words =
    all === null
      ? "Nothing is counted yet."
      : `${plural(all, "detection")} in ${plural(video.frames.counted ?? 0, "frame")}: one car in ten frames counts ten times.`;
  const { chart, proof } = video.links;
  const leads = [
    ...(chart ? [el("a", { href: chart, text: "In the chart" })] : []),
    ...(proof ? [el("a", { href: proof, text: "The frames behind it" })] : []),
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

/** @param {Page.Video} video */
export function aboutCard(video) {
  const when = filmed(video);
  const from = video.time_source;
  /** @type {[name: string, value: string|null][]} */
  const facts = [
    ["Filmed", when === null || from === null ? when : `${when} (${TIME_SOURCES[from]})`],
    ["Source", visible(video.source_name)],
    ["Length", video.duration_s === null ? null : playTime(video.duration_s)],
    ["Picture", `${video.width_px} × ${video.height_px} px`],
    ["Frames a second", video.fps === null ? null : number(Math.round(video.fps * 100) / 100)],
    ["Sound", video.has_sound ? "yes" : "no"],
    ["Kind", `${video.container}, ${video.codec}`],
    ["Size", bytes(video.size_bytes)],
    ["File", visible(video.file_name)],
    ["Uploaded", toTheMinute(video.uploaded_at_ms)],
    ["SHA-256", video.sha256],
  ];
  const about = card(
    "About",
    el(
      "dl",
      { class: "facts" },
      ...facts.flatMap(([name, value]) => [
        el("dt", { text: name }),
        el("dd", {}, el("bdi", { text: value ?? "not known" })),
      ]),
    ),
    video.damage.length
      ? el("ul", { class: "damage small" }, ...video.damage.map((text) => el("li", { text })))
      : null,
    el("a", { class: "button", href: video.links.original, download: "", text: "Download the original" }),
  );
  about.classList.add("about");
  return about;
}

/** @param {Page.Video} video */
export function jobsCard({ jobs }) {
  if (!jobs.length) return null;
  const newest = [...jobs].sort((one, other) => other.created_at_ms - one.created_at_ms);
  return card(
    "Processing",
    el(
      "ul",
      { class: "jobs" },
      ...newest.map((job) =>
        el(
          "li",
          { "data-state": job.state },
          el("span", { class: "strong", text: JOBS[job.kind] ?? job.kind }),
          el("span", { text: jobWords(job) }),
          job.reason ? el("span", { class: "muted small job-reason", text: job.reason }) : null,
        ),
      ),
    ),
  );
}

/** @param {Page.VideoJob} job */
function jobWords({ state, progress, attempts, ended_at_ms: ended }) {
  const share = state === "running" && progress !== null ? [percent(progress)] : [];
  const tries = attempts > 1 ? [`${plural(attempts, "try", "tries")}`] : [];
  const when = ended === null ? [] : [moment(Math.floor(ended / 1000) * 1000)];
  return [JOB_STATES[state] ?? state, ...share, ...tries, ...when].join(" · ");
}
