"""Exposes the figures of the books in `/metrics`, as last read: a scrape does not read the store.

Its counters only grow, even across restarts and restored backups: they follow additions to the books and
ignore removals (`frametally forget`). The sums are stored in a file of the data folder, shared by all its
processes.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from frametally.books.status import Status
from frametally.books.verdict import WORDS, SourceLine
from frametally.errors import FrametallyError
from frametally.files.replacing import replace_file
from frametally.files.work_lock import locked
from frametally.telemetry.exposition import counters, gauge


class LastReading(NamedTuple):
    """The books and when they were read, by this machine's clock."""

    as_of_ms: int
    status: Status


_COUNTERS = (
    ("announced", "source", "Frames that were announced."),
    ("detected", "source", "Frames with detections that count."),
    ("counted", "source", "Frames that were counted."),
    ("indexed", "source", "Frames that are in the count index."),
    ("dead", "reason", "Frames that could not be analysed, by reason."),
)


class BooksCollector(Collector):
    """Collects the figures of the books of one deployment."""

    def __init__(
        self, read: Callable[[], LastReading], sums: GrowingSums, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Show what `read` returns or, if it raises, that the books cannot be read."""
        self._read = read
        self._sums = sums
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Yield the figures, which are as old as the last reading of the books."""
        try:
            as_of_ms, status = self._read()
        except (FrametallyError, OSError):
            yield _up(False)
            return
        yield _up(True)
        sums = self._sums.advance(status, as_of_ms)
        now_ms = self._clock() * 1000
        yield GaugeMetricFamily(
            "frametally_books_age_seconds",
            "Seconds since frametally read the books.",
            _seconds(now_ms - as_of_ms),
        )
        yield gauge(
            "frametally_books_state",
            "1 for the current state of the books, 0 for the other states.",
            "state",
            [(word, float(word == WORDS[status.exit_code])) for word in WORDS.values()],
        )
        for name, label, text in _COUNTERS:
            yield counters(f"frametally_frames_{name}", text, label, sorted(sums.grown.get(name, {}).items()))
        yield gauge(
            "frametally_shows_nothing_seconds",
            "Seconds of footage in the count index that show nothing (black, of one colour or frozen).",
            "source",
            sorted(_blank_s(status, sums).items()),
        )
        yield gauge(
            "frametally_frames_behind",
            "Frames that a stage has not processed yet.",
            "stage",
            [(line.stage, line.frames_behind) for line in status.stages],
        )
        yield GaugeMetricFamily(
            "frametally_log_messages_behind",
            "Announcements on the log that no consumer has committed.",
            max(status.log_messages - status.log_committed, 0),
        )
        needs = Counter(need.area for need in status.needs)
        yield gauge("frametally_needs", "Things that wait for a person, by kind.", "kind", needs.items())
        notices = Counter(notice.area for notice in status.notices)
        yield gauge("frametally_notices", "Things to know, by kind.", "kind", notices.items())
        dead_letters = sum(status.dead_letters.values())
        yield GaugeMetricFamily("frametally_dead_letters_open", "Open dead letters.", dead_letters)
        yield from _times(status, sums, now_ms)


def _times(status: Status, sums: Sums, now_ms: float) -> Iterator[Metric]:
    until = _newest(status, sums, lambda line: line.footage_until_ms)
    counted_until_ms = _newest(status, sums, lambda line: line.counted_until_ms)
    yield gauge(
        "frametally_newest_footage_timestamp_seconds",
        "When the newest announced footage was filmed.",
        "source",
        [(source, at_ms / 1000) for source, at_ms in until.items()],
    )
    yield gauge(
        "frametally_newest_footage_age_seconds",
        "Seconds since the newest announced footage was filmed.",
        "source",
        [(source, _seconds(now_ms - at_ms)) for source, at_ms in until.items()],
    )
    yield gauge(
        "frametally_counting_lag_seconds",
        "Seconds of footage between the newest in the count index and the newest announced.",
        "source",
        [
            (source, _seconds(at_ms - counted_until_ms[source]))
            for source, at_ms in until.items()
            if source in counted_until_ms
        ],
    )


def _newest(status: Status, sums: Sums, moment: Callable[[SourceLine], int | None]) -> dict[str, int]:
    """Return the newest time by label."""
    newest: dict[str, int] = {}
    for line in status.sources:
        at_ms = moment(line)
        if at_ms is not None:
            label = label_of(sums, line.source)
            newest[label] = max(at_ms, newest.get(label, at_ms))
    return newest


def _blank_s(status: Status, sums: Sums) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for line in status.sources:
        label = label_of(sums, line.source)
        seconds[label] = seconds.get(label, 0) + sum(line.shows_nothing_s.values())
    return seconds


def _up(is_read: bool) -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "frametally_books_up", "Whether the books could be read: 1 or 0.", float(is_read)
    )


def _seconds(ms: float) -> float:
    return max(ms, 0) / 1000


FILE = "metrics.json"
OTHERS = "other"
MOST_SOURCES = 200
"""How many sources have their own label: the first that appeared. All later sources share `OTHERS`."""

_LONG_AGO_MS = 600_000
"""A reading this much older than the last is in fact newer: the clock was set back."""

_LOG = logging.getLogger(__name__)


class Sums(msgspec.Struct):
    """The sums so far.

    Attributes:
        as_of_ms: When the reading that was added last was made.
        seen: The values of that reading, by counter and key.
        grown: The total added so far, by counter and label.
        sources: Sources with their own label.
    """

    as_of_ms: int = 0
    seen: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    grown: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    sources: list[str] = msgspec.field(default_factory=list)


class GrowingSums:
    """The sums of one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._file = data_dir / FILE
        self._sums = Sums()
        self._said = False

    def advance(self, status: Status, as_of_ms: int) -> Sums:
        """Add the increase since the previous reading of the books, and return all sums.

        A reading older than another process's adds nothing. If the folder cannot be written, the sums are
        this process's.
        """
        try:
            handle = os.open(self._file.parent, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self._cannot(error)
            _add(self._sums, status, as_of_ms)
            return self._sums
        with locked(handle, look_every_s=0.02, on_held=lambda: None):
            last_sums = self._read()
            if last_sums is not None:
                self._sums = last_sums
            if _add(self._sums, status, as_of_ms):
                self._write()
        return self._sums

    def _read(self) -> Sums | None:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Sums)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            self._cannot(error)
            return None

    def _write(self) -> None:
        try:
            replace_file(self._file, msgspec.json.encode(self._sums))
        except OSError as error:
            self._cannot(error)

    def _cannot(self, error: Exception) -> None:
        if not self._said:
            self._said = True
            _LOG.warning("%s: counters start again from zero at each start: %s", self._file, error)


def label_of(sums: Sums, source: str) -> str:
    """Return the label of a source: its own, or `OTHERS`."""
    return source if source in sums.sources else OTHERS


def _add(sums: Sums, status: Status, as_of_ms: int) -> bool:
    """Add a reading if it is newer than the last, and return whether it was."""
    if sums.as_of_ms - _LONG_AGO_MS < as_of_ms <= sums.as_of_ms:
        return False
    sums.as_of_ms = as_of_ms
    for line in status.sources:
        if line.source not in sums.sources and len(sums.sources) < MOST_SOURCES:
            sums.sources.append(line.source)
        label = label_of(sums, line.source)
        # Another model detects the same frames again, but announced frames do not depend on the model.
        of_model = f"{status.model} {line.source}"
        _grow(sums, "announced", line.source, label, line.announced)
        _grow(sums, "detected", of_model, label, line.detected)
        _grow(sums, "counted", of_model, label, line.counted)
        _grow(sums, "indexed", of_model, label, line.indexed)
    for reason, frames in status.dead_letters.items():
        _grow(sums, "dead", f"{status.model} {reason}", reason, frames)
    mended_keys = sums.seen.get("dead", {}).keys() - {
        f"{status.model} {reason}" for reason in status.dead_letters
    }
    for key in mended_keys:  # mended: later dead letters of this reason are new
        if key.startswith(f"{status.model} "):
            sums.seen["dead"][key] = 0
    return True


def _grow(sums: Sums, counter: str, key: str, label: str, now: int) -> None:
    last_values = sums.seen.setdefault(counter, {})
    grown = sums.grown.setdefault(counter, {})
    grown[label] = grown.get(label, 0) + max(now - last_values.get(key, 0), 0)
    last_values[key] = now
