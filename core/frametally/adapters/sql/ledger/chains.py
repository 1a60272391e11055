"""The chains of segments in the ledger's tables, as stretches, so that no query reads every segment."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterable
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select

from frametally import keys
from frametally.adapters.sql.engine import RowDamaged
from frametally.adapters.sql.ledger import tables
from frametally.segments.stretches import SegmentStretch, Stretches, partition_of


class Chains:
    """The stretches within one writer's transaction, which `save` writes."""

    def __init__(self, connection: Connection) -> None:
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
        table, before, now = tables.stretches, set(self._before), set(self._stretches)
        for stretch in before - now:
            self._connection.execute(delete(table).where(table.c.first_key == stretch.first_key))
        rows = [
            {
                "model": number_of(_place_of(stretch.first_key).model),
                **stretch._asdict(),
                "crc32": _checksum(stretch),
            }
            for stretch in sorted(now - before)
        ]
        if rows:
            self._connection.execute(insert(table), rows)


def read_stretches(connection: Connection, without: Collection[str] = ()) -> list[SegmentStretch]:
    """Return the stretches of all models, as they are without the segments of some keys.

    Raises `RowDamaged`.
    """
    columns = [tables.stretches.c[name] for name in (*SegmentStretch._fields, "crc32")]
    rows = []
    for *values, crc32 in connection.execute(select(*columns)):
        rows.append(SegmentStretch(*values))
        if _checksum(rows[-1]) != crc32:
            raise RowDamaged(f"a row of {tables.stretches.name} has another checksum")
    stretches = Stretches(rows)
    for partition in {partition_of(key) for key in without}:
        segments = _segments_of(connection, partition)
        stretches.replace(partition, (segment for segment in segments if segment.first_key not in without))
    return [*stretches] if without else rows


def _checksum(stretch: SegmentStretch) -> int:
    return zlib.crc32(repr(tuple(stretch)).encode())


def read_listing(connection: Connection) -> tuple[int, int]:
    """Return the number of segments, and when all were last listed, or 0 if never."""
    segments = connection.execute(select(func.count()).select_from(tables.segments)).scalar_one()
    listed_at_ms = connection.execute(select(func.max(tables.listing.c.listed_at_ms))).scalar()
    return segments, listed_at_ms or 0


def note_listing(connection: Connection, listed_at_ms: int) -> None:
    """Record when all segments were listed."""
    connection.execute(delete(tables.listing))
    connection.execute(insert(tables.listing).values(listed_at_ms=listed_at_ms))


def links_query() -> Select[Any]:
    """Return a query for all readable segments, each as a `SegmentStretch`."""
    segments = tables.segments.c
    offsets = segments.first_offset, segments.next_offset
    query = select(segments.key, segments.key, *offsets, segments.frames, segments.dead_letters)
    return query.where(segments.log_id.is_not(None))


def _segments_of(connection: Connection, partition: str) -> list[SegmentStretch]:
    place, segments = _place_of(f"{partition}-{0:020d}.jsonl"), tables.segments.c
    query = links_query().join(tables.names, tables.names.c.number == segments.model)
    query = query.where(
        segments.log_id == place.log_id,
        segments.topic == place.topic,
        segments.partition == place.partition,
        tables.names.c.name == place.model,
    )
    return [SegmentStretch(*row) for row in connection.execute(query)]


def _place_of(key: str) -> keys.SegmentKey:
    place = keys.parse_segment_key(key)
    if place is None:
        raise RowDamaged(f"{key} is not the key of a segment")
    return place
