"""Finds the counts that a check covers by comparing the index with the check's records.

It reads no frames. A check records the model's counts in its frames by bar, for each stored interval. While
the index has the same sums, it has the counts that were checked.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from frametally.books.counted_days import SettingsByDay
from frametally.ports.count_index import AGES_S, CountIndex, CountQuery
from frametally.process.reports import plural
from frametally.rules.times import is_day_in_range
from frametally_accuracy.records import AccuracyCheck

LINE_CHANGED = "The line changed since the check began."
_FOREVER_MS = 2**62
_MOST_BARS = 2000
"""Most bars of a range, so that an answer of the index stays small: a longer range has longer bars."""
_MOST_SUMS = 100_000
"""Most sums of all sources and labels together; an index refuses twice as many."""

BarSums = Mapping[tuple[str, int, str], int]
"""Numbers of frames (label "") and counts, by source, start of the bar in ms, and label."""


class Covered(NamedTuple):
    """The footage that a check covers, by the index.

    Attributes:
        from_ms: Event time of its start.
        to_ms: Event time of its end, exclusive.
        labels: All labels that the model counts there.
        stale: Why it covers none, one sentence each; empty if it covers this footage.
    """

    from_ms: int = 0
    to_ms: int = 0
    labels: frozenset[str] = frozenset()
    stale: tuple[str, ...] = ()


class BarGrid(NamedTuple):
    """The bars in which a check's counts are compared: whole stored intervals within its range."""

    from_ms: int
    to_ms: int
    bar_ms: int

    @classmethod
    def of_check(cls, check: AccuracyCheck, base_s: int) -> BarGrid:
        """Return the grid of a check, for a stored interval of `base_s`."""
        labels = len(summed_labels(check))
        return cls.of(*_range_ms(check), base_s, sources=len(check.sources), labels=labels)

    @classmethod
    def of(cls, from_ms: int, to_ms: int, base_s: int, *, sources: int, labels: int) -> BarGrid:
        """Return the grid of a range, for a stored interval of `base_s` and numbers of sources and labels."""
        base_ms = base_s * 1000
        first_ms, end_ms = -(-from_ms // base_ms) * base_ms, to_ms // base_ms * base_ms
        most = max(1, min(_MOST_BARS, _MOST_SUMS // (sources * (labels + 1))))
        return cls(first_ms, end_ms, base_ms * max(1, -(-(end_ms - first_ms) // (base_ms * most))))

    def start_ms(self, time_ms: int) -> int | None:
        """Return the start of a time's bar, or None if the time is in no bar."""
        return time_ms // self.bar_ms * self.bar_ms if self.from_ms <= time_ms < self.to_ms else None


def summed_labels(check: AccuracyCheck) -> tuple[str, ...]:
    """Return the labels whose sums to compare: none for crossings, which change with frames and lines."""
    return () if check.place is not None else check.labels


def _range_ms(check: AccuracyCheck) -> tuple[int, int]:
    """Return the range of a check; for crossings, the part in which the line exists."""
    if check.place is None:
        return check.from_ms, check.to_ms
    return max(check.from_ms, check.footage[0][1]), min(check.to_ms, check.footage[-1][2])


def sums_sha256(sums: BarSums) -> str:
    """Return a digest of the sums."""
    rows = sorted((*place, number) for place, number in sums.items() if number)
    return hashlib.sha256(msgspec.json.encode(rows)).hexdigest()


class KnownCoverage:
    """Caches the counts that checks cover, until a day of the check's range is published again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[object, Covered]] = {}

    def covered(self, check: AccuracyCheck, index: CountIndex, base_s: int) -> Covered:
        """Return the counts with the stored interval `base_s` that a check covers.

        Raises:
            Retryable: The index is unavailable.
        """
        with index.one_moment():
            days = [
                (day.day_ms, day.published, day.params)
                for day in index.counted_days(check.model)
                if day.base_interval_s == base_s and is_day_in_range(day.day_ms, check.from_ms, check.to_ms)
            ]
            spans = [
                (summary.first_interval_ms, summary.next_interval_ms)
                for summary in index.sources(check.model)
                if summary.source in check.sources
            ]
            state = sorted(days), spans
            coverage = self._known.get((check.id, base_s))
            if coverage is None or coverage[0] != state:
                coverage = state, _read_covered(check, index, base_s, spans)
                self._known[check.id, base_s] = coverage
        return coverage[1]

    def why_stale(self, check: AccuracyCheck, index: CountIndex) -> Iterator[str]:
        """Yield sentences that say why a check does not cover the newest counts; none if it does.

        Raises:
            Retryable: The index is unavailable.
        """
        series = index.series()
        newest = series[0].model if series else "none"
        counted = {one.source for one in index.sources(newest)} if series else {*check.sources}
        if newest != check.model and not counted.isdisjoint(check.sources):
            yield f"The counts are now from model {newest}; the check is for {check.model}."
        base_s = next((entry.base_interval_s for entry in series if entry.model == check.model), None)
        if base_s is None:
            yield f"Nothing from model {check.model} is counted any more."
        else:
            yield from self.covered(check, index, base_s).stale


def _read_covered(
    check: AccuracyCheck, index: CountIndex, base_s: int, spans: Sequence[tuple[int, int]]
) -> Covered:
    by_day = SettingsByDay(index, check.model, base_s)
    if {settings.params for settings in by_day.between(check.from_ms, check.to_ms)} != {*check.params}:
        return Covered(stale=("The counting settings changed since the check began.",))
    grid, labels = BarGrid.of_check(check, base_s), ("", *summed_labels(check))
    base_ms = base_s * 1000
    from_ms, to_ms = _range_ms(check)
    outer = from_ms // base_ms * base_ms, -(-to_ms // base_ms) * base_ms
    whole, every = _read_sums(check, index, base_s, outer, AGES_S)
    of_range, _ = _read_sums(check, index, base_s, grid[:2], grid.bar_ms // 1000)
    totals, least = _by_label(whole), _by_label(of_range)
    recorded = check.sums_sha256.get(str(base_s))
    is_same = recorded is None or recorded == sums_sha256(of_range)
    frames = check.frames or check.units
    totals_of_check = Counter({"": frames} | check.totals)
    if is_same and all(totals[label] == totals_of_check[label] for label in labels):
        # Where nothing is counted beyond the range, bars may extend beyond it.
        is_first = all(first_ms >= outer[0] for first_ms, _ in spans)
        is_last = all(next_ms <= outer[1] for _, next_ms in spans)
        return Covered(-_FOREVER_MS if is_first else outer[0], _FOREVER_MS if is_last else outer[1], every)
    is_between = all(least[label] <= totals_of_check[label] <= totals[label] for label in labels)
    if is_same and is_between and grid[:2] != outer:  # intervals at its ends include other footage
        return Covered(*grid[:2], every)
    more, less = least[""] - frames, frames - totals[""]
    changed = "boxes changed" if check.metric == "detections" else f"{check.metric} changed"
    words = (
        f"{plural(more, 'frame')} added"
        if more > 0
        else f"{plural(less, 'frame')} removed"
        if less > 0
        else changed
    )
    return Covered(stale=(f"The footage or its counts changed since the check began ({words}).",))


def _read_sums(
    check: AccuracyCheck, index: CountIndex, base_s: int, span: tuple[int, int], bar_s: int
) -> tuple[BarSums, frozenset[str]]:
    """Return the sums of the check's labels and of its frames, and all labels that the model counts there."""
    if span[0] >= span[1]:
        return {}, frozenset()
    query = CountQuery(
        check.model,
        base_s,
        bar_s,
        sources=check.sources,
        from_ms=span[0],
        to_ms=span[1],
        by_source=True,
        measured_only=check.metric != "detections",
    )
    if bar_s != AGES_S:
        query = query._replace(labels=summed_labels(check))
    read = index.histogram(query)
    sums = {(bucket.source or "", bucket.start_ms, ""): bucket.frames for bucket in read.coverage}
    if check.place is not None:
        return sums, frozenset(check.labels)
    every = set()
    for bar in read.buckets:
        counted = bar.detections if check.metric == "detections" else bar.objects
        if counted:
            every.add(bar.label)
        if bar.label in check.labels:
            sums[bar.source or "", bar.start_ms, bar.label] = counted or 0
    return sums, frozenset(every)


def _by_label(sums: BarSums) -> Counter[str]:
    totals: Counter[str] = Counter()
    for (_, _, label), number in sums.items():
        totals[label] += number
    return totals
