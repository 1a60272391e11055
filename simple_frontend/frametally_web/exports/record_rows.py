"""Records of an answer as rows of a file: a column for each of their fields, with the field's own words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import tzinfo
from typing import Any, NamedTuple, get_args, get_origin

import msgspec

from frametally.rules.times import local_time
from frametally_web.exports.rows import COLUMNS, Column, Kind, Row, utc_offset

_BY_NAME = {column.name: column for column in COLUMNS}
_FIRST = ("interval_start", "interval_end", "source")
_LAST = ("start_local", "end_local", "utc_offset", "source_name")


class Exported(NamedTuple):
    """Records of one kind about one source, each of an interval.

    Attributes:
        kind: Their class. Lists are left out; a record within one has a column for each of its fields.
        words: What its fields mean, by name.
        records: The end of its interval (event time, ms), and the record; in the order of the rows.
        start_ms: The start of intervals of records without a field of that name.
        about: The question, by name.
    """

    kind: type[msgspec.Struct]
    words: Mapping[str, str]
    records: Iterable[tuple[int, msgspec.Struct]]
    start_ms: int
    source: str
    source_name: str
    zone: tzinfo
    about: dict[str, Any]


def columns_of(exported: Exported) -> list[Column]:
    """Return the columns of records."""
    fields = (column for column, _ in _fields(exported.kind, exported.words))
    return [*map(_BY_NAME.__getitem__, _FIRST), *fields, *map(_BY_NAME.__getitem__, _LAST)]


def rows_of(exported: Exported) -> Iterator[Row]:
    """Yield a row for each record."""
    paths = [path for _, path in _fields(exported.kind, exported.words)]
    for end_ms, record in exported.records:
        start_ms = getattr(record, "start_ms", exported.start_ms)
        start, end = local_time(start_ms, exported.zone), local_time(end_ms, exported.zone)
        local = start.replace(tzinfo=None), end.replace(tzinfo=None), utc_offset(start)
        values = (_value(record, path) for path in paths)
        yield start, end, exported.source, *values, *local, exported.source_name


def _fields(kind: type[msgspec.Struct], words: Mapping[str, str]) -> Iterator[tuple[Column, tuple[str, ...]]]:
    """Yield the columns, each with the names that lead to its value."""
    for field in msgspec.structs.fields(kind):
        types = get_args(field.type) or (field.type,)
        within = [part for part in types if isinstance(part, type) and issubclass(part, msgspec.Struct)]
        if within:
            for column, path in _fields(within[0], words):
                meaning = f"{words[field.name]} ({column.name})"
                yield Column(f"{field.name}_{column.name}", column.kind, meaning), (field.name, *path)
        elif field.name != "start_ms" and get_origin(field.type) is not list:
            of_values: Kind = "real" if float in types else "whole" if int in types else "text"
            meaning = words.get(field.name, field.name)
            yield Column(field.name, of_values, meaning), (field.name,)


def _value(record: object, path: tuple[str, ...]) -> Any:
    for name in path:
        record = None if record is None else getattr(record, name)
    return record
