"""A chart's numbers as a file: a row for each interval and label, with its footage."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, BinaryIO, cast

import msgspec

from frametally.actions.problems import Problem
from frametally.files.csv_table import write_csv_file
from frametally.ports.count_index import MAX_BUCKETS
from frametally_web.charts import counts
from frametally_web.charts.checked_counts import applied_checks, check_words
from frametally_web.charts.question import Question
from frametally_web.compare.differences import other_side
from frametally_web.exports.record_rows import Exported, columns_of, rows_of
from frametally_web.exports.rows import (
    CHECK_COLUMNS,
    COLUMNS,
    OTHER_COLUMNS,
    ZONE_COLUMN,
    Column,
    Row,
    make_compared_rows,
    make_rows,
    warnings_of,
    with_checks,
)
from frametally_web.exports.workbook import MOST_ROWS, write_xlsx

_ROWS_AT_ONCE = 20_000


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
    """Write a table with the query in its metadata (`frametally.query`)."""
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
    with parquet.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True) as writer:
        while part := list(islice(following, _ROWS_AT_ONCE)):
            by_column = zip(zip(*part, strict=True), schema.types, strict=True)
            writer.write_table(
                arrow.table([arrow.array(values, kind) for values, kind in by_column], schema=schema)
            )


_ABOUT = [
    "model",
    "base_interval_s",
    "interval_s",
    "timezone",
    "hours",
    "weekdays",
    "metric",
    "from_ms",
    "to_ms",
    "sources",
    "labels",
    "counted_with",
    "zone",
]
_ABOUT_OTHER = ["model", "base_interval_s", "from_ms", "to_ms", "sources", "counted_with"]
_IN_MEMORY_BYTES = 1_000_000


def export(
    question: Question,
    file_format: str,
    compare: str | None = None,
    warn: Callable[[str], None] | None = None,
) -> BinaryIO:
    """Return the file, at its beginning, for the caller to close; the same bytes for the same counts.

    `warn` gets a line for each source that has footage in the range that is not in the counts.

    The file is written completely to a temporary file before any of it is sent: half of it would be wrong.

    Raises:
        Problem: 400 by the rules of `counts.count` and `other_side`.
    """
    query, media = question.query, question.media
    most_rows = min(MAX_BUCKETS, MOST_ROWS) if file_format == "xlsx" else MAX_BUCKETS
    try:
        own_counts = counts.count(question, most_rows=most_rows)
    except Problem as problem:
        if file_format == "xlsx" and problem.parameter == "interval":
            problem.remedy += f" A workbook has at most {most_rows} rows; CSV and Parquet can have more."
        raise
    warnings = warnings_of(own_counts, media)
    if warn is not None:
        for line in warnings:
            warn(line)
    about = {name: getattr(own_counts, name) for name in _ABOUT} | {"warnings": warnings}
    columns, rows = [*COLUMNS], make_rows(own_counts, query, media)
    if compare is not None:
        side = other_side(own_counts, query, compare)
        other_counts = counts.count(question.other(side.query), most_rows=most_rows)
        about |= {
            "compared_with": side.name,
            **{f"other_{name}": getattr(other_counts, name) for name in _ABOUT_OTHER},
        }
        columns += OTHER_COLUMNS
        rows = make_compared_rows(own_counts, query, media, other_counts, side)
    if checks := applied_checks(own_counts):
        about["checks"] = [check_words(check, query.selection.zone.tzinfo) for check in checks]
        columns += CHECK_COLUMNS
        rows = with_checks(rows, own_counts, query)
    if own_counts.zone is not None:
        columns.append(ZONE_COLUMN)
        rows = ((*row, own_counts.zone) for row in rows)
    return write_file(file_format, columns, rows, about)


def export_records(exported: Exported, file_format: str) -> BinaryIO:
    """Return a file of records, at its beginning, for the caller to close."""
    return write_file(file_format, columns_of(exported), rows_of(exported), exported.about)


def write_file(
    file_format: str, columns: Sequence[Column], rows: Iterable[Row], about: dict[str, Any]
) -> BinaryIO:
    """Return a file of rows, at its beginning, for the caller to close."""
    file = cast(BinaryIO, tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES))  # noqa: SIM115 - the caller closes it
    try:
        if file_format == "json":
            write_json(file, columns, rows, about)
        elif file_format == "parquet":
            write_parquet(file, columns, rows, about)
        elif file_format == "xlsx":
            write_xlsx(file, columns, rows, about)
        else:
            write_csv_file(file, [column.name for column in columns], rows)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file
