// The types that the page's modules share.

declare namespace Page {
  /** The element of a tag with classes, separated by dots, such as "p.muted.small". */
  type ElementOf<Name extends string> = HTMLElementTagNameMap[(Name extends `${infer Tag}.${string}`
    ? Tag
    : Name) &
    keyof HTMLElementTagNameMap];

  /** Two compared models, and where other capabilities add their parts. */
  interface ModelPair {
    first: string;
    second: string;
    slot: HTMLElement;
  }

  /** The viewer's choices, as in the page's address. */
  interface State {
    /** Empty means all. */
    labels: string[];
    /** Empty means all. */
    sources: string[];
    /** `null` means the one that suits the footage; the answer's `metric` names it. */
    metric: Api.Metric | null;
    /** Milliseconds since 1970; `null` means the start of the data. */
    from: number | null;
    /** Milliseconds, exclusive; `null` means the end of the data. */
    to: number | null;
    /** Seconds; `null` means that the server chooses. */
    interval: number | null;
    /** Local hours of each day, as "08:00-09:00", past midnight if the end is earlier; `null` means all day. */
    hours: string | null;
    /** 1 is Monday; empty means all. */
    weekdays: number[];
    /** IANA name; `null` means the viewer's own. */
    timezone: string | null;
    /** `null` means the newest. */
    model: string | null;
    /** Name of a zone in the picture that limits the counts; `null` means the whole picture. */
    zone: string | null;
    /** "previous", "day", "week", "source:<slug>" or "model:<id>"; `null` means none. */
    compare: string | null;
    /** Start of the bar whose frames are in view, in milliseconds; `null` means all bars. */
    at: number | null;
    /** The current frame (or object) of that bar; `null` means the first. */
    frame: string | null;
    chart: "bars" | "lines";
    view: "chart" | "table";
    boxes: boolean;
    /** Whether the proof includes frames without counted objects. */
    empty: boolean;
  }

  /** An interval with footage. */
  interface Row {
    start: number;
    /** Exclusive. */
    end: number;
    frames: number;
    /** Whether the row is for one source; the mean of several is not the mean of all frames. */
    ofOne: boolean;
    /** Why objects are unknown, also those that were not seen; `null` if there were none. */
    missing: Api.Missing | null;
    filmed: Filmed;
    /** All labels together; undefined if nothing was found. */
    all: Api.CountBucket | undefined;
    /** By label; `null` is the group of labels that the answer combines. */
    byLabel: Map<string | null, Api.CountBucket>;
  }

  /** The filmed part of the chosen time, for each source with video. */
  interface Filmed {
    /** 0 to 1; `null` if unknown, for example for single pictures. */
    part: number | null;
    /** Per source. */
    askedS: number;
    sources: number;
  }

  type Span = [start: number, end: number];

  /** Footage that shows nothing, and why. */
  interface Nothing {
    span: Span;
    kind: string;
  }

  /** The interval of the true number, from an accuracy check, and the estimate without the model's errors. */
  interface Interval {
    low: number;
    high: number;
    estimate: number;
  }

  /** A number, or `null`; for an unknown number, its known part. */
  interface Known {
    value: number | null;
    part: number | null;
  }

  /** One colour of the chart: a label, or the rest together. */
  interface Series {
    name: string;
    /** `null` is the group of labels that the answer combines. */
    label: string | null;
    /** The names of the labels that share the colour. */
    title?: string;
    color: string;
    /** For the whole range. */
    total: Known;
    /** From an accuracy check; `null` if none covers it. */
    interval: Interval | null;
  }

  interface Metric {
    id: Api.Metric;
    name: string;
    /** Title above the chart: "Detections over time". */
    title: string;
    /** Title of the axis: "detections". */
    axis: string;
    /** Whether it grows with the interval; a mean and a peak do not. */
    perInterval: boolean;
    explanation: string;
    of: (measures: Api.Measures) => number | null;
    format: (value: number | null) => string;
    stacks: boolean;
  }

  /** What the chart and the table show. */
  interface View {
    rows: Row[];
    series: Series[];
    gaps: Span[];
    /** Filmed stretches without counts. */
    notAnalysed: Span[];
    /** Stretches in which all footage shows nothing. */
    nothing: Nothing[];
    /** Footage that shows nothing, by interval, including parts of rows. */
    leftOut: Pick<Api.ShowsNothing, "start_ms" | "reason" | "covered_s" | "frames">[];
    /** Rows that were only partly filmed. */
    partial: Span[];
    /** The chosen range; bars at its ends reach beyond it. */
    range: Span;
    /** Rows that reach beyond the range. */
    cut: Span[];
    /** Hours and days that were not chosen: they are neither footage nor gaps. */
    outside: Span[];
    /** Names of the counted sources. */
    sources: string[];
    /** Stretches with an unknown metric. */
    unmeasured: Span[];
    /** Stretches for which the metric is known only for some of the footage. */
    measuredInPart: Span[];
    /** Stretches with the time from a file's date. */
    fileTimes: Span[];
    /** Stretches in which footage of a source overlaps, so that only one recording counts. */
    overlaps: Span[];
    metric: Metric;
    /** Seconds. */
    interval: number;
    from: number;
    to: number;
    at: number | null;
    kind: "bars" | "lines";
    /** The other period, source or model, on this time axis. */
    other: {
      name: string;
      rows: { start: number; end: number; known: Known }[];
      /** Stretches without footage. */
      gaps: Span[];
      /** For each row of the view; undefined without footage. */
      values: (Known | undefined)[];
    } | null;
  }

  /** The chart on Answers; plug-ins get it whenever it shows another answer. */
  interface ShownChart {
    /** The question, with all open choices resolved. */
    state: State;
    /** `null` if no footage is counted. */
    view: View | null;
    chart: import("../frametally_web/static/js/chart/plot.js").TimeChart;
    /** Changes the question. */
    change: (part: Partial<State>) => void;
  }

  type ColorOf = (label: string | null) => string;

  /** How labels and sources look. */
  interface Looks {
    colorOf: ColorOf;
    /** A source's name by slug. */
    nameOf: (source: string) => string;
  }

  interface Answers {
    models: Api.Models["models"];
    labels: Api.Labels["labels"];
    sources: Api.SourceRange[];
    counts: Api.Counts;
    /** `null` while the server is adding it up; an error if it cannot. */
    summary: Api.Summary | import("../frametally_web/static/js/shared/api.js").ApiError | null;
    other: { counts: Api.Counts; comparison: Comparison } | null;
    /** Why the compared side is missing. */
    otherFault: import("../frametally_web/static/js/shared/api.js").ApiError | null;
  }

  interface Comparison {
    id: string;
    /** "a week earlier", "East Road", "yolov4-…" */
    name: string;
    state: State;
    /** Converts a moment of the compared side to the chart's time. */
    back: (ms: number) => number;
  }
}
