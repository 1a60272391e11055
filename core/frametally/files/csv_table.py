"""Writes CSV tables in which no cell is a formula to a spreadsheet."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO, TextIO

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_csv(file: TextIO, names: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write a header of column names, then the rows; None becomes an empty cell."""
    writer = csv.writer(file)
    writer.writerow(names)
    writer.writerows([_cell(value) for value in row] for row in rows)


def write_csv_file(file: BinaryIO, names: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write a table as UTF-8 with a byte order mark, which spreadsheets need, and leave the file open."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=False)
    write_csv(text, names, rows)
    text.detach()  # flushed


def _cell(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value  # text, whatever a spreadsheet would make of it
    return value
