// The answer above the chart: one sentence, its footage, and a tab for each metric. Each number appears once.

import { ApiError } from "../shared/api.js";
import { estimateWords, intervalOf, rangeWords } from "../shared/checked.js";
import { el, refill } from "../shared/dom.js";
import {
  change,
  difference,
  isOneDay,
  labelName,
  number,
  pluralOf,
  roughly,
  span,
  spanAmong,
  timeAmong,
} from "../shared/format.js";
import {
  amountOf,
  brief,
  fromStartWords,
  knownWords,
  METRICS,
  untrackedWords,
  WHY_NOT,
} from "../shared/metrics.js";
import { absenceOf, allIn, PARTIAL, shareWords } from "../shared/series.js";
import { nothingWords } from "../chart/tooltip.js";
import { askedPart } from "../shared/spans.js";
import { t } from "../shared/texts.js";

const WEEK_MS = 7 * 86_400_000;
// Daylight saving time changes a week by an hour.
const SLACK_MS = 7_200_000;

/**
 * @typedef {Object} Leads  links from the answers
 * @property {(start: number) => void} bar
 * @property {(start: number, image: string) => void} peak  opens this frame of the bar
 * @property {(change: Partial<Page.State>) => void} change
 */

/**
 * A tab for each metric; the headline shows the number of the chosen one.
 * @param {HTMLElement} area
 * @param {Pick<Page.Answers, "counts"|"summary">} answers
 * @param {boolean} isFilmed
 * @param {(metric: Api.Metric) => void} onMetric
 */
export function showMetrics(area, { counts, summary }, isFilmed, onMetric) {
  const tabs = Object.values(METRICS).map((metric) => {
    const isChosen = metric.id === counts.metric;
    const { known, where } = knownAll(metric, counts);
    const short = (/** @type {number|null} */ value) => brief(metric, value);
    const isShown = isFilmed && !isChosen;
    const hasValue = isShown && (!where || known.part !== null); // otherwise there is only room for the reason
    return el(
      "button.measure",
      { title: metric.explanation, "aria-pressed": String(isChosen), onclick: () => onMetric(metric.id) },
      el("span.tile-name", metric.name),
      hasValue && el("span.value", { title: knownWords(metric, known) }, knownWords(metric, known, short)),
      hasValue && el("span.detail.muted", rangeWords(metric, checkedIn(metric, summary))),
      isShown && where && el("span.detail.muted", where),
    );
  });
  const focused = [...area.children].findIndex((one) => one === document.activeElement);
  area.replaceChildren(...tabs);
  tabs[focused]?.focus();
  const chosen = tabs.find((tab) => tab.ariaPressed === "true");
  // On a phone, you swipe the tabs.
  if (chosen) area.scrollLeft = chosen.offsetLeft + chosen.offsetWidth - area.clientWidth;
}

/**
 * The number of a metric, and where it was measured, or why it was not.
 * @param {Page.Metric} metric
 * @param {Api.Counts} counts
 * @returns {{known: Page.Known, where: string|null}}
 */
function knownAll(metric, counts) {
  const known = allIn(counts, metric);
  const missing = known.value === null ? counts.together[0]?.objects_missing : null;
  if (!missing) return { known, where: null };
  return { known, where: known.part ? partWords(counts, missing) : WHY_NOT[missing] };
}

/**
 * The interval of the total, from an accuracy check; an answer has it only for its own metric.
 * @param {Page.Metric} metric
 * @param {Page.Answers["summary"]} summary
 */
const checkedIn = (metric, summary) =>
  isAdded(summary) && (metric.id === "objects") === (summary.metric === "objects")
    ? intervalOf(summary.total, metric, summary.sources.length === 1 ? summary.frames : 0)
    : null;

/**
 * @param {HTMLElement} sentence
 * @param {HTMLElement} facts  the facts behind the sentence
 * @param {Pick<Page.Answers, "counts"|"summary">} answers
 * @param {Api.SourceRange[]} sources  of the question
 * @param {Page.State} state
 * @param {Leads} on
 */
export function showHeadline(sentence, facts, { counts, summary }, sources, state, on) {
  const metric = METRICS[counts.metric];
  if (!counts.coverage.length) {
    sentence.textContent = counts.not_analysed?.length ? t("web.filmed_not_analysed_yet") : absenceOf(counts);
    return facts.replaceChildren();
  }
  const { known, where } = knownAll(metric, counts);
  const written = (/** @type {number|null} */ value) => wordsOf(metric, value, state.labels);
  refill(
    sentence,
    el("span.value", knownWords(metric, known, written)),
    ...[where, fromStartWords(metric, counts.together[0])].map((words) =>
      words ? el("span.where", ` (${words})`) : "",
    ),
    estimateWords(metric, checkedIn(metric, summary)),
    ...(isAdded(summary) ? busiestWords(summary, counts, amountOf(known), on) : []),
  );
  const untracked = untrackedWords(metric, counts.together[0]);
  refill(
    facts,
    fact("source", filming(counts, sources)),
    untracked ? fact("untracked", untracked) : "",
    fact("filmed", isAdded(summary) ? filmed(summary) : null),
    fact(
      "frames",
      t("web.frames_analysed_number", { frames: t("web.count_frames", { count: counts.frames }) }),
    ),
    ...(isAdded(summary)
      ? [fact("peak", ...peakWords(summary, on)), fact("week", ...weekWords(summary, state, on))]
      : [fact("absent", whyAbsent(summary))]),
  );
}

/** @param {string} name @param {...(Node|string|null)} parts  if empty, the fact is hidden */
function fact(name, ...parts) {
  const words = parts.filter((part) => part !== null);
  return words.length ? el("span.fact", { "data-fact": name, title: words.length === 1 ? String(words[0]) : null }, ...words) : ""; // prettier-ignore
}

/**
 * "24 cars", "1,029 detections", "17.2 cars in a frame on average", "Up to 19 cars in a frame".
 * @param {Page.Metric} metric
 * @param {number|null} value
 * @param {string[]} chosen  chosen labels
 */
function wordsOf(metric, value, chosen) {
  if (value === null) return t("web.name_not_measured", { name: metric.name });
  const [label] = chosen.length === 1 ? chosen : [];
  const count = brief(metric, value);
  const things = label ? pluralOf(label, value) : null;
  if (metric.id === "mean_per_frame")
    return t("web.in_a_frame_on_average", { count, things: things ?? t("web.detections") });
  if (metric.id === "peak")
    return t("web.up_to_in_a_frame", { count, things: things ?? t("web.of_one_label") });
  if (metric.id === "objects")
    return things
      ? `${count} ${things}`
      : value === 1
        ? t("web.one_unique_object")
        : t("web.several_unique_objects", { count });
  return (
    (value === 1 ? t("web.one_detection") : t("web.several_detections", { count })) +
    (label ? t("web.of_label", { label }) : "")
  );
}

/**
 * ", busiest Tue 18 Nov, 17:15 – 17:30 (154)".
 * @param {Api.Summary} summary
 * @param {Api.Counts} counts
 * @param {number|null} all
 * @param {Leads} on
 */
function busiestWords({ busiest, metric, from_ms: from, to_ms: to }, { asked }, all, on) {
  const [most] = busiest;
  if (!most || from === null || to === null) return [];
  const when = spanAmong(...askedPart(most, asked), from, to);
  const mostKnown = most.is_least ? { value: null, part: most.value } : { value: most.value, part: null };
  const words = [knownWords(METRICS[metric], mostKnown), fromStartWords(METRICS[metric], most)];
  return [
    t("web.busiest"),
    lead(when, t("web.show_the_frames"), () => on.bar(most.start_ms)),
    most.value === all ? "" : ` (${words.filter(Boolean).join(", ")})`,
  ];
}

/**
 * Whether the summary is available.
 * @param {Page.Answers["summary"]} summary
 * @returns {summary is Api.Summary}
 */
export const isAdded = (summary) => summary !== null && !(summary instanceof ApiError);

/** The text that replaces a missing summary, with the server's message if it failed. @param {ApiError|null} fault */
export function whyAbsent(fault) {
  if (fault === null) return t("web.still_adding_up_the_totals");
  const said = `${t("web.the_totals_cannot_be_shown")} ${fault.message} ${fault.remedy}`.trim();
  return fault.passes ? t("web.this_page_keeps_trying", { said }) : said;
}

/** Where objects were measured, if not everywhere. @param {Api.Counts} counts @param {Api.Missing} missing */
function partWords({ objects_measured_in: measured }, missing) {
  if (!measured) return t("web.some_labels_are_not_measured", { why: WHY_NOT[missing] });
  const part = measured.sources < measured.of_sources ? partOf(measured) : t("web.part_of_the_footage");
  return t("web.measured_in", { part });
}

/** "2 of 3 sources", "3 sources" @param {Api.OfSources} part */
const partOf = ({ sources, of_sources: all }) =>
  sources < all
    ? t("web.sources_of_all", {
        sources: number(sources),
        of_sources: t("web.count_sources", { count: all }),
      })
    : t("web.count_sources", { count: all });

/**
 * The source, or how many sources have footage in the range.
 * @param {Api.Counts} counts
 * @param {Api.SourceRange[]} sources
 */
function filming({ from_ms: from, to_ms: to }, sources) {
  const all = sources.filter(
    (one) => one.first_interval_ms < (to ?? Infinity) && one.next_interval_ms > (from ?? -Infinity),
  );
  return all.length === 1 ? all[0].name : t("web.count_sources", { count: all.length });
}

/**
 * "22 min filmed (26% of 3 × 28 min), 5 min black": only video has a duration, so single pictures do not count.
 * @param {Api.Summary} summary
 */
function filmed({
  filmed: { filmed_s: seconds, part, asked_s: askedS, sources },
  shows_nothing: nothing,
  filmed_in: where,
}) {
  if (seconds === null) return null;
  const length = roughly(seconds * 1000);
  const pictures = where.of_sources - where.sources;
  const share = part !== null && part < PARTIAL ? ` (${shareWords({ part, askedS, sources })})` : "";
  const all = nothing.length ? t("web.usable", { length, share }) : t("web.length_filmed", { length, share });
  const parts = [
    sources ? all : null,
    ...nothing.map(nothingWords),
    pictures ? t("web.single_pictures_of", { pictures: t("web.count_sources", { count: pictures }) }) : null,
  ];
  return parts.filter((one) => one !== null).join(", ") || null;
}

/** Why the list of the busiest intervals is empty. @param {Api.Summary} summary @param {Api.Counts} counts */
export function noneOf({ frames, total, metric }, counts) {
  if (frames) return METRICS[metric].of(total) === null ? t("web.not_measured") : t("web.nothing_was_found");
  return absenceOf(counts);
}

/**
 * The change from the week before, with the numbers of both weeks and a link to the comparison.
 * @param {Api.Summary} summary
 * @param {Page.State} state
 * @param {Leads} on
 */
function weekWords({ week_before: then, from_ms: from, to_ms: to, metric: id }, state, on) {
  if (!then || from === null || to === null) return [];
  const { now_same_hours: now, value_same_hours: before, compared_in: sources } = then;
  if (now === null || before === null) return [];
  const weeks = Math.round((from - then.from_ms) / WEEK_MS);
  const isSameWeek = to - from <= WEEK_MS + SLACK_MS && state.compare !== "week";
  const metric = METRICS[id];
  return [
    el("span.value", then.change === null ? difference(now) : change(then.change)),
    t("web.against_before", { part: weeks > 1 ? t("web.weeks", { weeks }) : t("web.the_week") }),
    el(
      "span.beyond",
      t("web.then_same_hours_filmed", {
        from_ms: span(then.from_ms, then.to_ms),
        now: metric.format(now),
        before: metric.format(before),
        sources: partOf(sources),
        both: number(then.intervals),
        all: number(then.of_intervals),
      }),
    ),
    isSameWeek ? lead("compare", t("web.with_a_week_earlier"), () => on.change({ compare: "week" })) : null,
  ];
}

/** The fullest frame; the tab of the peak has its number. @param {Api.Summary} summary @param {Leads} on */
function peakWords({ peak, from_ms: from, to_ms: to }, on) {
  if (!peak || from === null || to === null) return [];
  const { start_ms: start, image_path: image, captured_at_ms: at } = peak;
  const words = `${labelName(peak.label)}, ${timeAmong(at, !isOneDay(from, to))}`;
  return image === null ? [t("web.fullest_frame", { words })] : [t("web.fullest_frame_word"), lead(words, t("web.open_the_frame"), () => on.peak(start, image))]; // prettier-ignore
}

/**
 * @param {string} text
 * @param {string} more  for screen readers only
 * @param {() => void} onclick
 */
const lead = (text, more, onclick) => el("button.link", { "aria-label": `${text}: ${more}`, onclick }, text);
