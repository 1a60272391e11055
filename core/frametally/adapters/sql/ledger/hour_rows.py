"""Reads which segments the hours of sources are counted of, each function within one transaction."""

from __future__ import annotations

from collections.abc import Collection

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

from frametally.adapters.sql.ledger import tables
from frametally.ports.ledger import CountedHour, SegmentOfHour

_HOURS, _SEGMENTS, _NAMES = tables.hours.c, tables.segments.c, tables.names.c


def counted_hours(
    connection: Connection, *, with_margin: bool, without: Collection[str]
) -> list[CountedHour]:
    """Return the hours of segments, with the sums of their digests; see `Ledger.counted_hours`."""
    place = _HOURS.model, _HOURS.source, _HOURS.hour
    sums = (func.sum(_HOURS[f"digest_{number}"]) for number in range(2))
    flags = func.max(_HOURS.is_own), func.count(_HOURS.crc32) == func.count()
    query = select(*place, *sums, *flags).group_by(*place).order_by(*place)
    if not with_margin:
        query = query.where(_HOURS.is_own == 1)
    if without:
        numbers = select(_SEGMENTS.number).where(_SEGMENTS.key.in_(without))
        query = query.where(_HOURS.segment.not_in(numbers))
    name_of = dict(iter(connection.execute(select(_NAMES.number, _NAMES.name))))
    hours = []
    for model, source, hour, *digests, is_own, has_checksums in connection.execute(query):
        digest = "".join(f"{int(part) % 2**64:016x}" for part in digests)
        place_of = name_of[model], name_of[source], hour
        hours.append(CountedHour(*place_of, digest, bool(is_own), bool(has_checksums)))
    return hours


def segments_of_hours(
    connection: Connection, model: str, sources: Collection[str], from_hour: int, to_hour: int
) -> list[SegmentOfHour]:
    """Return the segments of sources' hours, sorted; see `Ledger.segments_of_hours`."""
    columns = _NAMES.name, _HOURS.hour, _SEGMENTS.key, _SEGMENTS.size_bytes, _SEGMENTS.version, _HOURS.is_own
    query = (
        select(*columns)
        .join(tables.names, _NAMES.number == _HOURS.source)
        .join(tables.segments, _SEGMENTS.number == _HOURS.segment)
        .where(
            _HOURS.model == number_of_name(model),
            _HOURS.source.in_(select(_NAMES.number).where(_NAMES.name.in_(sources))),
            _HOURS.hour >= from_hour,
            _HOURS.hour < to_hour,
        )
    )
    rows = map(SegmentOfHour._make, connection.execute(query))
    return sorted(row._replace(is_own=bool(row.is_own)) for row in rows)


def hours_of_segments(connection: Connection, segment_keys: Collection[str]) -> list[tuple[str, str, int]]:
    """Return key, model and hour of each hour that these segments are counted in."""
    query = (
        select(_SEGMENTS.key, _NAMES.name, _HOURS.hour)
        .join(tables.hours, _HOURS.segment == _SEGMENTS.number)
        .join(tables.names, _NAMES.number == _HOURS.model)
        .where(_SEGMENTS.key.in_(segment_keys))
    )
    return [(key, model, hour) for key, model, hour in connection.execute(query)]


def number_of_name(name: str | BindParameter[str]) -> ColumnElement[int]:
    """Return the query of a name's number."""
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
"""The query of `Ledger.parts`; to make it takes longer than to ask it, as pages do of each source."""
