// All that is known of a video's file: what is asked of every video, and what was found in its bytes.

import { el } from "frametally/js/shared/dom.js";
import { moment, number, plural, toTheMinute } from "frametally/js/shared/format.js";
import { TIME_SOURCES, bytes, filmed, playTime, visible } from "../library/words.js";
import { askMetadata, Kept, whyMissing } from "./asking.js";
import { factGroup, factTable } from "./facts.js";

/** @typedef {import("./facts.js").Fact} Fact */

export class About {
  constructor() {
    this.usual = el("div", { class: "about" });
    this.found = el("div", { class: "fact-groups" });
    this.element = el("div", { class: "card" }, this.usual, this.found);
    this.kept = new Kept(askMetadata, (metadata) => this.#showFound(metadata));
    /** @type {Page.Video|null} */
    this.video = null;
  }

  /** @param {Page.Video} video */
  show(video) {
    this.video = video;
    this.usual.replaceChildren(...usualParts(video));
    this.kept.show(video.id, video.links.metadata ?? null);
    if (!video.links.metadata) this.#showFound(null); // why, may be another each time
  }

  end() {
    this.kept.end();
  }

  /** @param {Page.VideoMetadata|null} metadata */
  #showFound(metadata) {
    const { links, jobs } = /** @type {Page.Video} */ (this.video);
    if (metadata && links.metadata) {
      this.found.replaceChildren(
        ...partsOf(metadata).filter((part) => part !== null),
        download(links.metadata),
      );
      return;
    }
    const text = whyMissing(jobs, "metadata", {
      coming: "What else its bytes tell is being found out.",
      failed: "What else its bytes tell could not be found out:",
      missing: "What else its bytes tell is not known yet.",
    });
    this.found.replaceChildren(el("p", { class: "muted small job-reason", text }));
  }
}

/** @param {string} href */
const download = (href) =>
  el("a", { class: "button", href, download: "metadata.json", text: "Download the metadata (JSON)" });

/** @param {Page.Video} video */
function usualParts(video) {
  const when = filmed(video);
  const from = video.time_source;
  /** @type {Fact[]} */
  const facts = [
    ["Filmed", when === null || from === null ? when : `${when} (${TIME_SOURCES[from]})`],
    ["Source", video.source_name],
    ["Length", video.duration_s === null ? null : playTime(video.duration_s)],
    ["Picture", `${video.width_px} × ${video.height_px} px`],
    ["Frames a second", video.fps === null ? null : rate(video.fps)],
    ["Sound", video.has_sound ? "yes" : "no"],
    ["Kind", `${video.container}, ${video.codec}`],
    ["Size", bytes(video.size_bytes)],
    ["File", video.file_name],
    ["Uploaded", `${toTheMinute(video.uploaded_at_ms)}${video.owner ? ` by ${video.owner}` : ""}`],
    ["SHA-256", video.sha256],
  ];
  return [
    /** @type {Node} */ (
      factGroup(
        "The file",
        facts.map(([name, value]) => [name, value ?? "not known"]),
      )
    ),
    ...(video.damage.length
      ? [
          el(
            "ul",
            { class: "damage small" },
            ...video.damage.map((text) => el("li", { text: visible(text) })),
          ),
        ]
      : []),
    el("a", { class: "button", href: video.links.original, download: "", text: "Download the original" }),
  ];
}

/** @param {Page.VideoMetadata} found */
function partsOf(found) {
  const { moov, created_at_ms: created, sampled_frames: sampled, chapters, others, tags } = found;
  return [
    factGroup("As players see it", [
      ["Plays in browsers", found.plays_in_browsers ? "yes" : `no: ${found.why_not ?? "nobody knows why"}`],
      ["Says where it was filmed", found.had_location ? "yes, kept nowhere else" : "no"],
      ["Filmed, by its own word", created === null ? null : moment(Math.floor(created / 1000) * 1000)],
      ["Frames that are counted", sampled === null ? null : number(sampled)],
    ]),
    factGroup("Container", [
      ["Kind", found.container],
      ["Brands", found.brands.join(", ")],
      ["Index", moov === null ? null : moov === "first" ? "first: it plays while it loads" : "last"],
      ["Length", seconds(found.duration_s)],
      ["Bits a second", bitRate(found.bit_rate_bps)],
      ["Other streams", others.join(", ")],
      ["Found out by version", found.made_by],
    ]),
    factTable("Pictures", namesOf("Stream", found.pictures), found.pictures.map(pictureFacts)),
    factTable("Sound", namesOf("Stream", found.sounds), found.sounds.map(soundFacts)),
    factTable(
      "Chapters",
      chapters.map(({ title }) => visible(title)),
      chapters.map(({ start_s: from, end_s: to }) => [
        ["From", playTime(from)],
        ["To", playTime(to)],
      ]),
    ),
    factGroup("Texts in it", Object.entries(tags)),
  ];
}

/** @param {string} noun @param {{index: number}[]} streams */
const namesOf = (noun, streams) => streams.map(({ index }) => `${noun} ${index}`);

/** @param {Page.PictureStream} one @returns {Fact[]} */
const pictureFacts = (one) => [
  ["Codec", one.codec],
  ["Profile", one.profile],
  ["Level", one.level],
  ["Pixels", one.pixel_format],
  ["Bits", one.bits],
  ["Size", `${one.width_px} × ${one.height_px} px`],
  ["Pixel aspect", one.sample_aspect_ratio],
  ["Picture aspect", one.display_aspect_ratio],
  ["Turned", one.rotation_degrees ? `${one.rotation_degrees}°` : "no"],
  ["Colour matrix", one.color_space],
  ["Transfer", one.color_transfer],
  ["Primaries", one.color_primaries],
  [
    "Range",
    one.color_range === "tv" ? "limited (tv)" : one.color_range === "pc" ? "full (pc)" : one.color_range,
  ],
  ["Frames, counted", number(one.frames_counted)],
  ["Frames, as it states", one.frames_stated === null ? null : number(one.frames_stated)],
  ["Frames a second, mean", one.average_fps === null ? null : rate(one.average_fps)],
  ["Frames a second, real", one.real_fps === null ? null : rate(one.real_fps)],
  ["Rate", rateWords(one)],
  ["Time base", one.time_base],
  [
    "Between key frames, at most",
    one.longest_gop_frames === null ? null : plural(one.longest_gop_frames, "frame"),
  ],
  ["B frames", one.has_b_frames ? "yes" : "no"],
  ["Bits a second", bitRate(one.bit_rate_bps)],
  ["Begins at", seconds(one.start_s)],
  ["Length", seconds(one.duration_s)],
];

/** @param {Page.SoundStream} one @returns {Fact[]} */
const soundFacts = (one) => [
  ["Codec", one.codec],
  ["Profile", one.profile],
  ["Samples a second", one.sample_rate_hz === null ? null : number(one.sample_rate_hz)],
  ["Channels", one.channels],
  ["Layout", one.layout],
  ["Language", one.language],
  ["Bits a second", bitRate(one.bit_rate_bps)],
  ["Length", seconds(one.duration_s)],
];

/** @param {Page.PictureStream} stream */
function rateWords({ is_variable_rate: varies, shortest_step_s: shortest, longest_step_s: longest }) {
  if (!varies) return "the same all along";
  if (shortest === null || longest === null) return "varies";
  const ms = (/** @type {number} */ step) => number(Math.round(step * 10_000) / 10);
  return `varies: ${ms(shortest)} to ${ms(longest)} ms a frame`;
}

/** @param {number} fps */
const rate = (fps) => number(Math.round(fps * 1000) / 1000);

/** @param {number|null} value */
const seconds = (value) => (value === null ? null : `${number(Math.round(value * 1000) / 1000)} s`);

/** @param {number|null} bps */
const bitRate = (bps) =>
  bps === null
    ? null
    : bps >= 1_000_000
      ? `${number(Math.round(bps / 10_000) / 100)} Mbit/s`
      : `${number(Math.round(bps / 100) / 10)} kbit/s`;
