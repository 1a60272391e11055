// An answer of /api/counts for tests.

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
/** Midnight in UTC. */
export const MAY_1 = Date.UTC(2024, 4, 1);

/**
 * @param {string} label
 * @param {Partial<Api.CountBucket>} [values]
 * @returns {Api.CountBucket}
 */
export function bucket(label, values = {}) {
  return {
    start_ms: MAY_1,
    label,
    source: null,
    detections: 0,
    peak: 0,
    mean_per_frame: 0,
    objects: 0,
    objects_missing: null,
    tracked_detections: null,
    fast_objects: null,
    ...values,
  };
}

/**
 * An interval with footage.
 * @param {number} start
 * @param {number} [length]
 * @returns {Api.FramesAnalysed}
 */
export const filmed = (start, length = HOUR) => ({
  start_ms: start,
  end_ms: start + length,
  source: null,
  frames: 60,
  slowest_fps: 10,
  objects_missing: null,
  covered_s: length / 1000,
  asked_s: length / 1000,
  filmed_part: 1,
});

/**
 * @param {Api.OtherPeriod["compare"]} compare
 * @param {number} earlier  milliseconds
 * @returns {Api.OtherPeriod}
 */
const earlierBy = (compare, earlier) => ({
  compare,
  name: compare,
  from_ms: MAY_1 - earlier,
  to_ms: MAY_1 + DAY - earlier,
  shifts: [{ from_ms: MAY_1, earlier_ms: earlier }],
});

/**
 * @param {Partial<Api.Counts>} values
 * @returns {Api.Counts}
 */
export function countsWith(values) {
  return {
    model: "yolo-1",
    base_interval_s: 60,
    interval_s: 3600,
    timezone: "UTC",
    metric: "detections",
    interval_choices_s: [3600],
    from_ms: MAY_1,
    to_ms: MAY_1 + DAY,
    frames: 60,
    sources: ["gate"],
    labels: [],
    rest: [],
    buckets: [],
    coverage: [],
    bars: [],
    filmed: [],
    totals: [],
    rest_totals: [],
    together: [],
    not_analysed: [],
    shows_nothing: [],
    not_within: [],
    frames_not_looked_at: 0,
    file_times: null,
    overlaps: null,
    overlaps_left_out: 0,
    objects_note: null,
    counted_with: [],
    comparisons: [earlierBy("previous", DAY), earlierBy("day", DAY), earlierBy("week", 7 * DAY)],
    ...values,
  };
}

/**
 * @param {string} source
 * @returns {Api.SourceRange}
 */
export const sourceCalled = (source) => ({
  source,
  name: source.toUpperCase(),
  frames: 1,
  first_interval_ms: MAY_1,
  next_interval_ms: MAY_1 + DAY,
  timed_by_file: false,
  file_times: null,
  footage_until_ms: null,
  counted_until_ms: null,
  zones: [],
});
