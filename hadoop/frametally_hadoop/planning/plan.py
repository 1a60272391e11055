"""Which days have to be counted anew, and from which segments."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from frametally import keys
from frametally.books.intake import list_segment_infos
from frametally.books.runs import CurrentDay, DayKey, current_days
from frametally.errors import Misconfigured, Poison
from frametally.media.manifests import forgotten_by, list_tombstones, touches
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process.reports import Progress, Skipped
from frametally.records import Run
from frametally.rules.times import DAY_MS
from frametally.rules.tombstones import Range
from frametally.undo_records import Tombstone
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.job.tracks.params import MARGIN_MS
from frametally_hadoop.planning.segment_notes import SegmentNotes, breaks_by_model, take_note
from frametally_hadoop.planning.selection import ALL_DAYS, DaySelection


class DayPlan(NamedTuple):
    """One day to count.

    Attributes:
        key: Model, interval and day.
        params: What counts.
        sequence: Sequence of the run to publish.
        segments: Keys of the segments that the day is counted from, sorted: those with frames of it, or, if
            objects are tracked, of the margin before or after it.
        current: The day's current run, None if there is none.
        tombstones: Those that touch what the day is counted from.
        versions: Of the segments, in their order, as the store lists them.
        is_whole: Whether no segment with frames of it, as far as is known, is left out as damaged.
    """

    key: DayKey
    params: CountParams
    sequence: int
    segments: list[str]
    current: Run | None
    tombstones: tuple[Tombstone, ...] = ()
    versions: tuple[str, ...] = ()
    is_whole: bool = True

    @property
    def current_sha256(self) -> str | None:
        """`inputs_sha256` of the day's current run, None if there is none."""
        return self.current.inputs_sha256 if self.current else None

    def inputs_sha256(self, corrupt_lines: Mapping[str, Collection[int]] | None = None) -> str:
        """Identity of what the day is counted from: settings, day, segments, and what of them is forgotten.

        Args:
            corrupt_lines: By segment key, numbers of lines that were set aside. As they are part of the
                identity, such a day is counted again each time, and heals when the segment does.
        """
        digest = hashlib.sha256(f"{self.params.digest()} {self.key.interval_s} {self.key.day}\n".encode())
        for segment in self.segments:
            lines = sorted((corrupt_lines or {}).get(segment, ()))
            digest.update(f"{segment} without lines {lines}\n".encode() if lines else f"{segment}\n".encode())
        for stone in sorted((stone.media, str(stone.from_ms), str(stone.to_ms)) for stone in self.tombstones):
            digest.update(f"without {' '.join(stone)}\n".encode())
        return digest.hexdigest()

    def state_sha256(self) -> str:
        """Identity of a count of the day as things are: once made, it need not be made again.

        It changes with the inputs, with each run of the day, and where a segment is put again: one that was
        damaged is then restored, say, under the same `inputs_sha256`.
        """
        parts = [self.inputs_sha256(), str(self.sequence), *self.versions]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class CountingPlan(NamedTuple):
    """What there is to do.

    Attributes:
        params: What counts.
        stale: Days to count, sorted.
        up_to_date: Days that need nothing, sorted.
        tombstones: All there are.
        days_of_segment: By segment key, its days that are stale, as whole days since 1970.
        skipped: Segments that cannot be used.
        size_of: Bytes of every segment that can.
        with_dead_letters: Keys of those that hold some.
        chain_breaks: By model, gaps and overlaps between its segments, one line each.
    """

    params: CountParams
    stale: list[DayPlan]
    up_to_date: list[DayPlan]
    tombstones: list[Tombstone]
    days_of_segment: dict[str, list[int]]
    skipped: list[Skipped]
    size_of: dict[str, int]
    with_dead_letters: list[str]
    chain_breaks: dict[str, list[str]]

    def forgotten(self) -> dict[str, dict[str, list[Range]]]:
        """By segment key, what is forgotten of the stale days that are counted from it."""
        stones: dict[str, dict[str, Tombstone]] = defaultdict(dict)
        for day in self.stale:
            touching = {keys.tombstone_key(s.media, s.from_ms, s.to_ms): s for s in day.tombstones}
            for segment in day.segments if touching else ():
                stones[segment].update(touching)
        return {segment: forgotten_by(found.values()) for segment, found in stones.items()}


def make_plan(
    *,
    store: ObjectStore,
    params: CountParams,
    notes: SegmentNotes,
    unusable: Collection[str],
    progress: Progress,
    selection: DaySelection = ALL_DAYS,
) -> CountingPlan:
    """Compare the segments with the current runs.

    Args:
        store: Where both are.
        params: What counts.
        notes: What is known of the segments already; what is new is added.
        unusable: Keys of segments to leave out.
        progress: Told how many headers have been read.
        selection: Which days to look at, and whether to count also those that are up to date.
    """
    # The runs first: whatever they were counted from is then in the listing too, so that a run that follows
    # a current one never holds less.
    current = current_days(store)
    stones = list_tombstones(store)
    sources: dict[DayKey, set[str]] = defaultdict(set)
    segments: dict[DayKey, list[str]] = defaultdict(list)
    filmed: set[DayKey] = set()
    margin_ms = MARGIN_MS if params.tracking is not None else 0
    skipped: list[Skipped] = [Skipped(day.pointer, day.problem) for day in current.values() if day.problem]
    listed = list(list_segment_infos(store))
    left_out = [info.key for info in listed if info.key in unusable]
    listed = [info for info in listed if info.key not in unusable]
    new = [info for info in listed if notes.find(info) is None]
    for done, info in enumerate(new):
        progress.update(done, len(new), "headers of new segments")
        try:
            notes.add(take_note(store, info))
        except (Poison, Misconfigured) as error:
            skipped.append(Skipped(info.key, str(error)))
            left_out.append(info.key)
        except ObjectMissing:
            continue  # removed since it was listed
    progress.update(len(new), len(new), "headers of new segments")
    notes.save(listed)
    usable = [note for info in listed if (note := notes.find(info)) is not None]
    version_of = {note.key: note.version for note in usable}
    for note in usable:
        for day in note.days if params.tracking is None else note.near_days:
            day_key = DayKey(note.model, params.interval_s, keys.utc_day(day * DAY_MS))
            segments[day_key].append(note.key)
            sources[day_key].update(note.sources)
            if day in note.days:
                filmed.add(day_key)
    lacking = {place for key in left_out for place in notes.places(key)}
    plans = [
        _plan_day(day, params, sorted(segments[day]), current.get(day))._replace(
            tombstones=_touching(stones, day.day, sources[day], margin_ms),
            versions=tuple(version_of[key] for key in sorted(segments[day])),
            is_whole=lacking.isdisjoint({(day.model, _day_number(day.day)), (day.model, None)}),
        )
        for day in sorted(filmed)
        if selection.has(day.day)
    ]
    stale: list[DayPlan] = []
    up_to_date: list[DayPlan] = []
    for plan in plans:
        is_stale = selection.recount or plan.current_sha256 != plan.inputs_sha256()
        (stale if is_stale else up_to_date).append(plan)
    days_of_segment: dict[str, list[int]] = defaultdict(list)
    for plan in stale:
        for key in plan.segments:
            days_of_segment[key].append(_day_number(plan.key.day))
    return CountingPlan(
        params=params,
        stale=stale,
        up_to_date=up_to_date,
        tombstones=stones,
        days_of_segment=dict(sorted(days_of_segment.items())),
        skipped=skipped,
        size_of={note.key: note.size_bytes for note in usable},
        with_dead_letters=[note.key for note in usable if note.dead_letters],
        chain_breaks=breaks_by_model(usable),
    )


def _plan_day(day: DayKey, params: CountParams, segments: list[str], current: CurrentDay | None) -> DayPlan:
    return DayPlan(
        key=day,
        params=params,
        sequence=current.sequence + 1 if current else 1,
        segments=segments,
        current=current.run if current else None,
    )


def _touching(
    stones: Iterable[Tombstone], day: str, sources: Collection[str], margin_ms: int
) -> tuple[Tombstone, ...]:
    """The tombstones of frames that the day can be counted from."""
    from_ms = keys.day_start_ms(day) - margin_ms
    to_ms = from_ms + DAY_MS + 2 * margin_ms
    return tuple(
        stone
        for stone in stones
        if stone.source in sources and touches(stone, source=stone.source, from_ms=from_ms, to_ms=to_ms)
    )


def _day_number(day: str) -> int:
    return keys.day_start_ms(day) // DAY_MS
