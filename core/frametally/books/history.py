"""Reads the history of a number: the runs that counted its days, what each changed, and why.

Each day's current run has the day's history (`history_records`), by the hour. So a range is rounded to whole
hours, or to whole stored intervals if these are longer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from frametally import keys
from frametally.books.counted_days import counted_with
from frametally.books.evidence import frames_in
from frametally.books.runs import read_history
from frametally.errors import Misconfigured, Poison
from frametally.history_records import HistoryEntry, HistoryReason
from frametally.ports.count_index import AGES_S, NOT_LOOKED_AT, CountIndex, CountQuery
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.records import FrameDetections, Run
from frametally.rules.places import is_of_places
from frametally.rules.times import DAY_MS, HOUR_MS, in_range, is_day_in_range

MOST_DAYS = 31
MOST_FRAMES = 24
_MOST_WITH_FRAMES = 12
"""How many of the last changes show frames: each costs reads of segments."""


class HistoryQuery(NamedTuple):
    """The number that a history explains; empty `labels` or `sources` mean all of them."""

    model: str
    base_interval_s: int
    from_ms: int
    to_ms: int
    sources: Collection[str] = ()
    labels: Collection[str] = ()


class HistoryChange(NamedTuple):
    """The change of the number by one run of a day.

    Attributes:
        day: UTC day that was counted.
        counted_at_ms: When the run was published, by the store's clock.
        before: Detections before this run, over all days of the number.
        after: Detections after it.
        frames_before: Frames analysed before.
        frames_came: Frames that it added, by source.
        frames_gone: Frames that it removed, by source.
        from_ms: Start of the first hour that changed, or None if none did.
        to_ms: End of the last hour that changed.
        added: The first frames that arrived.
        removed: The first frames that no longer count.
        has_parts: Whether the run's part files are still in the store.
        settings: Its settings, in words, or None if only their hash is known.
    """

    day: str
    entry: HistoryEntry
    counted_at_ms: int
    reasons: Sequence[HistoryReason]
    before: int
    after: int
    frames_before: int
    frames_came: Mapping[str, int]
    frames_gone: Mapping[str, int]
    from_ms: int | None
    to_ms: int | None
    added: Sequence[FrameDetections] = ()
    removed: Sequence[FrameDetections] = ()
    has_parts: bool = True
    settings: str | None = None

    @property
    def frames_after(self) -> int:
        """Frames analysed after this run."""
        return self.frames_before + sum(self.frames_came.values()) - sum(self.frames_gone.values())

    @property
    def is_late(self) -> bool:
        """Whether the run was published after its day was over."""
        return self.counted_at_ms >= keys.day_start_ms(self.day) + DAY_MS


class RunChanges(NamedTuple):
    """The changes of a number in order; they add up to its current value.

    Attributes:
        from_ms: Start of the first hour, or stored interval, of the number.
        to_ms: End of the last hour or stored interval.
        detections: The current value of the number.
        frames: Frames analysed, whatever they show.
        blank_frames: How many of them show nothing, so that no number of a chart includes them.
        other_runs: Runs that did not change it.
        unknown_days: Days whose history is missing or damaged.
        other_models: Detections for the same query by every other model that has counted it.
    """

    from_ms: int
    to_ms: int
    detections: int
    frames: int
    blank_frames: int
    changes: list[HistoryChange]
    other_runs: int
    unknown_days: list[str]
    other_models: dict[str, int]


class _Dated(NamedTuple):
    run: Run
    entry: HistoryEntry
    counted_at_ms: int

    @property
    def settings(self) -> str | None:
        """Its settings in words, or None unless the current run has the same ones."""
        is_known = self.entry.params == self.run.params and self.run.settings
        return counted_with(self.run.params, self.run.settings).words if is_known else None


def find_history(
    store: ObjectStore, index: CountIndex, ledger: Ledger, query: HistoryQuery, *, frames: int = 6
) -> RunChanges:
    """Return the history of a number of the count index, with up to `frames` added and removed frames each.

    Refresh the ledger from the store first.

    Raises:
        Misconfigured: The range has too many days.
        Retryable: The store, the index or the ledger is unavailable.
    """
    step_ms = max(HOUR_MS, query.base_interval_s * 1000)
    from_ms = query.from_ms // step_ms * step_ms
    to_ms = -(-query.to_ms // step_ms) * step_ms
    if to_ms - from_ms > (MOST_DAYS + 1) * DAY_MS:
        raise Misconfigured(f"a history can cover at most {MOST_DAYS} days; choose a shorter range")
    query = query._replace(from_ms=from_ms, to_ms=to_ms)
    dated, unknown = _read(store, index, query)
    effects: list[_Effect] = []
    other_runs = 0
    for effect in (_Effect.from_entry(dated_entry, query) for dated_entry in dated):
        if effect.hours or (effects and effect.has_new_settings):
            effects.append(effect)
        else:
            other_runs += effect.dated.entry.runs
    sums = [*accumulate((effect.detections for effect in effects), initial=0)]
    frame_sums = [*accumulate((effect.frames for effect in effects), initial=0)]
    parts_there = _PartsThere(store)
    detail = _Frames(store, ledger, query, frames)
    changes = []
    for number, effect in enumerate(effects):
        change = effect.change(sums[number], frame_sums[number], parts_there.has(effect.dated))
        if len(effects) - number <= _MOST_WITH_FRAMES:
            change = detail.with_frames(change)
        changes.append(change)
    models = _other_models(index, query)
    blank_frames = _blank_frames(index, query)
    return RunChanges(
        from_ms, to_ms, sums[-1], frame_sums[-1], blank_frames, changes, other_runs, unknown, models
    )


def _blank_frames(index: CountIndex, query: HistoryQuery) -> int:
    model, base_s, from_ms, to_ms, sources, _ = query
    blank = index.histogram(CountQuery(model, base_s, AGES_S, [*sources], [], from_ms, to_ms)).blank
    return sum(part.frames for part in blank if part.reason != NOT_LOOKED_AT)


def _other_models(index: CountIndex, query: HistoryQuery) -> dict[str, int]:
    bases = {entry.model: entry.base_interval_s for entry in index.series() if not is_of_places(entry.model)}
    detections_by_model = {}
    for model in sorted(bases.keys() - {query.model}):
        answer = index.histogram(
            CountQuery(
                model, bases[model], AGES_S, [*query.sources], [*query.labels], query.from_ms, query.to_ms
            )
        )
        if answer.coverage:
            detections_by_model[model] = sum(bucket.detections for bucket in answer.buckets)
    return detections_by_model


def _read(store: ObjectStore, index: CountIndex, query: HistoryQuery) -> tuple[list[_Dated], list[str]]:
    """Return the entries of the indexed days in the order of counting, and the days without a history."""
    dated_entries: list[_Dated] = []
    unknown = []
    for run in index.current_runs():
        if (run.model, run.interval_s) != (query.model, query.base_interval_s) or not is_day_in_range(
            keys.day_start_ms(run.day), query.from_ms, query.to_ms
        ):
            continue
        try:
            history = read_history(store, run)
        except Poison:
            history = None
        if history is None:
            unknown.append(run.day)
            continue
        info = store.head(run.key)
        latest_ms = 0
        for entry in history.entries:
            at_ms = entry.counted_at_ms or (
                info.modified_at_ms if info and entry is history.entries[-1] else 0
            )
            latest_ms = max(latest_ms, at_ms)  # keeps the order if a clock was set back
            dated_entries.append(_Dated(run, entry, latest_ms))
    dated_entries.sort(key=lambda change: (change.counted_at_ms, change.run.day, change.entry.sequence))
    return dated_entries, sorted(unknown)


class _Effect(NamedTuple):
    """The effect of an entry on the number: its change in detections and frames, and the hours."""

    dated: _Dated
    reasons: Sequence[HistoryReason]
    detections: int
    added: Counter[str]
    removed: Counter[str]
    hours: tuple[int, int] | None

    @classmethod
    def from_entry(cls, dated: _Dated, query: HistoryQuery) -> _Effect:
        day_ms = keys.day_start_ms(dated.run.day)
        detections, added, removed = 0, Counter[str](), Counter[str]()
        starts: list[int] = []
        for source, label, hour, more in _cells(dated.entry):
            start_ms = day_ms + hour * HOUR_MS
            if (query.sources and source not in query.sources) or not in_range(
                start_ms, query.from_ms, query.to_ms
            ):
                continue
            if label and query.labels and label not in query.labels:
                continue
            starts.append(start_ms)
            if label:
                detections += more
            else:
                (added if more > 0 else removed)[source] += abs(more)
        reasons = [
            reason
            for reason in dated.entry.reasons
            if not query.sources or not reason.source or reason.source in query.sources
        ]
        hours = (min(starts), max(starts) + HOUR_MS) if starts else None
        return cls(dated, reasons, detections, added, removed, hours)

    @property
    def frames(self) -> int:
        return self.added.total() - self.removed.total()

    @property
    def has_new_settings(self) -> bool:
        return any(reason.kind == "settings" for reason in self.reasons)

    def change(self, before: int, frames_before: int, has_parts: bool) -> HistoryChange:
        from_ms, to_ms = self.hours or (None, None)
        return HistoryChange(
            day=self.dated.run.day,
            entry=self.dated.entry,
            counted_at_ms=self.dated.counted_at_ms,
            reasons=self.reasons,
            before=before,
            after=before + self.detections,
            frames_before=frames_before,
            frames_came=dict(sorted(self.added.items())),
            frames_gone=dict(sorted(self.removed.items())),
            from_ms=from_ms,
            to_ms=to_ms,
            has_parts=has_parts,
            settings=self.dated.settings,
        )


def _cells(entry: HistoryEntry) -> Iterator[tuple[str, str, int, int]]:
    for source, of_source in entry.differences.items():
        for label, by_hour in of_source.items():
            for hour, more in by_hour.items():
                yield source, label, hour, more


class _PartsThere:
    """Finds which runs still have part files; lists each day once for each of its settings."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._prefixes: dict[str, set[str]] = {}

    def has(self, dated: _Dated) -> bool:
        run = dated.run
        day = (run.model, dated.entry.params, run.interval_s, run.day)
        folder = keys.day_folder(*day)
        if folder not in self._prefixes:
            listed = [keys.parse_run_object_key(info.key) for info in self._store.list(f"{folder}/")]
            self._prefixes[folder] = {entry.prefix for entry in listed if entry}
        return keys.run_folder(*day, dated.entry.run_id) in self._prefixes[folder]


class _Frames:
    """Finds the frames behind a change in the segments that still exist."""

    def __init__(self, store: ObjectStore, ledger: Ledger, query: HistoryQuery, most: int) -> None:
        self._store = store
        self._ledger = ledger
        self._query = query
        self._most = min(most, MOST_FRAMES)
        self._stones = {stone.media: stone for stone in ledger.tombstones()}

    def with_frames(self, change: HistoryChange) -> HistoryChange:
        """Return the change with its frames, and with a reason for footage that was moved here."""
        day_ms = keys.day_start_ms(change.day)
        window = max(day_ms, self._query.from_ms), min(day_ms + DAY_MS, self._query.to_ms)
        came = []
        if change.entry.segments and change.frames_came:
            came = self._read(change.frames_came, window, in_segments=change.entry.segments)
        removed_by_media: dict[str, list[FrameDetections]] = {
            reason.media: self._read([reason.source], _cut(window, reason), of_media=reason.media)
            for reason in change.reasons
            if reason.media and reason.source
        }
        touched = {media for media, frames in removed_by_media.items() if frames}
        return change._replace(
            reasons=self._reasons(change, came, touched),
            added=_first(came, self._most),
            removed=_first([frame for frames in removed_by_media.values() for frame in frames], self._most),
        )

    def _read(
        self,
        sources: Collection[str],
        window: tuple[int, int],
        *,
        in_segments: Collection[str] = (),
        of_media: str = "",
    ) -> list[FrameDetections]:
        frames: list[FrameDetections] = []
        from_ms, to_ms = window
        for source in sources:
            parts = self._ledger.parts(self._query.model, source, from_ms=from_ms, to_ms=to_ms)
            for part in parts:
                if in_segments and part.key not in in_segments:
                    continue
                try:
                    read = frames_in(
                        self._store,
                        [part],
                        model=self._query.model,
                        source=source,
                        from_ms=from_ms,
                        to_ms=to_ms,
                    )
                except (ObjectMissing, Poison):
                    continue
                frames += [frame for frame in read if not of_media or frame.media == of_media]
                if len(frames) >= self._most:
                    break
        return frames

    def _reasons(
        self, change: HistoryChange, came: Sequence[FrameDetections], touched: Collection[str]
    ) -> list[HistoryReason]:
        """Return the reasons that touch the number, including the origin of footage of a later revision."""
        moves: dict[str, HistoryReason] = {}
        for media in dict.fromkeys(frame.media for frame in came):
            sha256, revision = keys.parse_media_id(media)
            stone = self._stones.get(keys.media_id(sha256, revision - 1)) if revision else None
            if stone is not None and stone.why != "forget":
                moves[stone.media] = HistoryReason(
                    kind=stone.why, source=stone.source, media=stone.media, name=stone.name, after="here"
                )
        is_all_moved = bool(moves) and len(moves) == len({frame.media for frame in came})

        def is_due(reason: HistoryReason) -> bool:
            if reason.kind == "footage":
                return bool(change.frames_came) and not is_all_moved
            # A tombstone of a medium with unknown times touches every day of its source.
            return not reason.media or reason.media in touched or reason.source in change.frames_gone

        due = [*filter(is_due, change.reasons)]
        explained_media = {reason.media for reason in due}
        due += [reason for media, reason in moves.items() if media not in explained_media]
        return due or [*change.reasons]


def _cut(window: tuple[int, int], reason: HistoryReason) -> tuple[int, int]:
    from_ms, to_ms = window
    return (
        from_ms if reason.from_ms is None else max(from_ms, reason.from_ms),
        to_ms if reason.to_ms is None else min(to_ms, reason.to_ms),
    )


def _first(frames: Sequence[FrameDetections], most: int) -> list[FrameDetections]:
    once = {frame.image_path: frame for frame in frames}
    return sorted(once.values(), key=lambda frame: (frame.captured_at_ms, frame.image_path))[:most]
