"""Reads which segments the hours of sources are counted from, each function within one transaction."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    Executable,
    String,
    bindparam,
    func,
    select,
)

from frametally.adapters.sql.engine import RowDamaged
from frametally.adapters.sql.ledger import tables
from frametally.ports.ledger import CountedHour, SegmentOfHour

_HOURS, _SEGMENTS, _NAMES = tables.hours.c, tables.segments.c, tables.names.c
_TWO = struct.Struct(">QQ")
_PLACE = _HOURS.model, _HOURS.source, _HOURS.hour
_SUMS = func.sum(_HOURS.digest_0), func.sum(_HOURS.digest_1)
_ROWS = (
    select(
        *(_NAMES.name, _HOURS.hour, _SEGMENTS.key, _SEGMENTS.size_bytes, _SEGMENTS.version, _HOURS.is_own),
        *(_HOURS.crc32, _HOURS.pictures_crc32, _HOURS.digest_0, _HOURS.digest_1),
    )
    .join(tables.names, _NAMES.number == _HOURS.source)
    .join(tables.segments, _SEGMENTS.number == _HOURS.segment)
)


def counted_hours(
    connection: Connection, *, with_margin: bool, without: Collection[str]
) -> list[CountedHour]:
    """Return the hours of segments, with the sums of their digests; see `Ledger.counted_hours`.

    Raises `RowDamaged` if rows are lost, or have other digests than were written.
    """
    flags = func.max(_HOURS.is_own), func.count(_HOURS.crc32) == func.count()
    query = select(*_PLACE, *_SUMS, *flags).group_by(*_PLACE).order_by(*_PLACE)
    if not with_margin:
        query = query.where(_HOURS.is_own == 1)
    if without:
        numbers = select(_SEGMENTS.number).where(_SEGMENTS.key.in_(without))
        query = query.where(_HOURS.segment.not_in(numbers))
    name_of = dict(iter(connection.execute(select(_NAMES.number, _NAMES.name))))
    try:
        hours = [
            CountedHour(name_of[model], name_of[source], hour, (int(first), int(second)), *map(bool, flags))
            for model, source, hour, first, second, *flags in connection.execute(query)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise RowDamaged("an hour has other values than were written") from error
    if not with_margin or without:
        of_all = (_digest(sums) for sums in connection.execute(select(*_SUMS).group_by(*_PLACE)))
    else:
        of_all = (hour.digest for hour in hours)
    totals = [sum(sums) % tables.DIGESTS for sums in zip(*of_all, strict=True)] or [0, 0]
    if totals != [*connection.execute(select(tables.about.c.digest_0, tables.about.c.digest_1)).one()]:
        raise RowDamaged("some hours are missing, or have other digests than were written")
    return hours


def _digest(sums: Iterable[Any]) -> tuple[int, int]:
    first, second = map(int, sums)
    return first, second


def segments_of_hours(
    connection: Connection, model: str, sources: Collection[str], from_hour: int, to_hour: int
) -> list[SegmentOfHour]:
    """Return the segments of sources' hours, sorted; see `Ledger.segments_of_hours`.

    Raises `RowDamaged` if a digest does not match its row's values.
    """
    query = _ROWS.where(
        _HOURS.model == number_of_name(model),
        _HOURS.source.in_(select(_NAMES.number).where(_NAMES.name.in_(sources))),
        _HOURS.hour >= from_hour,
        _HOURS.hour < to_hour,
    )
    return sorted([_checked(model, row) for row in connection.execute(query).all()])


def _checked(model: str, row: Sequence[Any]) -> SegmentOfHour:
    source, hour, key, size_bytes, version, is_own, crc32, pictures_crc32, first, second = row
    try:
        digest = int(first), int(second)
        if digest != digest_of(model, source, hour, is_own, key, crc32, pictures_crc32):
            raise ValueError(key)
    except (TypeError, ValueError) as error:
        raise RowDamaged(f"the segment {key} has other values than were written") from error
    return SegmentOfHour(source, hour, key, size_bytes, version, bool(is_own), digest)


def check(connection: Connection) -> None:
    """Compare all rows of hours with their digests. Raises `RowDamaged`."""
    counted_hours(connection, with_margin=True, without=())
    models = tables.names.alias()
    query = _ROWS.add_columns(models.c.name).join(models, models.c.number == _HOURS.model)
    row_count = 0
    for *row, model in connection.execute(query):
        _checked(model, row)
        row_count += 1
    if row_count != connection.execute(select(func.count()).select_from(tables.hours)).scalar_one():
        raise RowDamaged("an hour has a segment, a source or a model that is missing")


def digest_of(
    model: str, source: str, hour: int, is_own: int, key: str, crc32: int | None, pictures_crc32: int | None
) -> tuple[int, int]:
    """Return the digest of a source's lines in a segment of an hour: sums of digests identify sets of lines.

    Lines without a checksum are identified by their segment's key alone. Lines do not contain the digests of
    their pictures, which show whether a picture was frozen.
    """
    text = f"{model} {source} {hour} {is_own} {key} {crc32}"
    if pictures_crc32 is not None:
        text += f" {pictures_crc32}"
    first, second = _TWO.unpack(hashlib.blake2b(text.encode(), digest_size=16).digest())
    return first >> 22, second >> 22  # so that sums of two million fit


def hours_of_segments(connection: Connection, segment_keys: Collection[str]) -> list[tuple[str, str, int]]:
    """Return key, model and hour for each hour that these segments count towards."""
    query = (
        select(_SEGMENTS.key, _NAMES.name, _HOURS.hour)
        .join(tables.hours, _HOURS.segment == _SEGMENTS.number)
        .join(tables.names, _NAMES.number == _HOURS.model)
        .where(_SEGMENTS.key.in_(segment_keys))
    )
    return [(key, model, hour) for key, model, hour in connection.execute(query)]


def number_of_name(name: str | BindParameter[str]) -> ColumnElement[int]:
    """Return a query for a name's number."""
    return select(_NAMES.number).where(_NAMES.name == name).scalar_subquery()


def _parts_query() -> Executable:
    model, source = (number_of_name(bindparam(name, type_=String)) for name in ("model", "source"))
    from_ms, to_ms = (bindparam(name, type_=BigInteger) for name in ("from_ms", "to_ms"))
    from_hour, to_hour = (bindparam(name, type_=BigInteger) for name in ("from_hour", "to_hour"))
    columns = _HOURS.first_byte, _HOURS.next_byte, _HOURS.first_ms, _HOURS.last_ms, _HOURS.crc32
    return (
        select(_SEGMENTS.key, *columns)
        .distinct()
        .join(tables.segments, _SEGMENTS.number == _HOURS.segment)
        .where(
            _HOURS.model == model,
            _HOURS.source == source,
            _HOURS.hour >= from_hour,
            _HOURS.hour <= to_hour,
            _HOURS.is_own == 1,
            _HOURS.last_ms >= from_ms,
            _HOURS.first_ms < to_ms,
        )
    )


PARTS = _parts_query()
"""The query of `Ledger.parts`; building it takes longer than running it, as pages do for each source."""
