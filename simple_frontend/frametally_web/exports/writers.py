"""Rows as CSV, JSON and Parquet: written as they come, so that no file is held in memory."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, BinaryIO

import msgspec

from frametally_web.exports.columns import Column
from frametally_web.exports.rows import Row

_ROWS_AT_ONCE = 20_000
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_csv(file: BinaryIO, columns: Sequence[Column], rows: Iterable[Row]) -> None:
    """Write a table with a head; null is empty, and no cell is what a spreadsheet takes for a formula."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=False)
    writer = csv.writer(text)
    writer.writerow([column.name for column in columns])
    writer.writerows([_cell(value) for value in row] for row in rows)
    text.detach()  # written to its end, and left open


def _cell(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value  # a text, whatever a spreadsheet would make of it
    return value


def write_json(file: BinaryIO, columns: Sequence[Column], rows: Iterable[Row], about: dict[str, Any]) -> None:
    """Write one object: the `query`, and an object for each of the `rows`."""
    names = [column.name for column in columns]
    file.write(b'{"query":' + msgspec.json.encode(about) + b',"rows":[')
    for number, row in enumerate(rows):
        file.write((b"," if number else b"") + msgspec.json.encode(dict(zip(names, row, strict=True))))
    file.write(b"]}\n")


def write_parquet(
    file: BinaryIO, columns: Sequence[Column], rows: Iterable[Row], about: dict[str, Any]
) -> None:
    """Write a table whose metadata has the query (`frametally.query`)."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    types = {
        "instant": arrow.timestamp("ms", tz="UTC"),
        "local": arrow.timestamp("ms"),
        "text": arrow.string(),
        "whole": arrow.int64(),
        "real": arrow.float64(),
    }
    schema = arrow.schema(
        [(column.name, types[column.kind]) for column in columns],
        metadata={b"frametally.query": msgspec.json.encode(about)},
    )
    following = iter(rows)
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while part := list(islice(following, _ROWS_AT_ONCE)):
            by_column = zip(zip(*part, strict=True), schema.types, strict=True)
            writer.write_table(
                arrow.table([arrow.array(one, kind) for one, kind in by_column], schema=schema)
            )
