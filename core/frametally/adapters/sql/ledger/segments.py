"""Updates a ledger's segments from the store; with many, it lists and reads only new ones."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from frametally.adapters.sql.ledger import chains, hour_rows, intake, segment_rows
from frametally.adapters.sql.ledger.database import LedgerDatabase
from frametally.ports.object_store import ObjectInfo, ObjectStore
from frametally.process.reports import Progress
from frametally.segments.stretches import Stretches, are_many, list_new_segments, lists_all

if TYPE_CHECKING:
    from frametally.books.intake import TakenSegment

_FRAMES_PER_TRANSACTION = 20_000
_SEGMENTS_PER_TRANSACTION = 200
_HEADERS_PER_TRANSACTION = 5_000
_HEADERS_AT_ONCE, _READERS = 500, 8


def refresh(
    database: LedgerDatabase,
    store: ObjectStore,
    progress: Progress,
    *,
    headers_only: bool = False,
    list_all: bool = False,
) -> tuple[int, int]:
    """Add new segments, and forget those that are gone or changed; return how many were added and removed.

    With `headers_only` no lines are read: the next refresh without it reads all lines not yet read.
    """
    with database.reading() as connection:
        count, listed_at_ms = hour_rows.count_rows(connection), chains.read_listing(connection)
    take = _take_headers if headers_only else _take
    now_ms = int(time.time() * 1000)
    removed_count = 0
    is_whole = list_all or lists_all(count, listed_at_ms, now_ms)
    new = None if is_whole else _new(database, store)
    if new is None:
        is_whole = True
        new, removed_count = _compare(database, store)
    taken_count = take(database, store, new, progress)
    if is_whole and are_many(count + taken_count):
        with database.writing() as connection:
            chains.note_listing(connection, now_ms)
    if not headers_only:
        with database.reading() as connection:
            unread = segment_rows.unread_segments(connection)
        take(database, store, unread, progress)
    return taken_count, removed_count


def _new(database: LedgerDatabase, store: ObjectStore) -> list[ObjectInfo] | None:
    """List the segments that are new, and those with problems; None if all must be compared."""
    with database.reading() as connection:
        stretches = Stretches(chains.read_stretches(connection))
        with_problems = segment_rows.segments_with_problems(connection)
    known_keys = stretches.keys()
    new = {info.key: info for info in list_new_segments(store, stretches)}
    for row in with_problems:
        info = store.head(row.key)
        has_frames = known_keys.end_of(row.key) is not None
        if info is None or (has_frames and (info.size_bytes, info.version) != (row.size_bytes, row.version)):
            return None  # it is unknown which frames only it held
        new[info.key] = info
    return [new[key] for key in sorted(new)]


def _compare(database: LedgerDatabase, store: ObjectStore) -> tuple[list[ObjectInfo], int]:
    """List all segments; forget those that are gone or changed; return which to read."""
    # Read the known segments before listing; otherwise segments added meanwhile would seem to be gone.
    with database.reading() as connection:
        known_segments = segment_rows.known_segments(connection)
    listed = {info.key: info for info in list_new_segments(store, Stretches())}
    removed_keys = known_segments.keys() - listed.keys()
    listed_again = listed.keys() & known_segments.keys()
    changed_keys = {key for key in listed_again if intake.is_changed(listed[key], known_segments)}
    read_again: set[str] = set()
    if removed_keys or changed_keys:
        with database.writing() as connection:
            of_all = chains.Chains(connection)
            read_again = segment_rows.forget_segments(connection, of_all, removed_keys | changed_keys)
            of_all.save(intake.Numbers(connection).number_of)
    new = [info for info in listed.values() if info.key in read_again or intake.is_new(info, known_segments)]
    return new, len(removed_keys)


def _take(database: LedgerDatabase, store: ObjectStore, new: Sequence[ObjectInfo], progress: Progress) -> int:
    """Add whole segments; return how many were still there."""
    from frametally.books.intake import take_segment  # planning imports it only if a segment is new

    batch: list[TakenSegment] = []
    taken_count = frame_count = 0
    for number, info in enumerate(new):
        progress.update(number, len(new), "segments")
        segment = take_segment(store, info)
        if segment is None:
            continue
        batch.append(segment)
        frame_count += len(segment.frames)
        if frame_count >= _FRAMES_PER_TRANSACTION or len(batch) >= _SEGMENTS_PER_TRANSACTION:
            _put(database, batch)
            taken_count, frame_count, batch = taken_count + len(batch), 0, []
    if batch:
        _put(database, batch)
    if new:
        progress.update(len(new), len(new), "segments")
    return taken_count + len(batch)


def _take_headers(
    database: LedgerDatabase, store: ObjectStore, new: Sequence[ObjectInfo], progress: Progress
) -> int:
    """Add headers of segments, many at a time; return how many were still there."""
    parts = [new[start : start + _HEADERS_AT_ONCE] for start in range(0, len(new), _HEADERS_AT_ONCE)]
    at_once = _HEADERS_PER_TRANSACTION // _HEADERS_AT_ONCE
    taken_count = 0
    with ThreadPoolExecutor(_READERS) as readers:
        for first in range(0, len(parts), at_once):  # bounds what is read ahead
            progress.update(first * _HEADERS_AT_ONCE, len(new), "headers of new segments")
            read = readers.map(partial(_read_headers, store), parts[first : first + at_once])
            batch = [segment for part in read for segment in part if segment is not None]
            _put(database, batch)
            taken_count += len(batch)
    if new:
        progress.update(len(new), len(new), "headers of new segments")
    return taken_count


def _read_headers(store: ObjectStore, infos: Sequence[ObjectInfo]) -> list[TakenSegment | None]:
    from frametally.books.intake import take_header

    return [take_header(store, info) for info in infos]


def _put(database: LedgerDatabase, batch: Sequence[TakenSegment]) -> None:
    with database.writing() as connection:
        numbers, of_batch = intake.Numbers(connection), chains.Chains(connection)
        segment_rows.put_segments(connection, numbers, of_batch, batch)
        of_batch.save(numbers.number_of)
