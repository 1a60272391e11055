"""Stores notes of segments by day, so that planning reads only new segments and stale days.

They are in `<data_dir>/segments-<8 hex of the store's address>.sqlite`. Without it, or where it is damaged,
frametally reads the headers of all segments once more.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from frametally import keys
from frametally.books.offsets import chain_breaks
from frametally.errors import FrametallyError, Retryable
from frametally.ports.ledger import ChainLink
from frametally.ports.object_store import ObjectInfo, ObjectStore
from frametally.process import failpoints
from frametally.process.reports import Progress, Skipped
from frametally.segments.stretches import (
    SegmentStretch,
    Stretches,
    are_many,
    first_offset_of,
    list_new_segments,
    lists_all,
)
from frametally_hadoop.planning import stored_notes
from frametally_hadoop.planning.day_notes import DayNotes
from frametally_hadoop.planning.notes_file import Damaged, NotedDay, NotesFile, State
from frametally_hadoop.planning.segment_notes import SegmentNote, read_notes

_PENDING_NOTES = 50_000
_DAYS_IN_MEMORY = 2
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}
"""What SQLite says where there is no room for the file, no right to it, or no end of another writer."""


class NotesDamaged(Retryable):
    """The file of notes was damaged, and is empty now: the next plan reads all headers."""


class MissingSegments(NamedTuple):
    """Segments that cannot be read, and models and days that lack some; None as day: any of them."""

    unreadable: list[Skipped]
    lacking: set[tuple[str, int | None]]


class SegmentNotes:
    """The notes of one store's segments, on one machine. It reads the notes of a day when they are used."""

    def __init__(self, data_dir: Path, store_url: str) -> None:
        """Read nothing yet. What is noted of a store in memory is gone with its process, as the store is."""
        name = f"segments-{hashlib.sha256(store_url.encode()).hexdigest()[:8]}.sqlite"
        self._file = NotesFile(None if store_url.startswith("memory:") else data_dir / name)
        self._state = State()
        self._stretches = Stretches()
        self._pending: defaultdict[tuple[str, int], list[SegmentNote]] = defaultdict(list)
        self._earlier: dict[str, SegmentNote] = {}
        self._loaded: dict[tuple[str, int, bool], list[SegmentNote]] = {}
        self._inputs_before: dict[str, str] = {}
        self._all_next = False
        self._grown: set[tuple[str, int]] = set()
        self.warnings: list[str] = []

    def list_all(self) -> None:
        """Have the next refresh list all segments, because some differ from the notes."""
        self._all_next = True

    def refresh(self, store: ObjectStore, unusable: Collection[str], progress: Progress) -> MissingSegments:
        """Note the new segments of the store, except those with `unusable` keys.

        Of many segments only new ones are listed, and once a day all (`lists_all`).
        """
        while True:
            try:
                with self._file.writing():
                    refreshed = self._refresh(store, unusable, progress)
                self._all_next = False
                return refreshed
            except (sqlite3.Error, UnicodeDecodeError, Damaged) as error:
                if self._file.path is None:
                    raise
                if getattr(error, "sqlite_errorcode", 0) % 256 in _UNAVAILABLE:
                    self._begin_empty(None)  # only this process has notes
                else:
                    self._discard()

    def days(self, *, own: bool, unusable: Collection[str]) -> dict[tuple[str, int], DayNotes]:
        """Return, by model and whole day since 1970, the notes of each day with frames.

        With `own` they have no segments with frames near the day only. Those with `unusable` keys are left
        out.
        """
        days: dict[tuple[str, int], DayNotes] = {}
        for model, number, day in self._state.list_days():
            load = partial(self._notes_of, model, number, own, unusable)
            if unusable:
                days[model, number] = DayNotes(load)
            else:
                sources = day.own_sources if own else day.sources
                days[model, number] = DayNotes(load, day.digest, sources, day.own_sources)
        return {place: notes for place, notes in days.items() if notes.own_sources(place[1])}

    def with_dead_letters(self, unusable: Collection[str]) -> list[str]:
        """Return the keys of segments that hold dead letters, sorted."""
        return sorted(set(self._state.with_dead_letters).difference(unusable))

    def chain_breaks(self, unusable: Collection[str]) -> dict[str, list[str]]:
        """Return, by model, the gaps and overlaps between its segments, one line each."""
        stretches: Iterable[SegmentStretch] = self._stretches
        if unusable:
            stretches = _ordered(note for note in self._all_notes() if note.info.key not in unusable)
        chains: defaultdict[str, list[ChainLink]] = defaultdict(list)
        for stretch in stretches:
            if (place := keys.parse_segment_key(stretch.first_key)) is not None:
                offsets = stretch.first_offset, stretch.next_offset
                link = ChainLink(
                    stretch.first_key, place.log_id, place.topic, place.partition, *offsets, 0, 0
                )
                chains[place.model].append(link)
        return {model: chain_breaks(links) for model, links in chains.items()}

    def inputs(self, made_from: str, make: Callable[[], str]) -> str:
        """Return the identity of a day with these inputs: the earlier one, or a new one by `make`."""
        if made_from not in self._state.inputs:
            self._state.inputs[made_from] = make()
        return self._state.inputs[made_from]

    def keep_inputs(self, used: Collection[str]) -> None:
        """Keep the identities that a plan has used, for the next.

        That they cannot be written is not worth an error: then they are made again.
        """
        self._state.inputs = {made_from: self._state.inputs[made_from] for made_from in sorted(used)}
        if self._state.inputs != self._inputs_before:
            with suppress(sqlite3.Error, UnicodeDecodeError, Damaged), self._file.writing():
                state = self._file.read_state()
                state.inputs = self._state.inputs
                self._file.write_state(state)

    def share(self, store: ObjectStore) -> None:
        """Store the notes of days that no longer grow, or have doubled, for machines without them.

        Those of days without segments are deleted. `warnings` say if that is not possible.
        """
        try:
            listed = {info.key for info in store.list(keys.NOTES)}
            if self._state.segments < stored_notes.FEWEST and not listed:
                return
            with suppress(sqlite3.Error, UnicodeDecodeError, Damaged), self._file.writing():
                state, before = self._file.read_state(), self._file.read_state()
                for model, number, day in state.list_days():
                    key = stored_notes.notes_key(model, number)
                    stored = day.stored if key in listed else 0
                    listed.discard(key)
                    is_at_rest = (model, number) not in self._grown
                    if day.notes > stored and (is_at_rest or day.notes >= 2 * stored):
                        stored_notes.put_notes(store, key, self._file.read_lines(day))
                        day.stored = day.notes
                for key in listed:
                    store.delete(key)
                if state != before:
                    self._file.write_state(state)
        except FrametallyError as error:
            self.warnings.append(f"the notes of segments could not be stored for other machines: {error}")

    def _refresh(self, store: ObjectStore, unusable: Collection[str], progress: Progress) -> MissingSegments:
        before, self._state = self._file.read_state(), self._file.read_state()
        self._inputs_before = before.inputs
        self._stretches = Stretches(before.stretches)
        self._loaded.clear()
        self._pending.clear()
        now_ms = int(time.time() * 1000)
        is_whole = self._all_next or lists_all(before.segments, before.listed_at_ms, now_ms)
        new = self._compare(store) if is_whole else list(list_new_segments(store, self._stretches))
        left_out = {info.key for info in new if info.key in unusable}
        infos = {info.key: info for info in new if info.key not in unusable}
        del new  # `infos` shrinks as segments are noted
        unreadable = self._note(infos, store, progress)
        self._state.stretches = list(self._stretches)
        if is_whole and are_many(self._state.segments):
            self._state.listed_at_ms = now_ms
        if self._state != before:
            self._file.write_state(self._state)
        failpoints.passing("aggregate.noted")
        left_out.update(item.name for item in unreadable)
        left_out.update(key for key in unusable if key not in self._earlier)
        return MissingSegments(unreadable, {day for key in left_out for day in self._days_of(key)})

    def _note(self, infos: dict[str, ObjectInfo], store: ObjectStore, progress: Progress) -> list[Skipped]:
        """Read the notes of new segments, by key, or their headers; return those that have none."""
        new = len(infos)
        unreadable: list[Skipped] = []
        is_disordered = False
        whole: dict[str, int] = {}
        for done, (info, note) in enumerate(self._read(infos, store, whole)):
            progress.update(done, new, "headers of new segments")
            if isinstance(note, Skipped):
                unreadable.append(note)
            if not isinstance(note, SegmentNote):
                continue
            self._state.segments += 1
            if note.dead_letters:
                self._state.with_dead_letters.append(info.key)
            is_disordered |= not self._stretches.add(_link_of(note))
            for number in note.near_days or (stored_notes.NO_DAY,):
                self._pending[note.model, number].append(note)
            if not self._state.segments % _PENDING_NOTES:
                self._write_pending()
        self._write_pending()
        progress.update(new, new, "headers of new segments")
        for model, number, day in self._state.list_days():
            day.stored = whole.get(stored_notes.notes_key(model, number), day.stored)
        if is_disordered:
            self._stretches = _ordered(self._all_notes())
        return unreadable

    def _read(
        self, infos: dict[str, ObjectInfo], store: ObjectStore, whole: dict[str, int]
    ) -> Iterator[tuple[ObjectInfo, SegmentNote | Skipped | None]]:
        """Yield the notes of segments: if most are new, those in the store, then those of headers.

        `infos` and `whole` as in `take_notes`.
        """
        if len(infos) >= max(stored_notes.FEWEST, self._state.segments):
            unreadable = yield from stored_notes.take_notes(store, infos, whole)
            if unreadable:
                name, reason = unreadable[0]
                more = f" and {len(unreadable) - 1} more" if unreadable[1:] else ""
                self.warnings.append(f"{name}{more}: {reason}; frametally reads headers of segments instead")
        yield from read_notes(store, list(infos.values()))

    def _write_pending(self) -> None:
        for (model, number), notes in self._pending.items():
            of_model = self._state.days.setdefault(model, {})
            if number not in of_model:
                places = [day.place for _, _, day in self._state.list_days()]
                of_model[number] = NotedDay(1 + max(places, default=0))
            day = of_model[number]
            day.sources = _with_sources(day.sources, notes)
            day.own_sources = _with_sources(day.own_sources, (note for note in notes if number in note.days))
            self._file.add(day, notes)
            self._grown.add((model, number))
        self._pending.clear()

    def _compare(self, store: ObjectStore) -> list[ObjectInfo]:
        """List all segments; forget those that are gone or were put again, and return those to read."""
        hashes = {note.info.key: hash(note.info) for note in self._all_notes()}
        new, changed = [], set()
        for info in list_new_segments(store, Stretches()):
            was = hashes.pop(info.key, None)
            if was != hash(info):
                new.append(info)
                if was is not None:
                    changed.add(info.key)
        if changed or hashes:
            self._forget(changed | hashes.keys())
        return new

    def _forget(self, removed_keys: Collection[str]) -> None:
        for model, number, day in self._state.list_days():
            notes = self._file.read(day)
            left = [note for note in notes if note.info.key not in removed_keys]
            if len(left) < len(notes):
                self._earlier.update((note.info.key, note) for note in notes if note.info.key in removed_keys)
                self._file.remove(self._state.days[model].pop(number))
                if left:
                    self._pending[model, number] = left
                    self._write_pending()
        self._stretches = _ordered(self._all_notes())
        self._state.segments -= len(removed_keys)
        self._state.with_dead_letters = [
            key for key in self._state.with_dead_letters if key not in removed_keys
        ]

    def _notes_of(self, model: str, number: int, own: bool, unusable: Collection[str]) -> list[SegmentNote]:
        """Return the notes of a day, by key; the last days that were asked for stay in memory."""
        notes = self._loaded.get((model, number, own))
        if notes is None:
            try:
                read = self._file.read(self._state.days[model][number])
            except (sqlite3.Error, UnicodeDecodeError, Damaged) as error:
                self._discard()
                raise NotesDamaged(f"{self.warnings[-1]}; run the command again") from error
            notes = [note for note in read if not own or number in note.days]
            notes.sort(key=lambda note: note.info.key)
            while len(self._loaded) >= _DAYS_IN_MEMORY:
                del self._loaded[next(iter(self._loaded))]
            self._loaded[model, number, own] = notes
        return [note for note in notes if note.info.key not in unusable] if unusable else notes

    def _all_notes(self, part_of_key: str = "") -> Iterator[SegmentNote]:
        """Yield every note, some twice; of days without such a key none."""
        for _, _, day in self._state.list_days():
            if not part_of_key or self._file.may_have(day, part_of_key):
                yield from self._file.read(day)

    def _days_of(self, key: str) -> set[tuple[str, int | None]]:
        """Return models and days of a segment, whatever became of it; None as day: any, it was never read."""
        notes = (note for note in self._all_notes(key) if note.info.key == key)
        note = self._earlier.get(key) or next(notes, None)
        if note is not None:
            return {(note.model, day) for day in note.near_days}
        segment = keys.parse_segment_key(key)
        return {(segment.model, None)} if segment else set()

    def _discard(self) -> None:
        """Begin with an empty file where it is damaged, and report that."""
        path = self._file.path
        self.warnings.append(f"{path} was damaged; frametally reads every segment's header again")
        self._file.close()
        try:
            if path is not None:
                path.unlink()
        except OSError:
            path = None
        self._begin_empty(path)

    def _begin_empty(self, path: Path | None) -> None:
        self._file.close()
        self._file = NotesFile(path)
        self._state, self._stretches = State(), Stretches()
        self._pending.clear()
        self._loaded.clear()


def _link_of(note: SegmentNote) -> SegmentStretch:
    key, next_offset = note.info.key, note.next_offset
    first_offset = first_offset_of(key)
    return SegmentStretch(key, key, first_offset, next_offset, next_offset - first_offset)


def _ordered(notes: Iterable[SegmentNote]) -> Stretches:
    stretches = Stretches()
    for link in sorted({_link_of(note) for note in notes}):
        stretches.add(link)
    return stretches


def _with_sources(sources: Iterable[str], notes: Iterable[SegmentNote]) -> list[str]:
    return sorted({*sources, *(span.source for note in notes for span in note.spans)})
