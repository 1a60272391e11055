// What the page's modules hand to each other.

declare namespace Page {
  /** The element of a tag with classes behind dots, such as "p.muted.small". */
  type ElementOf<Name extends string> = HTMLElementTagNameMap[(Name extends `${infer Tag}.${string}`
    ? Tag
    : Name) &
    keyof HTMLElementTagNameMap];

  /** Two models that are compared, and where other capabilities show what they have of them. */
  interface ModelPair {
    first: string;
    second: string;
    slot: HTMLElement;
  }

  /** What the viewer has chosen: the page's address, in other words. */
  interface State {
    /** Empty: all. */
    labels: string[];
    /** Empty: all. */
    sources: string[];
    /** null: what suits the footage; the answer's `metric` says which that is. */
    metric: Api.Metric | null;
    /** Milliseconds since 1970; null: where the data begins. */
    from: number | null;
    /** Milliseconds, exclusive; null: where the data ends. */
    to: number | null;
    /** Seconds; null: the server chooses. */
    interval: number | null;
    /** Local hours of each day, as "08:00-09:00"; past midnight where the end is earlier; null: all day. */
    hours: string | null;
    /** 1 = Monday; empty: all. */
    weekdays: number[];
    /** IANA name; null: the viewer's own. */
    timezone: string | null;
    /** null: the newest. */
    model: string | null;
    /** Name of a zone drawn over the picture, within which all is counted; null: the whole picture. */
    zone: string | null;
    /** "previous", "day", "week", "source:<slug>" or "model:<id>"; null: nothing. */
    compare: string | null;
    /** Start of the bar whose frames are shown, in milliseconds; null: all bars. */
    at: number | null;
    /** Which of that bar's frames (or objects) is looked at; null: the first. */
    frame: string | null;
    chart: "bars" | "lines";
    view: "chart" | "table";
    boxes: boolean;
    /** Whether the proof also shows frames in which nothing was counted. */
    empty: boolean;
  }

  /** An interval with footage. */
  interface Row {
    start: number;
    /** Exclusive. */
    end: number;
    frames: number;
    /** Whether it is of one source: the mean of several is not that of their frames. */
    ofOne: boolean;
    /** Why objects are not known, of what was not seen either; null: there were none. */
    missing: Api.Missing | null;
    filmed: Filmed;
    /** All labels together; undefined: nothing was found. */
    all: Api.CountBucket | undefined;
    /** By label; null: of those that the answer has together. */
    byLabel: Map<string | null, Api.CountBucket>;
  }

  /** What was filmed of the time asked for, of each source with film. */
  interface Filmed {
    /** 0 to 1; null: not known, as of single pictures. */
    part: number | null;
    /** Of each source. */
    askedS: number;
    sources: number;
  }

  type Span = [start: number, end: number];

  /** Footage that shows nothing, and why. */
  interface Nothing {
    span: Span;
    kind: string;
  }

  /** Where the truth is, by an accuracy check, and what it would be without the errors of the model. */
  interface Interval {
    low: number;
    high: number;
    estimate: number;
  }

  /** A number, or null; of one that is not known, the part that is. */
  interface Known {
    value: number | null;
    part: number | null;
  }

  /** What one colour stands for: a label, or the rest together. */
  interface Series {
    name: string;
    /** null: those that the answer has together. */
    label: string | null;
    /** The names of several labels that share the colour. */
    title?: string;
    color: string;
    /** Over the whole range. */
    total: Known;
    /** By an accuracy check; null: none covers it. */
    interval: Interval | null;
  }

  interface Metric {
    id: Api.Metric;
    name: string;
    /** Above the chart: "Detections over time". */
    title: string;
    /** On the axis: "detections". */
    axis: string;
    /** Whether it grows with the interval: a mean and a peak do not. */
    perInterval: boolean;
    explanation: string;
    of: (measures: Api.Measures) => number | null;
    format: (value: number | null) => string;
    stacks: boolean;
  }

  /** What chart and table show. */
  interface View {
    rows: Row[];
    series: Series[];
    gaps: Span[];
    /** Stretches that were filmed and are not in the counts. */
    notAnalysed: Span[];
    /** Stretches of which all footage shows nothing. */
    nothing: Nothing[];
    /** What shows nothing, by interval: of whole ones, and of parts of rows. */
    leftOut: Pick<Api.ShowsNothing, "start_ms" | "reason" | "covered_s" | "frames">[];
    /** Rows of which a part only was filmed. */
    partial: Span[];
    /** What was asked for; bars at its ends reach beyond it. */
    range: Span;
    /** Rows that reach beyond that. */
    cut: Span[];
    /** Hours and days that are not asked for: neither filmed nor holes. */
    outside: Span[];
    /** The names of the sources that are counted together. */
    sources: string[];
    /** Stretches of which the metric is not known. */
    unmeasured: Span[];
    /** Stretches of which it is known of some of the footage only. */
    measuredInPart: Span[];
    /** Stretches whose time is a file's date. */
    fileTimes: Span[];
    /** Stretches in which media of a source overlap, so that one of them does not count. */
    overlaps: Span[];
    metric: Metric;
    /** Seconds. */
    interval: number;
    from: number;
    to: number;
    at: number | null;
    kind: "bars" | "lines";
    /** The other period, source or model, along the time of this one. */
    other: {
      name: string;
      rows: { start: number; end: number; known: Known }[];
      /** Stretches in which it has no footage. */
      gaps: Span[];
      /** Beside each row of the view; undefined where it has no footage. */
      values: (Known | undefined)[];
    } | null;
  }

  /** The chart on Answers, as plug-ins get it whenever it shows another answer. */
  interface ShownChart {
    /** The question; it leaves nothing to the data or the viewer. */
    state: State;
    /** null where no footage is counted. */
    view: View | null;
    chart: import("../frametally_web/static/js/chart/plot.js").TimeChart;
    /** Asks another question. */
    change: (part: Partial<State>) => void;
  }

  type ColorOf = (label: string | null) => string;

  /** How labels and sources are shown. */
  interface Looks {
    colorOf: ColorOf;
    /** The name of a source by its slug. */
    nameOf: (source: string) => string;
  }

  interface Answers {
    models: Api.Models["models"];
    labels: Api.Labels["labels"];
    sources: Api.SourceRange[];
    counts: Api.Counts;
    /** null: the server is still adding it up; an error: why it cannot. */
    summary: Api.Summary | import("../frametally_web/static/js/shared/api.js").ApiError | null;
    other: { counts: Api.Counts; comparison: Comparison } | null;
    /** Why the other side of the comparison is missing. */
    otherFault: import("../frametally_web/static/js/shared/api.js").ApiError | null;
  }

  interface Comparison {
    id: string;
    /** "a week earlier", "East Road", "yolov4-…" */
    name: string;
    state: State;
    /** Where a moment of the other side lies in the chart. */
    back: (ms: number) => number;
  }
}
