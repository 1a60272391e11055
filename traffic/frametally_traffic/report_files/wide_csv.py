"""The wide table of cities' open data: a row for each quarter-hour, a column for each leg, class and turn."""

from __future__ import annotations

import csv
import io
from typing import BinaryIO

from frametally.rules.times import local_time
from frametally_traffic.report.junction_report import TrafficReport
from frametally_traffic.report.quarters import QUARTER_MS, Quarter
from frametally_traffic.report_files.part_names import column_names

_FIRST = ("source", "start_time", "end_time", "seen_share", "state")


def write_wide_csv(file: BinaryIO, report: TrafficReport) -> None:
    """Write it; cells of a quarter of which nothing is known are empty, and `state` says why.

    Times have their offset, so the two hours of an autumn night differ. Columns are made of legs' names, of
    which only letters, digits and `_` are left: no cell is what a spreadsheet takes for a formula.
    """
    columns = column_names(report)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=False)
    writer = csv.writer(text)
    writer.writerow([*_FIRST, *columns.values()])
    movements = report.table.movements
    for quarter in report.table.quarters:
        start_ms = quarter.start_ms
        counted = [None if quarter.missing else movements.get((start_ms, *one), 0) for one in columns]
        writer.writerow(
            [
                report.query.source,
                _time(report, start_ms),
                _time(report, start_ms + QUARTER_MS),
                f"{quarter.seen_share:.4g}",
                _state(quarter),
                *counted,
            ]
        )
    text.detach()  # written to its end, and left open


def _state(quarter: Quarter) -> str:
    return quarter.missing or ("counted" if quarter.is_whole else "partial")


def _time(report: TrafficReport, time_ms: int) -> str:
    return local_time(time_ms, report.query.zone).isoformat()
