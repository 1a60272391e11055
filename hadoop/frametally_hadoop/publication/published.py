"""A day's current run, looked at again when the day, or what its report is compared with, has changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from frametally import keys
from frametally.books.quality_reports import read_quality
from frametally.books.runs import read_parts
from frametally.errors import Poison
from frametally.media.manifests import touches
from frametally.ports.object_store import ObjectStore
from frametally.records import Coverage, Run, decode, encode
from frametally.rules.places import source_of
from frametally.undo_records import Tombstone
from frametally_hadoop.planning.plan import DayPlan
from frametally_hadoop.planning.surroundings import Surroundings
from frametally_hadoop.publication.quality_checks import DayAudit


def renew_report(store: ObjectStore, day: DayPlan, surroundings: Callable[[], Surroundings]) -> None:
    """Make the quality report of a day that is up to date anew, if failed checks would now say otherwise.

    Manifests, dead letters and other days' segments come later than its counts, and make no day stale. The
    surroundings are asked only if not all checks passed.
    """
    run = day.current
    try:
        if run is None or (report := read_quality(store, run)) is None:
            return
        if all(check.passed for check in report.checks):
            return
        audit = DayAudit(
            day,
            lines_passed_on=run.frames + run.duplicates_dropped,
            duplicates_dropped=run.duplicates_dropped,
            corrupt_lines={},
            surroundings=surroundings(),
        )
        if audit.is_outdated(report):
            deque(audit.watch(_lines(store, run)), maxlen=0)
            store.put(keys.quality_key(run.prefix), encode(audit.report(run.run_id)))
    except Poison:
        return  # whoever reads the run says what is damaged


class Loss(NamedTuple):
    """An interval of which a day's current run covers more frames than it would now."""

    source: str
    interval_start_ms: int
    frames_before: int
    frames_now: int


def compare_frames(
    store: ObjectStore,
    day: DayPlan,
    frames: Mapping[tuple[str, int], int],
    forgotten: Sequence[Tombstone],
) -> tuple[list[Loss], bool]:
    """Find the frames that the day would lose where nothing was forgotten, and whether nothing else is new.

    `frames` are those covered now, by source and start of the interval; `forgotten` are all tombstones, also
    those of sources of which nothing is left. Where media overlap, nothing is lost either, nor where parts
    of pictures are others than before.
    """
    try:
        before = dict(_covered(store, day.current)) if day.current else {}
    except Poison:
        before = {}  # it is damaged: nothing can be told by it

    def may_be_forgotten(loss: Loss, stone: Tombstone) -> bool:
        start_ms = loss.interval_start_ms
        end_ms = start_ms + day.key.interval_s * 1000
        return touches(stone, source=source_of(loss.source), from_ms=start_ms, to_ms=end_ms)

    def is_overlapped(loss: Loss) -> bool:
        end_ms = loss.interval_start_ms + day.key.interval_s * 1000
        return any(
            one.source == source_of(loss.source)
            and one.from_ms < end_ms
            and one.to_ms > loss.interval_start_ms
            for one in day.overlaps
        )

    def is_redrawn(loss: Loss) -> bool:
        source = source_of(loss.source)
        return day.current is not None and day.current.zones.get(source) != day.zones.get(source)

    less = [
        Loss(source, start_ms, was, now)
        for (source, start_ms), was in sorted(before.items())
        if (now := frames.get((source, start_ms), 0)) < was
    ]
    losses = [
        loss
        for loss in less
        if not any(may_be_forgotten(loss, stone) for stone in forgotten)
        and not is_overlapped(loss)
        and not is_redrawn(loss)
    ]
    gains = any(now > before.get(where, 0) for where, now in frames.items())
    same_settings = day.current is not None and day.current.params == day.params.digest()
    return losses, losses == less and same_settings and not gains


def _covered(store: ObjectStore, run: Run) -> Iterator[tuple[tuple[str, int], int]]:
    for line in _lines(store, run):
        if line.startswith(b'["coverage"'):
            found = decode(line.partition(b"\t")[2], Coverage)
            yield (found.source, found.interval_start_ms), found.frames


def _lines(store: ObjectStore, run: Run) -> Iterator[bytes]:
    for _, data in read_parts(store, run):
        yield from data.splitlines(keepends=True)
