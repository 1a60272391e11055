// The facts about a video's file: its record, and what the worker found in the file.

import { el } from "frametally/js/shared/dom.js";
import { bytes, moment, number, toTheMinute } from "frametally/js/shared/format.js";
import { namedTable, rowOf } from "frametally/js/shared/tables.js";
import { isOpen, newestFirst } from "../jobs/words.js";
import { filmed, playTime, TIME_SOURCES, visible } from "../library/words.js";
import { askMetadata } from "../library/requests.js";
import { calibrationWords, regionWords } from "../uploads/checks.js";
import { t } from "frametally/js/shared/texts.js";

/**
 * Why a worker's result for a video is missing.
 * @param {Api.VideoJob[]} jobs  the video's jobs
 * @param {Api.VideoJob["kind"]} kind
 * @param {{coming: string, failed: string, missing: string}} words
 */
export function whyMissing(jobs, kind, { coming, failed, missing }) {
  const newest = newestFirst(jobs).find((job) => job.kind === kind);
  if (newest && isOpen(newest)) return coming;
  return newest?.state === "failed" ? `${failed} ${visible(newest.reason ?? "")}` : missing;
}

/**
 * A video's answer for one part of the page; it is requested again only if it may have changed.
 * @template Answer
 */
export class Kept {
  /**
   * @param {(id: string, signal: AbortSignal) => Promise<Answer>} ask
   * @param {(answer: Answer|null) => void} onAnswer  called with `null` if there is no answer yet
   */
  constructor(ask, onAnswer) {
    this.ask = ask;
    this.onAnswer = onAnswer;
    this.key = "";
    this.asking = new AbortController();
  }

  /**
   * @param {string} id
   * @param {string|null} version  identifies the answer; `null` if there is none yet
   */
  async show(id, version) {
    const key = JSON.stringify([id, version]);
    if (key === this.key) return;
    this.key = key;
    this.asking.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    if (version === null) return this.onAnswer(null);
    try {
      const answer = await this.ask(id, signal);
      if (!signal.aborted) this.onAnswer(answer);
    } catch {
      // The server is unavailable or the answer does not exist yet: the next update requests it again.
      if (this.key === key) this.key = "";
    }
  }

  /** Requests the next answer in any case. */
  forget() {
    this.key = "";
  }

  end() {
    this.asking.abort();
    this.key = "";
  }
}

/** @typedef {[name: string, value: string|number|null|undefined]} Fact */

/** @param {Fact[1]} value */
const isKnown = (value) => value !== null && value !== undefined && value !== "";

/**
 * A known value as text.
 * @template T
 * @param {T|null} value
 * @param {(value: T) => string} write
 */
const ifKnown = (value, write) => (value === null ? null : write(value));

/** @param {boolean} is */
const yesOrNo = (is) => (is ? t("videos.yes") : t("videos.no"));

/**
 * @param {string} title
 * @param {Fact[]} facts  those without a value are left out
 * @returns {HTMLElement|null}  `null` if no fact has a value
 */
function factGroup(title, facts) {
  const known = facts.filter(([, value]) => isKnown(value));
  if (!known.length) return null;
  return el(
    "section.fact-group",
    el("h3", title),
    el("dl.facts", ...known.flatMap(([name, value]) => pair(name, String(value)))),
  );
}

/** A longer value gets its own line where two facts are side by side. */
const MOST_CHARS = 40;

/** @param {string} name @param {string} value */
const pair = (name, value) => [
  el("dt", el("bdi", visible(name))),
  el("dd", value.length > MOST_CHARS ? { class: "long" } : {}, el("bdi", visible(value))),
];

/**
 * A table with a column for each item, and a row for each fact that at least one item has.
 * @param {string} title
 * @param {string[]} names  column names
 * @param {Fact[][]} columns  facts with the same names in the same order
 */
function factTable(title, names, columns) {
  if (!columns.length) return null;
  const known = columns[0]
    .map(([name], at) => ({ name, values: columns.map((facts) => facts[at][1]) }))
    .filter(({ values }) => values.some(isKnown));
  const rows = known.map(({ name, values }) =>
    rowOf(name, ...values.map((value) => el("td", el("bdi", visible(String(value ?? "–")))))),
  );
  const table = namedTable(title, ["", ...names], Infinity, rows, { kind: "fact-table" });
  const area = el("div.scrolls", { tabindex: "0", role: "group", "aria-label": title }, table);
  return el("section.fact-group", el("h3", title), area);
}

export class About {
  constructor() {
    this.usual = el("div.about");
    this.found = el("div.fact-groups.stack");
    this.element = el("div.card", this.usual, this.found);
    this.kept = new Kept(askMetadata, (metadata) => this.#showFound(metadata));
    /** @type {Api.LibraryVideo|null} */
    this.video = null;
    this.isShown = false;
  }

  /** @param {Api.LibraryVideo} video */
  show(video) {
    this.video = video;
    this.usual.replaceChildren(...usualParts(video));
    this.turn(this.isShown);
  }

  /** Requests the file's metadata when you open the tab. @param {boolean} isShown */
  turn(isShown) {
    this.isShown = isShown;
    if (!this.video || !isShown) return;
    this.kept.show(this.video.id, this.video.links.metadata ?? null);
    if (!this.video.links.metadata) this.#showFound(null); // always, because the reason may have changed
  }

  end() {
    this.kept.end();
  }

  /** @param {Api.VideoMetadata|null} metadata */
  #showFound(metadata) {
    const { links, jobs } = /** @type {Api.LibraryVideo} */ (this.video);
    if (metadata && links.metadata) {
      this.found.replaceChildren(
        ...partsOf(metadata).filter((part) => part !== null),
        el(
          "a.button",
          { href: links.metadata, download: "metadata.json" },
          t("videos.download_the_metadata_json"),
        ),
      );
      return;
    }
    const text = whyMissing(jobs, "metadata", {
      coming: t("videos.what_else_its_bytes_tell_is"),
      failed: t("videos.what_else_its_bytes_tell_could"),
      missing: t("videos.what_else_its_bytes_tell_is_unknown"),
    });
    this.found.replaceChildren(el("p.muted.small.job-reason", text));
  }
}

/** @param {Api.LibraryVideo} video */
function usualParts(video) {
  const when = filmed(video);
  const from = video.time_source;
  /** @type {Fact[]} */
  const facts = [
    [t("web.filmed_title"), when === null || from === null ? when : `${when} (${TIME_SOURCES[from]})`],
    [t("web.source"), video.source_name],
    [t("videos.length"), ifKnown(video.duration_s, playTime)],
    [t("videos.picture"), `${video.width_px} × ${video.height_px} px`],
    [t("videos.frames_a_second"), ifKnown(video.fps, rate)],
    [t("videos.sound"), yesOrNo(video.has_sound)],
    [t("videos.kind"), `${video.container}, ${video.codec}`],
    [t("videos.size"), bytes(video.size_bytes)],
    [t("videos.file"), video.file_name],
    [
      t("videos.uploaded"),
      `${toTheMinute(video.uploaded_at_ms)}${video.owner ? t("videos.by", { owner: video.owner }) : ""}`,
    ],
    ["SHA-256", video.sha256],
    ...drawn(t("videos.region_of_interest"), video.roi, regionWords),
    ...drawn(t("videos.calibration"), video.calibration, calibrationWords),
  ];
  return [
    /** @type {Node} */ (
      factGroup(
        t("videos.the_file"),
        facts.map(([name, value]) => [name, value ?? t("videos.not_known")]),
      )
    ),
    ...(video.damage.length
      ? [el("ul.damage.small", ...video.damage.map((text) => el("li", visible(text))))]
      : []),
    ...video.remarks.map((text) => el("p.muted.small", visible(text))),
    el("a.button", { href: video.links.original, download: "" }, t("videos.download_the_original")),
  ];
}

/**
 * A drawing that was uploaded with the video, in words.
 * @param {string} name
 * @param {object|null} value
 * @param {(value: object) => string|null} wordsFor
 * @returns {Fact[]}
 */
const drawn = (name, value, wordsFor) => (value ? [[name, wordsFor(value)]] : []);

/** @param {Api.VideoMetadata} found */
function partsOf(found) {
  const { moov, created_at_ms: created, sampled_frames: sampled, chapters, others, tags } = found;
  return [
    factGroup(t("videos.as_players_see_it"), [
      [
        t("videos.plays_in_browsers"),
        found.plays_in_browsers
          ? t("videos.yes")
          : t("videos.no", { why_not: found.why_not ?? t("videos.nobody_knows_why") }),
      ],
      [
        t("videos.says_where_it_was_filmed"),
        found.had_location ? t("videos.yes_kept_nowhere_else") : t("videos.no"),
      ],
      [t("videos.filmed_by_its_own_word"), ifKnown(created, (ms) => moment(Math.floor(ms / 1000) * 1000))],
      [t("videos.frames_that_are_counted"), ifKnown(sampled, number)],
    ]),
    factGroup(t("videos.container"), [
      [t("videos.kind"), found.container],
      [t("videos.brands"), found.brands.join(", ")],
      [t("videos.index"), ifKnown(moov, (place) => MOOV[place])],
      [t("videos.length"), ifKnown(found.duration_s, seconds)],
      [t("videos.bits_a_second"), ifKnown(found.bit_rate_bps, bitRate)],
      [t("videos.other_streams"), others.join(", ")],
      [t("videos.found_out_by_version"), found.made_by],
    ]),
    factTable(
      t("videos.pictures"),
      namesOf(t("videos.stream"), found.pictures),
      found.pictures.map(pictureFacts),
    ),
    factTable(t("videos.sound"), namesOf(t("videos.stream"), found.sounds), found.sounds.map(soundFacts)),
    factTable(
      t("videos.chapters"),
      chapters.map(({ title }) => visible(title)),
      chapters.map(({ start_s: from, end_s: to }) => [
        [t("web.from_title"), playTime(from)],
        [t("web.to"), playTime(to)],
      ]),
    ),
    factGroup(t("videos.texts_in_it"), Object.entries(tags)),
  ];
}

/** Position of a file's index. */
const MOOV = { first: t("videos.first_it_plays_while_it_loads"), last: t("videos.last") };
/** @type {Record<string, string>} */
const COLOR_RANGES = { tv: t("videos.limited_tv"), pc: t("videos.full_pc") };

/** @param {string} noun @param {{index: number}[]} streams */
const namesOf = (noun, streams) => streams.map(({ index }) => `${noun} ${index}`);

/** @param {Api.PictureStream} one @returns {Fact[]} */
const pictureFacts = (one) => [
  [t("videos.codec"), one.codec],
  [t("videos.profile"), one.profile],
  [t("videos.level"), one.level],
  [t("videos.pixels"), one.pixel_format],
  [t("videos.bits"), one.bits],
  [t("videos.size"), `${one.width_px} × ${one.height_px} px`],
  [t("videos.pixel_aspect"), one.sample_aspect_ratio],
  [t("videos.picture_aspect"), one.display_aspect_ratio],
  [t("videos.turned"), one.rotation_degrees ? `${one.rotation_degrees}°` : t("videos.no")],
  [t("videos.colour_matrix"), one.color_space],
  [t("videos.transfer"), one.color_transfer],
  [t("videos.primaries"), one.color_primaries],
  [t("videos.range"), ifKnown(one.color_range, (name) => COLOR_RANGES[name] ?? name)],
  [t("videos.frames_counted"), number(one.frames_counted)],
  [t("videos.frames_as_it_states"), ifKnown(one.frames_stated, number)],
  [t("videos.frames_a_second_mean"), ifKnown(one.average_fps, rate)],
  [t("videos.frames_a_second_real"), ifKnown(one.real_fps, rate)],
  [t("videos.rate"), rateWords(one)],
  [t("videos.time_base"), one.time_base],
  [
    t("videos.between_key_frames_at_most"),
    ifKnown(one.longest_gop_frames, (count) => t("web.count_frames", { count })),
  ],
  [t("videos.b_frames"), yesOrNo(one.has_b_frames)],
  [t("videos.bits_a_second"), ifKnown(one.bit_rate_bps, bitRate)],
  [t("videos.begins_at"), ifKnown(one.start_s, seconds)],
  [t("videos.length"), ifKnown(one.duration_s, seconds)],
];

/** @param {Api.SoundStream} one @returns {Fact[]} */
const soundFacts = (one) => [
  [t("videos.codec"), one.codec],
  [t("videos.profile"), one.profile],
  [t("videos.samples_a_second"), ifKnown(one.sample_rate_hz, number)],
  [t("videos.channels"), one.channels],
  [t("videos.layout"), one.layout],
  [t("web.language_of_the_page"), one.language],
  [t("videos.bits_a_second"), ifKnown(one.bit_rate_bps, bitRate)],
  [t("videos.length"), ifKnown(one.duration_s, seconds)],
];

/** @param {Api.PictureStream} stream */
function rateWords({ is_variable_rate: varies, shortest_step_s: shortest, longest_step_s: longest }) {
  if (!varies) return t("videos.the_same_all_along");
  if (shortest === null || longest === null) return t("videos.varies");
  const ms = (/** @type {number} */ step) => number(Math.round(step * 10_000) / 10);
  return t("videos.varies_to_ms_a_frame", { shortest: ms(shortest), longest: ms(longest) });
}

/** Rounded to three decimals. @param {number} value */
const rate = (value) => number(Math.round(value * 1000) / 1000);

/** @param {number} value */
const seconds = (value) => `${rate(value)} s`;

/** @param {number} bps */
const bitRate = (bps) =>
  bps >= 1_000_000
    ? t("videos.mbit_s", { bps: number(Math.round(bps / 10_000) / 100) })
    : t("videos.kbit_s", { bps: number(Math.round(bps / 100) / 10) });
