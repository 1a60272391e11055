"""Reads which segments the hours of sources are counted from, each function within one transaction."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Collection, Sequence
from typing import Any

from frametally.adapters.sql.ledger.database import (
    DIGESTS,
    NUMBER_OF_NAME,
    LedgerConnection,
    execute_in,
    marks,
)
from frametally.errors import RowDamaged
from frametally.ports.ledger import CountedHour, SegmentOfHour

_TWO = struct.Struct(">QQ")
_SUMS = """
SELECT model, source, hour, digest_0, digest_1, own
FROM frametally_ledger_hour_sums ORDER BY model, source, hour
"""
_GROUPED = """
SELECT model, source, hour, sum(digest_0), sum(digest_1), max(is_own)
FROM frametally_ledger_hours WHERE {} GROUP BY model, source, hour ORDER BY model, source, hour
"""
_COUNTS = """
SELECT (SELECT count(*) FROM frametally_ledger_hours),
    (SELECT coalesce(sum(segments), 0) FROM frametally_ledger_hour_sums)
"""
_ROWS = """
SELECT source.name, hour, segments.key, size_bytes, version, is_own, crc32, pictures_crc32,
    digest_0, digest_1, model.name
FROM frametally_ledger_hours AS hours
JOIN frametally_ledger_names AS source ON source.number = hours.source
JOIN frametally_ledger_names AS model ON model.number = hours.model
JOIN frametally_ledger_segments AS segments ON segments.number = hours.segment
"""


def counted_hours(
    connection: LedgerConnection, *, with_margin: bool, without: Collection[str]
) -> list[CountedHour]:
    """Return the hours of segments, with the sums of their digests; see `Ledger.counted_hours`.

    Raises `RowDamaged` if rows are lost, or have other digests than were written.
    """
    hours = _hours_in(connection, _SUMS)
    totals = [sum(sums) % DIGESTS for sums in zip(*(hour.digest for hour in hours), strict=True)] or [0, 0]
    if totals != [*connection.execute("SELECT digest_0, digest_1 FROM frametally_ledger").fetchone()]:
        raise RowDamaged("some hours are missing, or have other digests than were written")
    if with_margin and not without:
        return hours
    conditions = [] if with_margin else ["is_own = 1"]
    if without:
        of_keys = f"SELECT number FROM frametally_ledger_segments WHERE key IN ({marks(len(without))})"  # noqa: S608
        conditions.append(f"segment NOT IN ({of_keys})")
    return _hours_in(connection, _GROUPED.format(" AND ".join(conditions)), [*without])


def _hours_in(connection: LedgerConnection, query: str, values: Sequence[object] = ()) -> list[CountedHour]:
    name_of = dict(iter(connection.execute("SELECT number, name FROM frametally_ledger_names")))
    try:
        return [
            CountedHour(name_of[model], name_of[source], hour, (int(first), int(second)), bool(own))
            for model, source, hour, first, second, own in connection.execute(query, values)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise RowDamaged("an hour has other values than were written") from error


def segments_of_hours(
    connection: LedgerConnection, model: str, sources: Collection[str], from_hour: int, to_hour: int
) -> list[SegmentOfHour]:
    """Return the segments of sources' hours, sorted; see `Ledger.segments_of_hours`.

    Raises `RowDamaged` if a digest does not match its row's values.
    """
    where = "WHERE model.name = ? AND hour >= ? AND hour < ? AND source.name IN "
    rows = execute_in(connection, f"{_ROWS}{where}", [*sources], [model, from_hour, to_hour])
    return sorted(map(_checked, rows))


def _checked(row: Sequence[Any]) -> SegmentOfHour:
    source, hour, key, size_bytes, version, is_own, crc32, pictures_crc32, first, second, model = row
    try:
        digest = int(first), int(second)
        if digest != digest_of(model, source, hour, is_own, key, crc32, pictures_crc32):
            raise ValueError(key)
    except (TypeError, ValueError) as error:
        raise RowDamaged(f"the segment {key} has other values than were written") from error
    return SegmentOfHour(source, hour, key, size_bytes, version, bool(is_own), digest)


def count_rows(connection: LedgerConnection) -> int:
    """Return the number of rows of hours, at least one for each segment with frames.

    Raises `RowDamaged` if it differs from what was added up; that costs little.
    """
    row_count: int
    row_count, added_up = connection.execute(_COUNTS).fetchone()
    if row_count != added_up:
        raise RowDamaged(f"hours have {row_count} segments, and {added_up} were added up")
    return row_count


def check(connection: LedgerConnection) -> None:
    """Compare all rows of hours with their digests. Raises `RowDamaged`."""
    hours = counted_hours(connection, with_margin=True, without=())
    if hours != _hours_in(connection, _GROUPED.format("1 = 1")):
        raise RowDamaged("an hour has other segments than were added up")
    row_count = sum(1 for _ in map(_checked, connection.execute(_ROWS)))
    if (row_count,) != tuple(connection.execute("SELECT count(*) FROM frametally_ledger_hours").fetchone()):
        raise RowDamaged("an hour has a segment, a source or a model that is missing")


def digest_of(
    model: str, source: str, hour: int, is_own: int, key: str, crc32: int, pictures_crc32: int | None
) -> tuple[int, int]:
    """Return the digest of a source's lines in a segment of an hour: sums of digests identify sets of lines.

    Lines do not contain the digests of their pictures, which show whether a picture was frozen.
    """
    text = f"{model} {source} {hour} {is_own} {key} {crc32}"
    if pictures_crc32 is not None:
        text += f" {pictures_crc32}"
    first, second = _TWO.unpack(hashlib.blake2b(text.encode(), digest_size=16).digest())
    return first >> 22, second >> 22  # so that sums of two million fit


def hours_of_segments(
    connection: LedgerConnection, segment_keys: Collection[str]
) -> list[tuple[str, str, int]]:
    """Return key, model and hour for each hour that these segments count towards."""
    query = (
        "SELECT segments.key, model.name, hour FROM frametally_ledger_segments AS segments "
        "JOIN frametally_ledger_hours AS hours ON hours.segment = segments.number "
        "JOIN frametally_ledger_names AS model ON model.number = hours.model WHERE segments.key IN "
    )
    return [(key, model, hour) for key, model, hour in execute_in(connection, query, [*segment_keys])]


PARTS = f"""
SELECT DISTINCT key, first_byte, next_byte, first_ms, last_ms, crc32
FROM frametally_ledger_hours AS hours
JOIN frametally_ledger_segments AS segments ON segments.number = hours.segment
WHERE hours.model = {NUMBER_OF_NAME} AND source = {NUMBER_OF_NAME}
    AND hour >= ? AND hour <= ? AND is_own = 1 AND last_ms >= ? AND first_ms < ?
"""  # noqa: S608
"""The query of `Ledger.parts`: for a model, a source, the first and last hour, the first and next time."""
