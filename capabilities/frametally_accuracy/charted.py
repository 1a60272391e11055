"""Adds intervals to the counts of charts, tables and files that a check covers.

A check covers counts of its own footage, model, labels and settings. Sums show whether the index still has
the counts that were checked.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import cache, cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from frametally.errors import FrametallyError
from frametally.files.sqlite import sqlite_path
from frametally.ports.count_index import CountIndex
from frametally.ports.picture_places import EventPlace
from frametally.settings.loading import Settings
from frametally_accuracy import tables
from frametally_accuracy.book import AccuracyBook, has_rows
from frametally_accuracy.pieces.counted_pieces import PiecesOfBars
from frametally_accuracy.records import AccuracyCheck, CheckAnswer, CheckUnit
from frametally_accuracy.results import Sample, estimate_of, method_of, sample_of
from frametally_accuracy.rules.bar_intervals import (
    RUN,
    AnsweredUnits,
    Spread,
    bar_intervals,
    spreads_of,
    stretches_of,
)
from frametally_accuracy.rules.drawing import Numbers
from frametally_accuracy.rules.estimation import CONFIDENCE, LEAST_ROUNDS, Estimate
from frametally_accuracy.staleness import LINE_CHANGED, Covered, KnownCoverage
from frametally_web.access.visitors import visitor
from frametally_web.charts.checked_counts import CheckedAnswer, CheckedCount, CountInterval, CountQuestion
from frametally_web.charts.local_bars import touches
from frametally_web.requests.answers import CountCheck

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 5.0
"""Seconds between checks for new answers on a database server while charts are open."""
_SETTLED_NS = 100_000_000
"""The modification time of a file written longer ago than this shows its next change."""


class _OfLabels(NamedTuple):
    """A check's estimate for some labels together, and the answered units by source and time."""

    estimate: Estimate
    spreads: list[Spread]
    sample: AnsweredUnits


Rows = tuple[Sequence[CheckUnit], Sequence[CheckAnswer]]
"""The units and answers of a check."""


class ChartedCheck:
    """A check that reads its answers once a chart shows its footage, and gives intervals for counts."""

    def __init__(self, check: AccuracyCheck, read: Callable[[], Rows], coverage: KnownCoverage) -> None:
        self.check, self._read, self._coverage = check, read, coverage
        self._by_labels: dict[tuple[str, ...], _OfLabels | None] = {}

    @cached_property
    def rows(self) -> Rows:
        """Its units and answers, read on first use."""
        return self._read()

    @property
    def _answers(self) -> Sequence[CheckAnswer]:
        return self.rows[1]

    @cached_property
    def _sample(self) -> Sample:
        return sample_of(self.check, *self.rows)

    def reference(self, stale: Iterable[str]) -> CountCheck:
        """Return the check's part of an answer."""
        judged = [answer for answer in self._answers if not answer.is_missing] or self._answers
        return CountCheck(
            id=self.check.id,
            name=self.check.name,
            metric=self.check.metric,
            model=self.check.model,
            persons=sorted({answer.person for answer in judged} - {""}),
            last_answer_ms=max(answer.answered_at_ms for answer in judged),
            units=self._sample.used - int(self._sample.is_missing.sum()),
            confidence=CONFIDENCE,
            method=method_of(self.check, self._sample),
            stale=[*stale],
        )

    def concerns(self, question: CountQuestion) -> bool:
        """Return whether any of the counts has footage and labels of this check."""
        check = self.check
        if check.metric != question.metric or not _is_same(check.place, question.place):
            return False
        if not {*check.sources} & {*question.sources} or not all(map(visitor().sees, check.sources)):
            return False
        return any(
            count.start_ms < check.to_ms
            and count.end_ms > check.from_ms
            and (not count.labels or not {*check.labels}.isdisjoint(count.labels))
            for count in question.counts
        )

    @property
    def has_enough(self) -> bool:
        """Whether there are enough answers for an estimate."""
        return len(self._sample.draws.units) >= LEAST_ROUNDS

    def covered(self, index: CountIndex, question: CountQuestion) -> Covered:
        """Return the footage that it covers now, or why it covers none."""
        if question.model != self.check.model:
            words = f"The counts are from model {question.model}; the check is for {self.check.model}."
            return Covered(stale=(words,))
        if (
            question.place is not None
            and question.place.shapes != (self.check.place or question.place).shapes
        ):
            return Covered(stale=(LINE_CHANGED,))
        return self._coverage.covered(self.check, index, question.base_interval_s)

    def intervals(
        self, question: CountQuestion, covered: Covered, places: Sequence[int]
    ) -> dict[int, CountInterval]:
        """Return the intervals of the counts that the check covers, by their places in the question."""
        groups: dict[tuple[str | None, tuple[str, ...]], list[int]] = {}
        sources, labels = {*self.check.sources}, {*self.check.labels}
        all_checked = sources.issuperset(question.sources)
        is_of_all_labels: dict[tuple[str, ...], bool] = {}
        for place in places:
            count = question.counts[place]
            if count.start_ms < covered.from_ms or count.end_ms > covered.to_ms:
                continue
            if not count.frames or count.counted is None:
                continue
            if count.source not in sources if count.source is not None else not all_checked:
                continue
            if count.labels not in is_of_all_labels:
                is_of_all_labels[count.labels] = labels.issuperset(count.labels or covered.labels)
            if is_of_all_labels[count.labels]:
                groups.setdefault((count.source, count.labels), []).append(place)
        intervals: dict[int, CountInterval] = {}
        for (source, of_labels), of_group in groups.items():
            of_sources = question.sources if source is None else [source]
            units = [
                number
                for number, unit in enumerate(self._by_place)
                if unit.source in of_sources
                and touches(question.chosen, unit.captured_at_ms, unit.captured_at_ms + 1)
            ]
            if len(units) < RUN:
                continue
            counts = {place: question.counts[place] for place in of_group}
            if self._pieces is not None:
                pieces = self._pieces.in_bars(of_sources, question.chosen, counts)
                counts = {
                    place: counts[place]._replace(frames=number) for place, number in pieces.items() if number
                }
            if counts:
                of_counts = self._of_group(of_labels, units, [*counts.values()])
                intervals.update(zip(counts, of_counts, strict=False))
        return intervals

    def _of_group(
        self, labels: tuple[str, ...], units: list[int], counts: Sequence[CheckedCount]
    ) -> list[CountInterval]:
        of_labels = self._of_labels(tuple(sorted(labels or self.check.labels)))
        if of_labels is None:
            return []
        chosen = np.array(units, dtype=np.int64)
        chosen = chosen[np.argsort(of_labels.sample.at[chosen], kind="stable")]
        columns = np.array(
            [(count.start_ms, count.end_ms, count.counted, count.frames) for count in counts]
        ).T
        bars = bar_intervals(
            of_labels.estimate,
            of_labels.spreads,
            of_labels.sample.only(chosen),
            columns[0],
            columns[1],
            columns[2].astype(float),
            columns[3].astype(float),
            units=self.check.units,
            is_at_will=method_of(self.check, self._sample) == "at_will",
        )
        low, high, corrected = (values.round(2).tolist() for values in (bars.low, bars.high, bars.corrected))
        return [
            CountInterval(*interval, self.check.id) for interval in zip(low, high, corrected, strict=True)
        ]

    @cached_property
    def _pieces(self) -> PiecesOfBars | None:
        return PiecesOfBars(self.check) if self.check.footage else None

    @cached_property
    def _by_place(self) -> list[CheckUnit]:
        """The judged units of complete rounds by source and time, without those whose picture is missing."""
        draws = self._sample.draws
        by_number = {unit.number: unit for unit in self.rows[0]}
        is_judged = draws.is_drawn & ~self._sample.is_missing
        units = [by_number[number] for number in draws.units[is_judged].tolist()]
        return sorted(units, key=lambda unit: (unit.source, unit.captured_at_ms))

    def _of_labels(self, labels: tuple[str, ...]) -> _OfLabels | None:
        if labels not in self._by_labels:
            self._by_labels[labels] = self._estimate(labels)
        return self._by_labels[labels]

    def _estimate(self, labels: tuple[str, ...]) -> _OfLabels | None:
        sample, check = self._sample, self.check
        truth, model = (
            np.sum([by_label[label] for label in labels], axis=0) for by_label in (sample.truth, sample.model)
        )
        label_estimate = estimate_of(check, sample, *labels)
        if label_estimate is None or not label_estimate.is_enough:
            return None
        values: dict[int, tuple[float, ...]] = {
            int(sample.draws.units[cell]): (truth[cell], model[cell], sample.draws.weights[cell])
            for cell in zip(*np.nonzero(sample.draws.is_drawn), strict=True)
        }
        columns: Numbers = np.array([values[unit.number] for unit in self._by_place]).T
        times = np.array([unit.captured_at_ms for unit in self._by_place], dtype=np.int64)
        unusual = np.array([not {*labels}.isdisjoint(unit.unusual) for unit in self._by_place])
        stretches = stretches_of(columns[0], columns[1])
        units = AnsweredUnits(times, columns[0], columns[1], columns[2], unusual, stretches)
        return _OfLabels(label_estimate, spreads_of(label_estimate, units, units=check.units), units)


def _is_same(place: EventPlace | None, other: EventPlace | None) -> bool:
    """Return whether both are the same line, or both None."""
    if place is None or other is None:
        return place is other
    return (place.source, place.name) == (other.source, other.name)


class _Cache:
    """The checks of one book, as last read."""

    def __init__(self) -> None:
        self.version = ""
        self.versions: dict[str, str] = {}
        self.signature: object = None
        self.due_s = 0.0
        self.is_away = False
        self.checks: dict[str, ChartedCheck] = {}
        self.coverage = KnownCoverage()


class ChartedChecks:
    """The hook `count_checks`; reads the book when it has changed. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._caches: dict[str, _Cache] = defaultdict(_Cache)

    def version(self, settings: Settings) -> str:
        """Return a text that changes when checks have new answers; empty without any answer."""
        with self._lock:
            cache = self._caches[settings.catalogue_url]
            has_changed, signature = _has_changed(cache, settings.catalogue_url)
            if has_changed:
                self._read(cache, settings)
                cache.signature, cache.due_s = signature, time.monotonic() + _LOOK_EVERY_S
            return cache.version

    def answer(self, settings: Settings, index: CountIndex, question: CountQuestion) -> CheckedAnswer | None:
        """Return the intervals of the counts that checks cover; if several do, the newest one's."""
        if not self.version(settings):
            return None
        with self._lock:
            checks = [*self._caches[settings.catalogue_url].checks.values()]
        intervals: list[CountInterval | None] = [None] * len(question.counts)
        references = []
        open_places = [*range(len(intervals))]
        for check in checks:
            if not open_places or not check.concerns(question):
                continue
            try:
                if not check.has_enough:
                    continue
            except FrametallyError as error:  # charts work without it
                _log.warning("frametally cannot read accuracy check %s: %s", check.check.name, error)
                continue
            covered = check.covered(index, question)
            by_place = {} if covered.stale else check.intervals(question, covered, open_places)
            for place, interval in by_place.items():
                intervals[place] = interval
            if by_place or covered.stale:
                references.append(check.reference(covered.stale))
            open_places = [place for place in open_places if place not in by_place]
        return CheckedAnswer(references, intervals) if references else None

    def _read(self, cache: _Cache, settings: Settings) -> None:
        """Find the checks with new answers, without creating a book if it has no answers."""
        if not has_rows(settings.catalogue_url, tables.answers):
            cache.version, cache.versions, cache.checks = "", {}, {}
            return
        try:
            with closing(AccuracyBook(settings.catalogue_url, settings.catalogue_access)) as book:
                versions = book.answered()
                known_checks = {name: check.check for name, check in cache.checks.items()}
                checks = [*known_checks.values()] if versions.keys() == known_checks.keys() else book.checks()
        except FrametallyError as error:  # charts work without them
            if not cache.is_away:
                _log.warning("frametally cannot read the accuracy checks: %s", error)
            cache.is_away = True
            return
        cache.is_away = False
        cache.checks = {
            check.id: cache.checks[check.id]
            if cache.versions.get(check.id) == versions[check.id]
            else ChartedCheck(check, partial(_rows_of, settings, check.id), cache.coverage)
            for check in checks
            if check.id in versions
        }
        cache.versions = versions
        texts = ",".join(f"{name}.{version}" for name, version in sorted(versions.items()))
        cache.version = hashlib.sha256(texts.encode()).hexdigest()[:16] if texts else ""


def _rows_of(settings: Settings, check: str) -> Rows:
    """Return the units and answers of a check from the book in the settings."""
    with closing(AccuracyBook(settings.catalogue_url, settings.catalogue_access)) as book:
        return book.units(check), book.answers(check)


def _has_changed(cache: _Cache, url: str) -> tuple[bool, object]:
    """Return whether the book may have changed, and the state of its files to compare with next time."""
    if not url.startswith("sqlite:"):
        return time.monotonic() >= cache.due_s, None
    signature = tuple([_state_of(path) for path in _files_of(url)])
    if signature[0] is None:
        return False, None
    newest_ns = max(state[0] for state in signature if state)
    return signature != cache.signature, signature if time.time_ns() - newest_ns > _SETTLED_NS else None


@cache
def _files_of(url: str) -> tuple[Path, Path]:
    """Return the paths of an SQLite book and of the file next to it."""
    path = sqlite_path(url, AccuracyBook.layout.setting)
    return path, Path(f"{path}-wal")


def _state_of(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


CHECKS = ChartedChecks()
