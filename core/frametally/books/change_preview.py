"""Previews what a change of footage would do to each day: counts stored detections with and without it."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from frametally import keys
from frametally.books.evidence import frames_in
from frametally.media.forgetting import targets_in
from frametally.media.manifests import forgotten_by, media_of
from frametally.media.overlapping import not_counted
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.records import MediaManifest
from frametally.rules.times import local_time
from frametally.rules.tombstones import is_forgotten
from frametally.settings.loading import Settings
from frametally.undo_records import FootageChange, Tombstone

MOST_DAYS = 400
MOST_BYTES = 50_000_000
"""Most bytes of stored detections to read for one answer, some 100,000 frames."""

_Day = tuple[str, datetime.date]


class DayCounts(NamedTuple):
    """Frames and detections of a source on a local day, before a change and after it."""

    source: str
    day: datetime.date
    frames_before: int
    frames_after: int
    detections_before: int
    detections_after: int


def preview_counts(
    store: ObjectStore, ledger: Ledger, settings: Settings, change: FootageChange, zone: datetime.tzinfo
) -> list[DayCounts] | None:
    """Return the days that a change touches, by source and day, or None if there is too much to count.

    The counts follow the job's rules and the newest model's detections so far. Refresh the ledger from the
    store first.

    Raises:
        ObjectMissing: A segment was removed since the ledger was refreshed.
        Poison: Lines of a segment are damaged.
        Retryable: The store or the ledger is unavailable.
    """
    plan = _Plan(change, ledger, settings)
    days = sorted(set(plan.days(zone)))
    model = next(iter(ledger.models()), None)
    if model is None or not days:
        return []
    windows = [(source, _start_ms(day, zone), _start_ms(_next(day), zone)) for source, day in days]
    parts = [ledger.parts(model, source, from_ms=start, to_ms=end) for source, start, end in windows]
    read_bytes = sum({part.key: part.next_byte - part.first_byte for of in parts for part in of}.values())
    if len(days) > MOST_DAYS or read_bytes > MOST_BYTES:
        return None
    counts_box = settings.counted_boxes().rule()
    totals: tuple[Counter[_Day], ...] = (Counter(), Counter(), Counter(), Counter())
    for (source, start_ms, end_ms), of_window in zip(windows, parts, strict=True):
        for frame in frames_in(store, of_window, model=model, source=source, from_ms=start_ms, to_ms=end_ms):
            boxes = sum(map(counts_box, frame.detections))
            of_frame = frame.media, source, frame.captured_at_ms
            for number, moment in enumerate((plan.before(*of_frame), plan.after(*of_frame))):
                if moment is not None:
                    place = moment[0], local_time(moment[1], zone).date()
                    totals[number][place] += 1
                    totals[2 + number][place] += boxes
    return [DayCounts(*day, *(total[day] for total in totals)) for day in days]


class _Plan:
    """Where each frame counts before a change, and where after it."""

    def __init__(self, change: FootageChange, ledger: Ledger, settings: Settings) -> None:
        manifests, stones = ledger.manifests(), ledger.tombstones()
        self._change = change
        self._shifts = dict(
            zip(map(media_of, change.media), change.shifts_ms or [0] * len(change.media), strict=True)
        )
        self._forgotten = forgotten_by(stones)
        self._before = not_counted(manifests, stones, settings.count_overlaps)
        later = [
            self._changed(manifest) if media_of(manifest) in self._shifts else manifest
            for manifest in manifests
        ]
        self._after = not_counted(later, [*stones, *self._new_stones(stones)], settings.count_overlaps)

    def before(self, media: str, source: str, at_ms: int) -> tuple[str, int] | None:
        """Return source and event time of a frame that counts now, or None if it does not."""
        return None if is_forgotten(media, at_ms, self._before) else (source, at_ms)

    def after(self, media: str, source: str, at_ms: int) -> tuple[str, int] | None:
        """Return source and event time at which a frame counts after the change, or None if it does not."""
        if media not in self._shifts or self._change.what == "forget":
            return None if is_forgotten(media, at_ms, self._after) else (source, at_ms)
        moved_ms = at_ms + self._shifts[media]
        if is_forgotten(media, at_ms, self._forgotten):
            return None
        if is_forgotten(_next_of(media), moved_ms, self._after):
            return None
        return self._change.source or source, moved_ms

    def days(self, zone: datetime.tzinfo) -> Iterator[_Day]:
        """Yield the days with footage that the change touches, before and after it."""
        for target in targets_in(self._change.media, from_ms=self._change.from_ms, to_ms=self._change.to_ms):
            one = target.manifest
            if one.first_captured_at_ms is None or one.last_captured_at_ms is None:
                continue
            first_ms = max(one.first_captured_at_ms, target.from_ms or one.first_captured_at_ms)
            last_ms = min(one.last_captured_at_ms, (target.to_ms or one.last_captured_at_ms + 1) - 1)
            places = [(one.source, 0)]
            if self._change.what != "forget":
                places.append((self._change.source or one.source, self._shifts[media_of(one)]))
            for source, shift_ms in places:
                day = local_time(first_ms + shift_ms, zone).date()
                last = local_time(last_ms + shift_ms, zone).date()
                while day <= last:
                    yield source, day
                    day = _next(day)

    def _changed(self, manifest: MediaManifest) -> MediaManifest:
        if self._change.what == "forget":
            return manifest
        shift_ms = self._shifts[media_of(manifest)]

        def moved(time_ms: int | None) -> int | None:
            return None if time_ms is None else time_ms + shift_ms

        return msgspec.structs.replace(
            manifest,
            source=self._change.source or manifest.source,
            revision=manifest.revision + 1,
            first_captured_at_ms=moved(manifest.first_captured_at_ms),
            last_captured_at_ms=moved(manifest.last_captured_at_ms),
            runs=[(first + shift_ms, last + shift_ms) for first, last in manifest.runs],
        )

    def _new_stones(self, stones: list[Tombstone]) -> Iterator[Tombstone]:
        change = self._change
        if change.what == "forget":
            for target in targets_in(change.media, from_ms=change.from_ms, to_ms=change.to_ms):
                one = target.manifest
                yield Tombstone(
                    media=media_of(one),
                    source=one.source,
                    name=one.name,
                    from_ms=target.from_ms,
                    to_ms=target.to_ms,
                    why="forget",
                )
            return
        for stone in stones:
            if (shift_ms := self._shifts.get(stone.media)) is not None:
                yield msgspec.structs.replace(
                    stone,
                    media=_next_of(stone.media),
                    from_ms=None if stone.from_ms is None else stone.from_ms + shift_ms,
                    to_ms=None if stone.to_ms is None else stone.to_ms + shift_ms,
                )


def _next_of(media: str) -> str:
    sha256, revision = keys.parse_media_id(media)
    return keys.media_id(sha256, revision + 1)


def _next(day: datetime.date) -> datetime.date:
    return day + datetime.timedelta(days=1)


def _start_ms(day: datetime.date, zone: datetime.tzinfo) -> int:
    return round(datetime.datetime.combine(day, datetime.time(), zone).timestamp()) * 1000
