"""Answers that several routes of charts share: models, labels, sources, ranges and checks."""

from __future__ import annotations

from typing import Literal

from frametally.actions.answers import Answer
from frametally.ports.picture_places import CheckedMetric


class ModelChoice(Answer, frozen=True, kw_only=True):
    """A model that you can request, with its stored base intervals, finest first."""

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


class TimeRange(Answer, frozen=True, kw_only=True):
    """Event times from `from_ms` to before `to_ms`."""

    from_ms: int
    to_ms: int


class SourceRange(Answer, frozen=True, kw_only=True):
    """The indexed extent of one source.

    Attributes:
        source: Slug, as in queries.
        name: The source as its owner wrote it; its slug while the store cannot be read.
        frames: Distinct frames analysed.
        first_interval_ms: Start of its first interval.
        next_interval_ms: End of its last interval, exclusive.
        timed_by_file: Whether some of its times are only files' modification dates; None while the store
            cannot be read.
        file_times: The ranges with such times; None while the store cannot be read.
        footage_until_ms: Event time of the newest frame announced; None while the store cannot be read.
        counted_until_ms: Event time up to which it is counted.
        zones: Names of zones of its picture within which something is counted, as in queries.
        timezone: IANA name of the source's time zone; None if it does not have one.
    """

    source: str
    name: str
    frames: int
    first_interval_ms: int
    next_interval_ms: int
    timed_by_file: bool | None
    file_times: list[TimeRange] | None
    footage_until_ms: int | None
    counted_until_ms: int | None
    zones: list[str]
    timezone: str | None = None


class Sources(Answer, frozen=True, kw_only=True):
    """`/api/sources`: by name."""

    model: str | None
    sources: list[SourceRange]


class Catalogue(Answer, frozen=True, kw_only=True):
    """`/api/catalogue`: the answers of `/api/models`, `/api/labels` and `/api/sources` in one.

    Attributes:
        model: The model of these labels and sources; None before there is any data.
        models: The newest published first.
        labels: Most detections first.
        sources: By name.
    """

    model: str | None
    models: list[ModelChoice]
    labels: list[LabelTotal]
    sources: list[SourceRange]


class CountCheck(Answer, frozen=True, kw_only=True):
    """An accuracy check of the answer's footage: what `low`, `high` and `estimate` rest on.

    Attributes:
        id: Names it.
        name: Its display name.
        metric: The checked count: `detections` in frames, `visits` or `crossings` in pieces of footage.
        model: The model of the counts.
        persons: Accounts of the people who answered; empty if there are no accounts.
        last_answer_ms: When the last answer was given.
        units: Units that were answered: frames or pieces.
        confidence: Confidence of its intervals, such as 0.95.
        method: `fixed`: the interval of a sample whose size was fixed before; `at_will`: the one that holds
            whenever people stop.
        stale: Reasons why it no longer holds, a sentence each; it then gives no intervals.
    """

    id: str
    name: str
    metric: CheckedMetric
    model: str
    persons: list[str]
    last_answer_ms: int
    units: int
    confidence: float
    method: Literal["fixed", "at_will"]
    stale: list[str]
