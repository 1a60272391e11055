"""Reads exported files back: a dict for each row, with numbers as numbers and None for what is empty."""

from __future__ import annotations

import csv
import datetime
import io
from typing import Any

import msgspec
import pyarrow.parquet as parquet
from openpyxl import load_workbook


def rows_of_csv(data: bytes) -> list[dict[str, Any]]:
    def read(value: str) -> Any:
        is_number = value.replace(".", "", 1).isdigit()
        return None if value == "" else msgspec.json.decode(value) if is_number else value

    rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig")))
    return [{name: read(value) for name, value in row.items()} for row in rows]


def rows_of_workbook(data: bytes) -> list[dict[str, Any]]:
    [names, *rows] = load_workbook(io.BytesIO(data)).worksheets[0].values
    return [dict(zip(names, row, strict=True)) for row in rows]


def rows_of_parquet(data: bytes) -> list[dict[str, Any]]:
    return [*parquet.read_table(io.BytesIO(data)).to_pylist()]


READERS = {"csv": rows_of_csv, "xlsx": rows_of_workbook, "parquet": rows_of_parquet}


def time_ms(moment: Any) -> int:
    """The event time of a column with instants."""
    when = datetime.datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return round(when.timestamp() * 1000)
