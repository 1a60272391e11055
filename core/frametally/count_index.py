"""The count index port: what the dashboard queries.

A query uses exactly one model and one stored base interval, and sums over neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from frametally.access import ServerAccess
from frametally.errors import Misconfigured
from frametally.records import Coverage, Evidence, IntervalCount, Run


class Bucket(NamedTuple):
    """One bar: a label's counts in `[start_ms, start_ms + interval)`, over the sources asked for.

    Attributes:
        start_ms: Start of the interval, a multiple of its length since the epoch.
        label: Class name.
        detections: Boxes, summed over frames and sources.
        peak: Most in one frame: the maximum over the base intervals and sources.
        objects: Unique objects, summed; None where any part was not measured.
    """

    start_ms: int
    label: str
    detections: int
    peak: int
    objects: int | None


class CoverageBucket(NamedTuple):
    """Distinct frames analysed in `[start_ms, start_ms + interval)`, over the sources asked for."""

    start_ms: int
    frames: int


class Histogram(NamedTuple):
    """An answer: its buckets sorted by start, then label. A start without coverage is a gap, not a zero."""

    model: str
    base_interval_s: int
    buckets: list[Bucket]
    coverage: list[CoverageBucket]


class Series(NamedTuple):
    """One stored choice: a model counted with one base interval."""

    model: str
    base_interval_s: int


class SourceSummary(NamedTuple):
    """What is indexed of one source: distinct frames and event time of its first and last interval."""

    source: str
    frames: int
    first_interval_ms: int
    next_interval_ms: int


class IndexedEvidence(NamedTuple):
    """An evidence frame and what it is evidence of."""

    source: str
    label: str
    interval_start_ms: int
    evidence: Evidence


class CountIndex(Protocol):
    """What every index adapter does. All methods may raise `Retryable` (the index is away for now).

    `from_ms` (inclusive) and `to_ms` (exclusive) select intervals by their start; None leaves that end open.
    `sources` and `labels` None or empty mean all.
    """

    url: str

    def publish(self, run: Run, counts: Iterable[IntervalCount], coverage: Iterable[Coverage]) -> bool:
        """Make `run` the current one of its model, params, interval and day: readers see the old or the new.

        Returns:
            False, with nothing changed, if this run or a later one of the day is already current.
        """

    def current_runs(self) -> list[Run]:
        """The runs that queries read."""

    def series(self) -> list[Series]:
        """What can be asked for: the newest published model first, within a model the coarsest interval."""

    def labels(self, model: str) -> list[tuple[str, int]]:
        """Labels of the model with their detections, most first, then by name."""

    def sources(self, model: str) -> list[SourceSummary]:
        """Sources of the model, by name."""

    def histogram(
        self,
        *,
        model: str,
        base_interval_s: int,
        interval_s: int,
        sources: Sequence[str] | None = None,
        labels: Sequence[str] | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
    ) -> Histogram:
        """Counts per `interval_s` (a multiple of `base_interval_s`) and label."""

    def evidence(
        self,
        *,
        model: str,
        base_interval_s: int,
        sources: Sequence[str] | None = None,
        labels: Sequence[str] | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
        limit_per_label: int = 1,
    ) -> list[IndexedEvidence]:
        """The busiest evidence frames per label: by count (most first), then time, then path."""

    def close(self) -> None:
        """Release connections."""


def open_count_index(url: str, access: ServerAccess | None = None) -> CountIndex:
    """The index that `url` names: any SQLAlchemy URL of SQLite (`sqlite:///<absolute file>`).

    Args:
        url: Which index.
        access: How to log in to an index that is a server.

    Raises:
        Misconfigured: An unknown kind of URL, or a database that cannot be opened.
    """
    scheme = url.partition("://")[0]
    if scheme == "sqlite":
        from frametally.adapters.sql_index import SqlIndex

        return SqlIndex(url)
    raise Misconfigured(
        f"FRAMETALLY_INDEX_URL={url!r}: no such kind of index; use sqlite:////absolute/file.sqlite"
    )
