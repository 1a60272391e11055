"""What became of the frames of one video: detected, counted, indexed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from frametally import keys
from frametally.books.index_lag import runs_before_undo, runs_to_index
from frametally.media.manifests import by_source, media_of
from frametally.media.overlapping import not_counted
from frametally.ports.count_index import AGES_S, CountIndex, CountQuery
from frametally.ports.ledger import FrameTally, Ledger
from frametally.records import MediaManifest
from frametally.rules.times import DAY_MS, days_of_span
from frametally.rules.tombstones import Range
from frametally.settings.loading import Settings


class Account(NamedTuple):
    """Distinct frames of one medium.

    Attributes:
        detected: Those that were analysed.
        dead_lettered: Those that could not be.
        not_counted: Those of `detected` that count no longer, as they were forgotten or another medium of the
            source has their time.
        counted: Those that are in the index.
        is_counted: Whether all of its source and time is, so that its labels are final.
        labels: Detections by label of its source between its first and its last frame.
    """

    detected: int = 0
    dead_lettered: int = 0
    not_counted: int = 0
    counted: int = 0
    is_counted: bool = False
    labels: Mapping[str, int] = {}


class Accounts:
    """The accounts of media, as ledger and index have them now; the caller has refreshed the ledger."""

    def __init__(self, settings: Settings, index: CountIndex, ledger: Ledger) -> None:
        """Read what all accounts need."""
        self._index = index
        self._ledger = ledger
        manifests, stones = ledger.manifests(), ledger.tombstones()
        self._by_source = by_source(manifests)
        self._gone = not_counted(manifests, stones, settings.count_overlaps)
        # That of the newest segment: what is counted may still be another's.
        self._model = next(iter(ledger.models()), None)
        tallies = ledger.tallies(self._model) if self._model else []
        self._tallies = {(tally.source, tally.media): tally for tally in tallies}
        intervals = [one.base_interval_s for one in index.series() if one.model == self._model]
        self._interval_s = min(intervals, default=0)
        if settings.interval_s in intervals:
            self._interval_s = settings.interval_s
        of_model = [
            counted
            for counted in ledger.runs()
            if counted.run.model == self._model and counted.run.interval_s == self._interval_s
        ]
        behind = [
            *runs_before_undo(of_model, stones),
            *runs_to_index(index.current_runs(), [counted.run for counted in of_model]),
        ]
        self._days_behind = {keys.day_start_ms(run.day) for run in behind}

    def of(self, manifest: MediaManifest) -> Account:
        """Return the account of a medium.

        Raises:
            Retryable: The ledger or the index is away.
            IndexDamaged: The index holds other counts than were written.
        """
        first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
        if first_ms is None or last_ms is None:
            return Account(is_counted=True)
        tally = self._tallies.get((manifest.source, media_of(manifest)))
        if tally is None:
            return Account()
        gone = self._gone_of(tally, None, None)
        account = Account(tally.detected, tally.dead_lettered, gone)
        if not self._interval_s:
            return account
        # Whole intervals, as they are counted: others' frames stand in them as well.
        step_ms = self._interval_s * 1000
        from_ms, to_ms = first_ms // step_ms * step_ms, (last_ms // step_ms + 1) * step_ms
        detected = self._detected_between(manifest.source, from_ms, to_ms)
        indexed, labels = self._indexed(manifest.source, from_ms, to_ms)
        days = {day * DAY_MS for day in days_of_span(first_ms, last_ms)}
        return account._replace(
            counted=max(0, tally.detected - gone - max(0, detected - indexed)),
            is_counted=indexed == detected and self._days_behind.isdisjoint(days),
            labels=labels,
        )

    def _detected_between(self, source: str, from_ms: int, to_ms: int) -> int:
        """Return how many frames of a source, of any medium, are to be counted in `[from_ms, to_ms)`."""
        detected = 0
        for manifest in self._by_source.get(source, ()):
            first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
            tally = self._tallies.get((source, media_of(manifest)))
            if first_ms is None or last_ms is None or tally is None:
                continue
            if first_ms >= to_ms or last_ms < from_ms:
                continue
            if from_ms <= first_ms and last_ms < to_ms:
                detected += tally.detected
            else:
                detected += self._between(tally, from_ms, to_ms)
            detected -= self._gone_of(tally, from_ms, to_ms)
        return detected

    def _gone_of(self, tally: FrameTally, from_ms: int | None, to_ms: int | None) -> int:
        """Return how many detected frames of `[from_ms, to_ms)` count no longer."""
        return sum(
            self._between(tally, *both)
            for gone in self._gone.get(tally.media, ())
            if (both := _common(gone, (from_ms, to_ms))) is not None
        )

    def _between(self, tally: FrameTally, from_ms: int | None, to_ms: int | None) -> int:
        detected, _ = self._ledger.tally_between(
            self._model or "", tally.source, tally.media, from_ms=from_ms, to_ms=to_ms
        )
        return detected

    def _indexed(self, source: str, from_ms: int, to_ms: int) -> tuple[int, dict[str, int]]:
        """Return the frames of `[from_ms, to_ms)` that are in the index, and its detections by label."""
        histogram = self._index.histogram(
            CountQuery(
                self._model or "", self._interval_s, AGES_S, sources=[source], from_ms=from_ms, to_ms=to_ms
            )
        )
        labels: dict[str, int] = {}
        for bucket in histogram.buckets:
            labels[bucket.label] = labels.get(bucket.label, 0) + bucket.detections
        return sum(bucket.frames for bucket in histogram.coverage), labels


def _common(one: Range, other: Range) -> Range | None:
    """Return what two ranges have in common; None if that is nothing."""
    starts = [start for start in (one[0], other[0]) if start is not None]
    ends = [end for end in (one[1], other[1]) if end is not None]
    from_ms, to_ms = max(starts, default=None), min(ends, default=None)
    return None if from_ms is not None and to_ms is not None and from_ms >= to_ms else (from_ms, to_ms)
