"""Writes segments into the ledger's tables, each function within one transaction.

Existing rows are left unchanged, so that two processes may add the same segments, in any order, one their
headers and another their lines. `forget_segments` removes segments that changed or are gone: it is unknown
which frames only they held, so other segments' frames of the same times are added again. Its cost depends on
these times only, however much more the ledger holds.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import UNSET

from frametally.adapters.sql.ledger.chains import LINKS, Chains
from frametally.adapters.sql.ledger.database import (
    DIGESTS,
    MOST_IN,
    LedgerConnection,
    by,
    execute_in,
    insert_rows,
    marks,
)
from frametally.adapters.sql.ledger.frame_rows import forget_frames, put_frames
from frametally.adapters.sql.ledger.hour_rows import digest_of
from frametally.adapters.sql.ledger.intake import Numbers
from frametally.ports.object_store import ObjectInfo
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally.segments.stretches import SegmentStretch

if TYPE_CHECKING:
    from frametally.books.intake import TakenSegment


class ProblemSegment(NamedTuple):
    """A segment that could not be read, or only in part, as it was listed; `model` is a number."""

    key: str
    model: int
    size_bytes: int
    version: str


def known_segments(connection: LedgerConnection) -> dict[str, tuple[int, str, bool]]:
    """Return size, version and whether to read it again, by key, of every segment."""
    rows = connection.execute("SELECT key, size_bytes, version, problem FROM frametally_ledger_segments")
    return {key: (size_bytes, version, problem is not None) for key, size_bytes, version, problem in rows}


def segments_with_problems(connection: LedgerConnection) -> list[ProblemSegment]:
    """Return the segments that could not be read, or only in part."""
    query = "SELECT key, model, size_bytes, version FROM frametally_ledger_segments WHERE problem IS NOT NULL"
    return [ProblemSegment(*row) for row in connection.execute(query)]


def unread_segments(connection: LedgerConnection) -> list[ObjectInfo]:
    """Return the segments of which only the header was read, in the order in which they were added."""
    query = (
        "SELECT key, size_bytes, version, put_at_ms FROM frametally_ledger_segments "
        "WHERE is_read = 0 AND problem IS NULL ORDER BY number"
    )
    return [ObjectInfo(*row) for row in connection.execute(query)]


_Rows = defaultdict[str, list[tuple[Any, ...]]]
"""Rows by table, each with all its columns in the table's order."""


def put_segments(
    connection: LedgerConnection, numbers: Numbers, chains: Chains, segments: Sequence[TakenSegment]
) -> None:
    """Add segments, except those already there without a problem; of these, add the lines not yet read.

    The rows of a table are written together: a fleet's segment has a few frames of each of very many media.
    """
    states = _states_of(connection, [segment.info.key for segment in segments])
    settled = {key for key, state in states.items() if state.problem is None}
    unread = {key: state.number for key, state in states.items() if state.is_unread}
    new = [segment for segment in segments if segment.info.key not in settled]
    replaced = [segment.info.key for segment in new if segment.info.key in states and segment.header]
    links_before = {link.first_key: link for link in _remove_segments(connection, replaced)[1]}
    rows: _Rows = defaultdict(list)
    number_by_key: dict[str, int] = {}
    for number, segment in enumerate(new, start=numbers.new(len(new))):
        key, header = segment.info.key, segment.header
        if header is None and key in states:
            _put_problem(connection, segment)  # the rest stays: it records which of `frames` came from it
            continue
        number_by_key[key] = number
        _add_rows(rows, numbers, segment, number)
        if header is None:
            continue
        offsets, figures = (header.first_offset, header.next_offset), (header.frames, header.dead_letters)
        link = SegmentStretch(key, key, *offsets, *figures)
        if key not in links_before:
            chains.add(link)
        elif link != links_before[key]:
            chains.order(key)
    to_read = number_by_key.keys() | unread.keys()
    read = [segment for segment in segments if segment.is_read and segment.info.key in to_read]
    for segment in read:
        key = segment.info.key
        rows["dead_letters"] += _letter_rows(numbers, segment, number_by_key.get(key) or unread[key])
    rows["hours"].sort()  # the table's order, so that neighbouring rows are written together
    for table, of_table in rows.items():
        insert_rows(connection, table, of_table)
    _add_to_total(connection, [sum(digests) % DIGESTS for digests in _digests(rows["hours"])])
    if rows["hours"]:
        first = min(number_by_key.values())
        connection.execute(_ADD_TO_SUMS.format(sign="", these="segment >= ?"), [first])
    were_unread = [unread[segment.info.key] for segment in read if segment.info.key in unread]
    execute_in(connection, "UPDATE frametally_ledger_segments SET is_read = 1 WHERE number IN ", were_unread)
    for segment in segments:
        if segment.problem and segment.info.key in unread:
            _put_problem(connection, segment)
    by_model: defaultdict[str, list[TakenSegment]] = defaultdict(list)
    for segment in read:
        by_model[segment.model].append(segment)
    for name, of_model in by_model.items():
        detected = (frame for segment in of_model for frame in segment.frames)
        dead = (letter.frame for segment in of_model for letter in segment.dead_letters if letter.frame)
        put_frames(connection, numbers, numbers.number_of(name), detected, dead=False)
        put_frames(connection, numbers, numbers.number_of(name), dead, dead=True)


class _State(NamedTuple):
    """The state of a segment in the tables; without a header they have only its problem."""

    number: int
    problem: str | None
    is_read: int

    @property
    def is_unread(self) -> bool:
        """Whether the segment's header is known and its lines are not."""
        return self.is_read == 0 and self.problem is None


def _states_of(connection: LedgerConnection, segment_keys: Sequence[str]) -> dict[str, _State]:
    query = "SELECT key, number, problem, is_read FROM frametally_ledger_segments WHERE key IN "
    return {key: _State(*state) for key, *state in execute_in(connection, query, segment_keys)}


def _put_problem(connection: LedgerConnection, segment: TakenSegment) -> None:
    info = segment.info
    connection.execute(
        "UPDATE frametally_ledger_segments SET problem = ?, size_bytes = ?, version = ?, put_at_ms = ? "
        "WHERE key = ?",
        [segment.problem, info.size_bytes, info.version, info.modified_at_ms, info.key],
    )


def _add_rows(rows: _Rows, numbers: Numbers, segment: TakenSegment, number: int) -> None:
    """Add the rows for a segment's header."""
    (key, *version, put_at_ms), header, model = segment.info, segment.header, numbers.number_of(segment.model)
    listed = number, key, model, *version, put_at_ms, segment.problem
    if header is None:
        rows["segments"].append((*listed, *(None,) * 7, 0))
        return
    chain = header.log_id, header.topic, header.partition
    figures = header.first_offset, header.next_offset, header.frames, header.dead_letters
    rows["segments"].append((*listed, *chain, *figures, int(segment.is_read)))
    lines_of = {}
    for part in header.sources:
        lines_of[part.source] = (
            part.first_captured_at_ms,
            part.last_captured_at_ms,
            segment.header_bytes + part.first_byte,
            segment.header_bytes + part.next_byte,
            part.crc32,
            None if part.picture_digests is UNSET else zlib.crc32(part.picture_digests.encode()),
        )
    of_hours = rows["hours"]
    for source, hour, is_own in segment.hours:
        lines = lines_of[source]
        place = model, numbers.number_of(source), hour, number, int(is_own)
        digest = digest_of(segment.model, source, hour, place[-1], key, lines[-2], lines[-1])
        of_hours.append(place + lines + digest)


def _digests(rows: Sequence[Sequence[Any]]) -> list[list[int]]:
    """Return the first and the second digests, the last values of rows."""
    return [[row[column] for row in rows] for column in (-2, -1)]


def _add_to_total(connection: LedgerConnection, sums: Iterable[int]) -> None:
    """Add to the sums of all digests of hours."""
    connection.execute(
        "UPDATE frametally_ledger SET digest_0 = (digest_0 + ?) % ?, digest_1 = (digest_1 + ?) % ?",
        [value for of_column in sums for value in (of_column, DIGESTS)],
    )


_ADD_TO_SUMS = """
INSERT INTO frametally_ledger_hour_sums
    (model, source, hour, segments, own, digest_0, digest_1)
SELECT model, source, hour, {sign}count(*), {sign}sum(is_own), {sign}sum(digest_0),
    {sign}sum(digest_1)
FROM frametally_ledger_hours WHERE {these} GROUP BY model, source, hour
ON CONFLICT (model, source, hour) DO UPDATE SET
    segments = frametally_ledger_hour_sums.segments + excluded.segments,
    own = frametally_ledger_hour_sums.own + excluded.own,
    digest_0 = frametally_ledger_hour_sums.digest_0 + excluded.digest_0,
    digest_1 = frametally_ledger_hour_sums.digest_1 + excluded.digest_1
"""


def _letter_rows(numbers: Numbers, segment: TakenSegment, number: int) -> list[tuple[Any, ...]]:
    rows = []
    for letter in segment.dead_letters:
        frame: tuple[int | None, ...] = (None,) * 4
        if (place := letter.frame) is not None:
            names = numbers.number_of(place.source), numbers.number_of(place.media)
            frame = *names, place.captured_at_ms, place.frame
        rows.append((number, letter.offset, numbers.number_of(segment.model), *frame, letter.cause))
    return rows


def forget_segments(connection: LedgerConnection, chains: Chains, segment_keys: Iterable[str]) -> set[str]:
    """Forget segments, and each day's frames of their sources from the first to the last of theirs.

    Returns the keys of other segments with frames of these times. They must be read again, and until then
    have that as their problem.
    """
    ranges, links = _remove_segments(connection, sorted(segment_keys))
    chains.remove(links)
    numbers: set[int] = set()
    for (model, source, _), (first_ms, last_ms) in ranges.items():
        forget_frames(connection, model, source, first_ms, last_ms)
        hours = model, source, first_ms // HOUR_MS, last_ms // HOUR_MS, first_ms, last_ms
        numbers.update(number for (number,) in connection.execute(_SEGMENTS_NEAR, hours))
        times = model, source, first_ms, last_ms
        numbers.update(number for (number,) in connection.execute(_LETTERS_NEAR, times))
    read_again: set[str] = set()
    for batch in by(MOST_IN, sorted(numbers)):
        of_batch = f"WHERE number IN ({marks(len(batch))})"
        query = f"SELECT key FROM frametally_ledger_segments {of_batch}"  # noqa: S608
        read_again.update(key for (key,) in connection.execute(query, batch))
        connection.execute(f"{_READ_AGAIN} {of_batch} AND problem IS NULL", batch)
    return read_again


_SEGMENTS_NEAR = (
    "SELECT segment FROM frametally_ledger_hours WHERE model = ? AND source = ? AND hour >= ? AND hour <= ? "
    "AND last_ms >= ? AND first_ms <= ?"
)
_LETTERS_NEAR = (
    "SELECT segment FROM frametally_ledger_dead_letters "
    "WHERE model = ? AND source = ? AND captured_at_ms >= ? AND captured_at_ms <= ?"
)
_READ_AGAIN = (
    "UPDATE frametally_ledger_segments "
    "SET problem = 'segment ' || key || ' must be read again: run the command again'"
)


def _remove_segments(
    connection: LedgerConnection, segment_keys: Sequence[str]
) -> tuple[dict[tuple[int, int, int], tuple[int, int]], list[SegmentStretch]]:
    """Remove the rows of segments, but not those of frames.

    Returns their first and last times by model, source and the day on which they begin, and their links in
    the chains.
    """
    ranges: dict[tuple[int, int, int], tuple[int, int]] = {}
    links: list[SegmentStretch] = []
    for batch in by(MOST_IN, segment_keys):
        of_batch = f"key IN ({marks(len(batch))})"
        links += [SegmentStretch(*row) for row in connection.execute(f"{LINKS} AND {of_batch}", batch)]
        these = f"segment IN (SELECT number FROM frametally_ledger_segments WHERE {of_batch})"  # noqa: S608
        for query in (
            f"SELECT DISTINCT model, source, first_ms, last_ms FROM frametally_ledger_hours WHERE {these}",  # noqa: S608
            "SELECT model, source, captured_at_ms, captured_at_ms FROM frametally_ledger_dead_letters "  # noqa: S608
            f"WHERE {these} AND frame IS NOT NULL",
        ):
            for model, source, first_ms, last_ms in connection.execute(query, batch):
                of_day = model, source, first_ms // DAY_MS
                first, last = ranges.get(of_day, (first_ms, last_ms))
                ranges[of_day] = min(first, first_ms), max(last, last_ms)
        query = f"SELECT digest_0, digest_1 FROM frametally_ledger_hours WHERE {these}"  # noqa: S608
        removed = connection.execute(query, batch).fetchall()
        _add_to_total(connection, [-sum(digests) % DIGESTS for digests in _digests(removed)])
        connection.execute(_ADD_TO_SUMS.format(sign="-", these=these), batch)
        connection.execute("DELETE FROM frametally_ledger_hour_sums WHERE segments = 0")
        for table in ("hours", "dead_letters"):
            connection.execute(f"DELETE FROM frametally_ledger_{table} WHERE {these}", batch)  # noqa: S608
        connection.execute(f"DELETE FROM frametally_ledger_segments WHERE {of_batch}", batch)  # noqa: S608
    return ranges, links
