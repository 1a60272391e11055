"""What `/metrics` shows of the books, as they were read last: a scrape reads nothing itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from frametally.books.figures.growing import GrowingSums, Sums, label_of
from frametally.books.status import Status
from frametally.books.verdict import WORDS, SourceLine
from frametally.errors import FrametallyError
from frametally.telemetry.exposition import counters, gauge


class LastReading(NamedTuple):
    """The books, and when they were read, by this machine's clock."""

    as_of_ms: int
    status: Status


_COUNTERS = (
    ("announced", "source", "Frames that were announced."),
    ("detected", "source", "Frames that have detections which count."),
    ("counted", "source", "Frames that were counted."),
    ("indexed", "source", "Frames that are in the count index."),
    ("dead", "reason", "Frames that could not be detected, by reason."),
)


class BooksCollector(Collector):
    """The books of one deployment."""

    def __init__(
        self, read: Callable[[], LastReading], sums: GrowingSums, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Show what `read` returns or, where it raises, that they cannot be read."""
        self._read = read
        self._sums = sums
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Yield them; all that is said of a moment is as old as the books are."""
        try:
            as_of_ms, status = self._read()
        except (FrametallyError, OSError):
            yield _up(False)
            return
        yield _up(True)
        sums = self._sums.advance(status, as_of_ms)
        now_ms = self._clock() * 1000
        yield GaugeMetricFamily(
            "frametally_books_age_seconds", "Seconds since the books were read.", _seconds(now_ms - as_of_ms)
        )
        yield gauge(
            "frametally_books_state",
            "1 for what the books are, 0 for what they are not.",
            "state",
            [(word, float(word == WORDS[status.exit_code])) for word in WORDS.values()],
        )
        for name, label, text in _COUNTERS:
            yield counters(f"frametally_frames_{name}", text, label, sorted(sums.grown.get(name, {}).items()))
        yield gauge(
            "frametally_frames_behind",
            "Frames that a stage has still to bring through.",
            "stage",
            [(line.stage, line.frames_behind) for line in status.stages],
        )
        yield GaugeMetricFamily(
            "frametally_log_messages_behind",
            "Announcements on the log that no consumer has committed.",
            max(status.log_messages - status.log_committed, 0),
        )
        yield GaugeMetricFamily(
            "frametally_dead_letters_open",
            "Dead letters that nobody has settled.",
            sum(status.dead_letters.values()),
        )
        yield from _times(status, sums, now_ms)


def _times(status: Status, sums: Sums, now_ms: float) -> Iterator[Metric]:
    until = _newest(status, sums, lambda line: line.footage_until_ms)
    counted = _newest(status, sums, lambda line: line.counted_until_ms)
    yield gauge(
        "frametally_newest_footage_timestamp_seconds",
        "When the newest footage that was announced was filmed.",
        "source",
        [(source, at_ms / 1000) for source, at_ms in until.items()],
    )
    yield gauge(
        "frametally_newest_footage_age_seconds",
        "Seconds since the newest footage that was announced was filmed.",
        "source",
        [(source, _seconds(now_ms - at_ms)) for source, at_ms in until.items()],
    )
    yield gauge(
        "frametally_counting_lag_seconds",
        "Seconds of footage from what is in the count index to the newest that was announced.",
        "source",
        [(source, _seconds(at_ms - counted[source])) for source, at_ms in until.items() if source in counted],
    )


def _newest(status: Status, sums: Sums, moment: Callable[[SourceLine], int | None]) -> dict[str, int]:
    """Return the newest moment of each label."""
    newest: dict[str, int] = {}
    for line in status.sources:
        at_ms = moment(line)
        if at_ms is not None:
            label = label_of(sums, line.source)
            newest[label] = max(at_ms, newest.get(label, at_ms))
    return newest


def _up(is_read: bool) -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "frametally_books_up", "Whether the books could be read: 1 or 0.", float(is_read)
    )


def _seconds(ms: float) -> float:
    return max(ms, 0) / 1000
