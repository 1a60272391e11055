// The API's answers, as docs/api.md has them. All times are milliseconds since 1970, UTC.

declare namespace Api {
  type Metric = "detections" | "mean_per_frame" | "peak" | "objects";
  type ObjectsMissing = "not_tracked" | "too_slow";
  type TimeSource = string;

  interface Measures {
    detections: number;
    peak: number;
    mean_per_frame: number | null;
    objects: number | null;
    objects_missing?: ObjectsMissing | null;
  }

  interface Models {
    models: { model: string; base_intervals_s: number[] }[];
  }

  interface Labels {
    model: string | null;
    labels: { label: string; detections: number }[];
  }

  interface SourceRange {
    source: string;
    name: string;
    frames: number;
    first_interval_ms: number;
    next_interval_ms: number;
    timed_by_file: boolean | null;
  }

  interface Sources {
    model: string | null;
    sources: SourceRange[];
  }

  interface Bucket extends Measures {
    start_ms: number;
    label: string;
    source: string | null;
  }

  interface Total extends Measures {
    label: string;
    source: string | null;
  }

  interface Coverage {
    start_ms: number;
    end_ms: number;
    source: string | null;
    frames: number;
    slowest_fps: number | null;
  }

  interface Counts {
    model: string | null;
    base_interval_s: number | null;
    interval_s: number | null;
    timezone: string;
    metric: Metric;
    interval_choices_s: number[];
    from_ms: number | null;
    to_ms: number | null;
    frames: number;
    sources: string[];
    labels: string[];
    buckets: Bucket[];
    coverage: Coverage[];
    totals: Total[];
    file_times: { source: string; from_ms: number; to_ms: number }[] | null;
    objects_note: string | null;
  }

  interface WeekCell {
    weekday: number;
    hour: number;
    frames: number;
    detections: number;
    mean_per_frame: number | null;
    peak: number;
    objects: number | null;
    objects_missing: ObjectsMissing | null;
  }

  interface Heatmap {
    model: string | null;
    timezone: string;
    from_ms: number | null;
    to_ms: number | null;
    frames: number;
    cells: WeekCell[];
  }

  interface Box {
    label: string;
    confidence: number;
    box: [number, number, number, number];
  }

  interface EvidenceFrame {
    label: string;
    count: number;
    source: string;
    captured_at_ms: number;
    image_path: string;
    image_url: string;
    time_source: TimeSource | null;
    width_px: number | null;
    height_px: number | null;
    boxes: Box[];
    note: string | null;
  }

  interface EvidenceFrames {
    model: string | null;
    frames: EvidenceFrame[];
    labels_left_out: number;
  }

  interface CountedFrame {
    source: string;
    captured_at_ms: number;
    image_path: string;
    image_url: string;
    time_source: TimeSource;
    width_px: number;
    height_px: number;
    count: number;
    running_total: number;
    boxes: Box[];
  }

  interface Frames {
    from_ms: number | null;
    to_ms: number | null;
    detections: number;
    frames_analysed: number;
    frames: CountedFrame[];
    next: string | null;
    note: string | null;
  }

  interface Sighting {
    captured_at_ms: number;
    image_path: string;
    image_url: string;
    box: Box;
  }

  interface CountedObject {
    id: string;
    source: string;
    label: string;
    first_seen_ms: number;
    last_seen_ms: number;
    boxes: number;
    running_total: number;
    first: Sighting;
    best: Sighting;
  }

  interface Objects {
    from_ms: number | null;
    to_ms: number | null;
    objects: number | null;
    objects_missing: ObjectsMissing | null;
    tracks: CountedObject[];
    next: string | null;
    note: string | null;
  }

  interface Run {
    run_id: string;
    day: string;
    interval_s: number;
    params: string;
    frames: number;
    duplicates_dropped: number;
    quality: {
      passed: boolean;
      detections: number;
      lines_dead: number;
      checks: { name: string; passed: boolean | null; count: number; details: string[] }[];
    } | null;
  }

  interface Runs {
    model: string | null;
    runs: Run[];
    runs_left_out: number;
  }

  interface SourceBooks {
    source: string;
    name: string;
    expected: number;
    announced: number;
    detected: number;
    dead_lettered: number;
    forgotten: number;
    counted: number;
    indexed: number;
    producing: boolean;
    timed_by_file: boolean;
    newest_captured_at_ms: number | null;
  }

  interface Books {
    as_of_ms: number;
    model: string | null;
    state: "settled" | "behind" | "broken";
    newest_captured_at_ms: number | null;
    newest_segment_at_ms: number | null;
    sources: SourceBooks[];
    stages: { stage: string; frames_behind: number; command: string }[];
    log: { messages: number; committed: number };
    frames_per_s: number | null;
    eta_s: number | null;
    lost_messages: number;
    dead_letters: { cause: string; frames: number; reason: string; command: string }[];
    behind: string[];
    broken: string[];
  }
}
