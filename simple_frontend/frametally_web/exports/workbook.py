"""Rows as a workbook for Excel and LibreOffice: real dates and numbers, and a sheet that explains them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from frametally_web.exports.rows import Column, Row

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

MOST_ROWS = 50_000
"""Most rows of a workbook: it is written ten times slower than CSV, and more would block the server."""

_MOST_CHARS = 32_767
_MADE = datetime.datetime(2000, 1, 1)  # noqa: DTZ001 - the same counts are the same bytes
_FIRST_DATE = datetime.datetime(1900, 3, 1)  # noqa: DTZ001 - Excel's calendar is wrong before
_FIRST = ("start_local", "end_local", "utc_offset", "source_name")
_WIDTHS = {"instant": 26, "local": 19, "text": 18, "whole": 12, "real": 14}
_STATES = (
    ("0", "frames were analysed, and nothing was found in them"),
    ("(empty)", "no footage, footage that shows nothing, or footage that is not analysed: see coverage"),
    ("(empty), objects", "objects were not measured there: see objects_missing"),
)


def write_xlsx(file: BinaryIO, columns: Sequence[Column], rows: Iterable[Row], about: dict[str, Any]) -> None:
    """Write a sheet `Counts` and a sheet `About`; no cell can become a formula or a link."""
    import xlsxwriter

    book = xlsxwriter.Workbook(file, {"constant_memory": True})
    book.set_properties({"title": "frametally counts", "created": _MADE})
    bold, date = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    # The columns for people come first; the same for programs, as text with an offset, last.
    first = [number for name in _FIRST for number, column in enumerate(columns) if column.name == name]
    order = sorted({*range(len(columns))} - {*first}, key=lambda index: columns[index].kind == "instant")
    order = [*first, *order]
    sheet_columns = [columns[index] for index in order]
    counts = book.add_worksheet("Counts")
    counts.freeze_panes(1, 0)
    for index, column in enumerate(sheet_columns):
        counts.set_column(
            index,
            index,
            max(_WIDTHS[column.kind], len(column.name) + 2),
            date if column.kind == "local" else None,
        )
        counts.write_string(0, index, column.name, bold)
    number = 0
    for number, row in enumerate(rows, start=1):
        for index, of_row in enumerate(order):
            _write(counts, number, index, row[of_row], date)
    counts.autofilter(0, 0, number, len(sheet_columns) - 1)
    sheet = book.add_worksheet("About")
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 100)
    for index, (name, meaning) in enumerate(_about(sheet_columns, about)):
        sheet.write_string(index, 0, name, None if meaning else bold)
        _write(sheet, index, 1, meaning, date)
    book.close()


def _write(sheet: Worksheet, row: int, column: int, value: Any, date: Any) -> None:
    """Write a value by its type: xlsxwriter would guess formulas and links in texts."""
    if value is None:
        return
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None and value >= _FIRST_DATE:
            sheet.write_datetime(row, column, value, date)
            return
        value = value.isoformat()
    if isinstance(value, str):
        cut = value if len(value) <= _MOST_CHARS else value[: _MOST_CHARS - 1] + "…"
        sheet.write_string(row, column, cut)
    else:
        sheet.write_number(row, column, value)


def _about(columns: Sequence[Column], about: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "The question", None
    for name, value in about.items():
        if name.endswith("_ms") and value is not None:
            moment = datetime.datetime.fromtimestamp(value / 1000, datetime.UTC)
            yield name.removesuffix("_ms"), moment.isoformat()
        elif isinstance(value, list | dict):
            yield name, "; ".join(part if isinstance(part, str) else _words(part) for part in value)
        else:
            yield name, value
    yield "", None
    yield "Meaning of a cell", None
    yield from _STATES
    yield "", None
    yield "Columns", None
    for column in columns:
        yield column.name, column.meaning


def _words(value: Any) -> str:
    return str(getattr(value, "words", None) or msgspec.json.encode(value).decode())
