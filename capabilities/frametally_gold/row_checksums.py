"""Computes checksums of the gold tables' rows that are independent of row order and can be added."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, select

from frametally.rules.places import base_model, series_of
from frametally_gold import tables
from frametally_gold.gold_records import GoldDay, HourRows
from frametally_gold.gold_rows import ends_of, moment

Checksums = dict[str, tuple[int, str]]
"""The number of rows (negative if some are unreadable) and their checksum, by table."""
_ROWS_AT_ONCE = 2_000


def of_day(table: Table, day: GoldDay) -> ColumnElement[bool] | None:
    """Return the condition for a day's rows of a table, or None if the table lacks the day's series."""
    series = series_of(day.model)
    if series not in tables.SERIES_OF[table]:
        return None
    begin, end = ends_of(day.day)
    of_series = [table.c.series == series] if "series" in table.c else []
    return and_(
        table.c.model == base_model(day.model),
        *of_series,
        table.c.interval_s == day.interval_s,
        tables.MOMENTS[table] >= begin,
        tables.MOMENTS[table] < end,
    )


def conditions_of(
    day: GoldDay, parts: Sequence[HourRows] | None = None
) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    """Yield the conditions for the rows of a day, or of some of its parts, with their tables."""
    for table, time in tables.MOMENTS.items():
        condition = of_day(table, day)
        if condition is None:
            continue
        if parts is None:
            yield table, condition
        for source, from_ms, to_ms in parts or ():
            is_then = (time >= moment(from_ms), time < moment(to_ms))
            yield table, and_(condition, table.c.source == source, *is_then)


def day_checksums(connection: Connection, day: GoldDay, parts: Sequence[HourRows] | None = None) -> Checksums:
    """Return the checksums of the rows of a day, or of some of its parts."""
    sums: Checksums = {
        table.name: (0, f"{0:016x}") for table in tables.MOMENTS if of_day(table, day) is not None
    }
    for table, condition in conditions_of(day, parts):
        sums[table.name] = _added(sums[table.name], _checksum(connection, table, condition))
    return sums


def checksums_after(text: str | None, removed: Checksums, new: Checksums) -> Checksums:
    """Return the checksums of a load, given as text, after some of its rows were replaced by new ones.

    Rows that were changed after loading still differ from them.
    """
    before = _read(text)
    return {
        name: _added(_added((*before.get(name, (-1, "")),), removed[name], -1), checksum)
        for name, checksum in new.items()
    }


def video_checksums(connection: Connection, video_id: str) -> Checksums:
    """Return the checksums of the rows of a video."""
    return {
        table.name: _checksum(connection, table, table.c.video_id == video_id) for table in tables.OF_VIDEO
    }


def unequal_tables(text: str | None, sums: Checksums) -> list[str]:
    """Return the tables whose rows are unreadable or differ from the checksums of a load, given as text."""
    before = _read(text)
    return sorted(name for name, sum_ in sums.items() if sum_[0] < 0 or before.get(name) != [*sum_])


def _read(text: str | None) -> dict[str, Any]:
    try:
        checksums: dict[str, Any] = json.loads(text or "{}")
    except ValueError:
        return {}
    return checksums


def _added(first: tuple[int, str], second: tuple[int, str], sign: int = 1) -> tuple[int, str]:
    if first[0] < 0 or second[0] < 0:
        return -1, ""
    total = int(first[1], 16) + sign * int(second[1], 16)
    return first[0] + sign * second[0], f"{total % 2**64:016x}"


def _checksum(connection: Connection, table: Table, condition: ColumnElement[bool]) -> tuple[int, str]:
    columns = [column for column in table.c if column.name != "checksums"]
    rows = total = 0
    try:
        for row in connection.execute(select(*columns).where(condition)).yield_per(_ROWS_AT_ONCE):
            digest = hashlib.blake2b(repr([_plain(value) for value in row]).encode(), digest_size=8)
            total += int.from_bytes(digest.digest())
            rows += 1
    except (TypeError, ValueError):  # SQLite stores values that do not fit the column, as after a flipped bit
        return -1, ""
    return rows, f"{total % 2**64:016x}"


def _plain(value: Any) -> Any:
    """Convert a moment to UTC without a zone (a server answers in its session's); return others unchanged."""
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(datetime.UTC).replace(tzinfo=None)
    return value
