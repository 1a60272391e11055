"""What the SQL index holds of a run, beside what would be written of it today."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import Connection, Row, Table, select

from frametally.adapters.sql.index import tables
from frametally.adapters.sql.index.cells import SOURCE, Packed, unpack
from frametally.adapters.sql.index.publication import rows_of
from frametally.records import Coverage, Evidence, IntervalCount, Run

_packed_decoder = msgspec.msgpack.Decoder(Packed)
_evidence_decoder = msgspec.json.Decoder(list[Evidence])


def differing_sources(
    connection: Connection, run: Run, counts: Iterable[IntervalCount], coverage: Iterable[Coverage]
) -> list[str]:
    """Return the sources that are not as `publish` would write them; see `CountIndex.differing_sources`."""
    entry = tables.runs.c
    number = connection.execute(
        select(entry.number).where(
            entry.model == run.model, entry.interval_s == run.interval_s, entry.day == run.day
        )
    ).scalar_one_or_none()
    wanted: dict[Table, dict[Any, Mapping[str, Any]]] = {table: {} for table in tables.DOCUMENTS}
    for table, rows in rows_of(run, number or 0, counts, coverage):
        wanted[table] |= {_key(table, row): row for row in rows}
    differing: set[str] = set()
    for table, expected in wanted.items():
        rows_there = connection.execute(select(table).where(table.c.run == number))
        there = {_key(table, row._mapping): row for row in rows_there}
        for key in expected.keys() | there.keys():
            if table is tables.cells:
                differing |= _differing_cells(expected.get(key), there.get(key))
            elif not _is_same_evidence(table, expected.get(key), there.get(key)):
                differing.add(key[_names(table).index("source")])
    return sorted(differing)


def _names(table: Table) -> list[str]:
    return [column.name for column in table.primary_key]


def _key(table: Table, row: Mapping[Any, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _names(table))


def _is_same_evidence(table: Table, expected: Mapping[str, Any] | None, row: Row[Any] | None) -> bool:
    if expected is None or row is None or not tables.is_intact(table, row):
        return False
    # Earlier layouts wrote the same records with other bytes.
    return _evidence_decoder.decode(expected["frames"]) == _evidence_decoder.decode(row.frames)


def _differing_cells(expected: Mapping[str, Any] | None, row: Row[Any] | None) -> set[str]:
    packed = [] if expected is None else [_packed_decoder.decode(expected["packed"])]
    if row is not None and tables.is_intact(tables.cells, row):
        packed.append(_packed_decoder.decode(row.packed))
    names = {name for one in packed for name in one.sources}
    if len(packed) < 2:
        return names or {"all sources"}
    labels: dict[str, int] = {}
    sources: dict[str, int] = {}
    one, other = (unpack(part, 0, labels, sources, is_long=False) for part in packed)
    return {
        name
        for name, number in sources.items()
        for cells, beside in ((one.counts, other.counts), (one.coverage, other.coverage))
        if not np.array_equal(_of_source(cells, number), _of_source(beside, number))
    }


def _of_source(cells: Any, number: int) -> Any:
    of_source = cells[:, cells[SOURCE] == number]
    return of_source[:, np.lexsort(of_source)]
