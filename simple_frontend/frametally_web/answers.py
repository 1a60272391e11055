"""The API's answers: frozen records, JSON on the wire. All times are milliseconds since 1970, UTC."""

from __future__ import annotations

import msgspec

from frametally.records import TimeSource


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all answers and their parts."""


class ModelChoice(Answer, frozen=True, kw_only=True):
    """A model that can be asked for, with its stored base intervals, finest first."""

    model: str
    base_intervals_s: list[int]


class Models(Answer, frozen=True, kw_only=True):
    """`/api/models`: the newest published first; a query without `model` uses that one."""

    models: list[ModelChoice]


class LabelTotal(Answer, frozen=True, kw_only=True):
    """A label and its detections in all that is indexed."""

    label: str
    detections: int


class Labels(Answer, frozen=True, kw_only=True):
    """`/api/labels`: most detections first. `model` is None before there is any data."""

    model: str | None
    labels: list[LabelTotal]


class SourceRange(Answer, frozen=True, kw_only=True):
    """What is indexed of one source.

    Attributes:
        source: Slug, as in queries.
        name: The source as its owner wrote it; the slug where the store does not say for now.
        frames: Distinct frames analysed.
        first_interval_ms: Start of its first interval.
        next_interval_ms: End of its last interval, exclusive.
        timed_by_file: Whether some of its times are only files' modification dates; None where the store does
            not say for now.
    """

    source: str
    name: str
    frames: int
    first_interval_ms: int
    next_interval_ms: int
    timed_by_file: bool | None


class Sources(Answer, frozen=True, kw_only=True):
    """`/api/sources`: by name."""

    model: str | None
    sources: list[SourceRange]


class CountBucket(Answer, frozen=True, kw_only=True):
    """One label in one interval.

    Attributes:
        start_ms: Start of the interval, a multiple of its length since 1970.
        label: Class name.
        detections: Boxes, summed over frames and sources.
        peak: Most boxes in one frame: the maximum over the interval and the sources.
        mean_per_frame: `detections` / frames analysed in the interval; None if coverage does not tell.
    """

    start_ms: int
    label: str
    detections: int
    peak: int
    mean_per_frame: float | None


class FramesAnalysed(Answer, frozen=True, kw_only=True):
    """An interval with footage: frames analysed. An interval that is not listed has no footage."""

    start_ms: int
    frames: int


class Total(Answer, frozen=True, kw_only=True):
    """One label over the whole answer; the fields are those of `CountBucket`."""

    label: str
    detections: int
    peak: int
    mean_per_frame: float | None


class Counts(Answer, frozen=True, kw_only=True):
    """`/api/counts`.

    Attributes:
        model: The one model counted; None before there is any data.
        base_interval_s: The one stored interval that was read; None where there is nothing to read.
        interval_s: Length of a bar in seconds.
        interval_choices_s: Sensible lengths for this range and these labels.
        from_ms: First event time asked for, or the first there is.
        to_ms: Last event time asked for, exclusive, or the last there is.
        frames: Frames analysed, summed over intervals and sources.
        labels: Labels asked for, or those found, most detections first.
        buckets: By start, then label. A label without a bucket where there is coverage counts 0.
        coverage: By start. No entry: nothing was filmed there.
        totals: In the order of `labels`.
    """

    model: str | None
    base_interval_s: int | None
    interval_s: int | None
    interval_choices_s: list[int]
    from_ms: int | None
    to_ms: int | None
    frames: int
    labels: list[str]
    buckets: list[CountBucket]
    coverage: list[FramesAnalysed]
    totals: list[Total]


class Box(Answer, frozen=True, kw_only=True):
    """A counted box: `[left, top, width, height]` in pixels of the frame; confidence 0 to 1."""

    label: str
    confidence: float
    box: tuple[float, float, float, float]


class EvidenceFrame(Answer, frozen=True, kw_only=True):
    """The busiest frame of a label.

    Attributes:
        label: What it is evidence of.
        count: Boxes of the label that were counted in it.
        source: Slug.
        captured_at_ms: Event time.
        image_path: Key of the frame.
        image_url: Where this server has the JPEG.
        time_source: Where its event time came from; None where `note` says that the boxes are missing.
        width_px: Width of the frame that the boxes refer to; None likewise.
        height_px: Height of it; None likewise.
        boxes: Boxes of the label that were counted.
        note: None, or one sentence on what is wrong with the boxes.
    """

    label: str
    count: int
    source: str
    captured_at_ms: int
    image_path: str
    image_url: str
    time_source: TimeSource | None
    width_px: int | None
    height_px: int | None
    boxes: list[Box]
    note: str | None


class EvidenceFrames(Answer, frozen=True, kw_only=True):
    """`/api/evidence`: a frame per label, labels by their detections in all that is indexed, most first.

    `labels_left_out` says how many labels the setting `FRAMETALLY_WEB_MAX_EVIDENCE_FRAMES` cut off.
    """

    model: str | None
    frames: list[EvidenceFrame]
    labels_left_out: int
