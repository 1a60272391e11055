"""A chart's numbers as a file: a row for each interval and label, with what was filmed in it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

from frametally.ports.count_index import CountIndex
from frametally.settings.loading import Settings
from frametally_web.charts import counts
from frametally_web.charts.beside import other_side
from frametally_web.charts.media_times import MediaTimes
from frametally_web.exports.columns import COLUMNS, OTHER_COLUMNS, ZONE_COLUMN
from frametally_web.exports.rows import make_compared_rows, make_rows, warnings_of
from frametally_web.exports.workbook import MOST_ROWS, write_xlsx
from frametally_web.exports.writers import write_csv, write_json, write_parquet
from frametally_web.requests.problems import Problem
from frametally_web.requests.query import ChartQuery

FORMATS = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}
"""Formats of an export and their media types."""

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
_CHUNK_BYTES = 65_536


def export(
    index: CountIndex,
    settings: Settings,
    media: MediaTimes,
    query: ChartQuery,
    file_format: str,
    compare: str | None = None,
    warn: Callable[[str], None] | None = None,
) -> BinaryIO:
    """Return the file, at its beginning, for the caller to close; the same bytes for the same counts.

    `warn` gets a line for each source that has footage in the range that is not in the counts.

    It is written whole, to a temporary file, before anyone gets some of it: half of it would be wrong.

    Raises:
        Problem: 400, by the rules of `counts.count` and `other_side`.
    """
    most_rows = settings.web_max_export_rows
    if file_format == "xlsx":
        most_rows = min(most_rows, MOST_ROWS)
    try:
        found = counts.count(index, settings, media, query, most_rows=most_rows)
    except Problem as problem:
        if file_format == "xlsx" and problem.parameter == "interval":
            problem.remedy += f" A workbook has at most {most_rows} rows: CSV and Parquet have more."
        raise
    warnings = warnings_of(found, media)
    if warn is not None:
        for line in warnings:
            warn(line)
    about = {name: getattr(found, name) for name in _ABOUT} | {"warnings": warnings}
    columns, rows = [*COLUMNS], make_rows(found, query, media)
    if compare is not None:
        side = other_side(found, query, compare)
        other = counts.count(index, settings, media, side.query, most_rows=most_rows)
        about |= {
            "compared_with": side.name,
            **{f"other_{name}": getattr(other, name) for name in _ABOUT_OTHER},
        }
        columns += OTHER_COLUMNS
        rows = make_compared_rows(found, query, media, other, side)
    if found.zone is not None:
        columns.append(ZONE_COLUMN)
        rows = ((*row, found.zone) for row in rows)
    file = cast(BinaryIO, tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES))  # noqa: SIM115 - the caller closes it
    try:
        if file_format == "json":
            write_json(file, columns, rows, about)
        elif file_format == "parquet":
            write_parquet(file, columns, rows, about)
        elif file_format == "xlsx":
            write_xlsx(file, columns, rows, about)
        else:
            write_csv(file, columns, rows)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def chunks_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield what is in a file, piece by piece, and close it."""
    with file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
