"""The chains of segments in the ledger's tables, as stretches, so that no query reads every segment."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterable

from frametally import keys
from frametally.adapters.sql.ledger.database import NUMBER_OF_NAME, LedgerConnection, insert_rows
from frametally.errors import RowDamaged
from frametally.segments.stretches import SegmentStretch, Stretches, partition_of


class Chains:
    """The stretches within one writer's transaction, which `save` writes."""

    def __init__(self, connection: LedgerConnection) -> None:
        self._connection = connection
        self._before = read_stretches(connection)
        self._stretches = Stretches(self._before)
        self._disordered: set[str] = set()

    def add(self, segment: SegmentStretch) -> None:
        """Add a segment whose row is in the tables."""
        if not self._stretches.add(segment):
            self._disordered.add(partition_of(segment.first_key))

    def remove(self, segments: Iterable[SegmentStretch]) -> None:
        """Forget segments whose rows are no longer in the tables."""
        for segment in sorted(segments):
            if not self._stretches.remove(segment):
                self._disordered.add(partition_of(segment.first_key))

    def order(self, key: str) -> None:
        """Mark the partition of a segment to be read again, because its rows have changed."""
        self._disordered.add(partition_of(key))

    def save(self, number_of: Callable[[str], int]) -> None:
        """Write the changes; `number_of` returns the number of a model."""
        for partition in sorted(self._disordered):
            self._stretches.replace(partition, _segments_of(self._connection, partition))
        before, now = set(self._before), set(self._stretches)
        first_keys = [[stretch.first_key] for stretch in before - now]
        if first_keys:
            self._connection.executemany(
                "DELETE FROM frametally_ledger_stretches WHERE first_key = ?", first_keys
            )
        rows = []
        for stretch in sorted(now - before):
            first_key, *values = stretch
            model = number_of(_place_of(first_key).model)
            rows.append((first_key, model, *values, _checksum(stretch)))
        insert_rows(self._connection, "stretches", rows)


def read_stretches(connection: LedgerConnection, without: Collection[str] = ()) -> list[SegmentStretch]:
    """Return the stretches of all models, as they are without the segments of some keys.

    Raises `RowDamaged`.
    """
    rows = []
    for *values, crc32 in connection.execute(_STRETCHES):
        rows.append(SegmentStretch(*values))
        if _checksum(rows[-1]) != crc32:
            raise RowDamaged("a row of frametally_ledger_stretches has another checksum")
    stretches = Stretches(rows)
    for partition in {partition_of(key) for key in without}:
        segments = _segments_of(connection, partition)
        stretches.replace(partition, (segment for segment in segments if segment.first_key not in without))
    return [*stretches] if without else rows


def _checksum(stretch: SegmentStretch) -> int:
    return zlib.crc32(repr(tuple(stretch)).encode())


def read_listing(connection: LedgerConnection) -> int:
    """Return when all segments were last listed, in ms since 1970, or 0 if never."""
    (listed_at_ms,) = connection.execute("SELECT max(listed_at_ms) FROM frametally_ledger_listing").fetchone()
    return listed_at_ms or 0


def note_listing(connection: LedgerConnection, listed_at_ms: int) -> None:
    """Record when all segments were listed."""
    connection.execute("DELETE FROM frametally_ledger_listing")
    insert_rows(connection, "listing", [[listed_at_ms]])


LINKS = (
    "SELECT key, key, first_offset, next_offset, frames, dead_letters FROM frametally_ledger_segments "
    "WHERE log_id IS NOT NULL"
)
"""The query for all readable segments, each as a `SegmentStretch`; more conditions may follow."""
_STRETCHES = (
    "SELECT first_key, last_key, first_offset, next_offset, frames, dead_letters, crc32 "
    "FROM frametally_ledger_stretches"
)


def _segments_of(connection: LedgerConnection, partition: str) -> list[SegmentStretch]:
    place = _place_of(f"{partition}-{0:020d}.jsonl")
    query = f'{LINKS} AND log_id = ? AND topic = ? AND "partition" = ? AND model = {NUMBER_OF_NAME}'
    values = place.log_id, place.topic, place.partition, place.model
    return [SegmentStretch(*row) for row in connection.execute(query, values)]


def _place_of(key: str) -> keys.SegmentKey:
    place = keys.parse_segment_key(key)
    if place is None:
        raise RowDamaged(f"{key} is not the key of a segment")
    return place
