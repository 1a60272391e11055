"""The files that a traffic report is written as."""

from __future__ import annotations

import io
from typing import BinaryIO, Literal

from frametally_traffic.report.junction_report import ReportRefused, TrafficReport
from frametally_traffic.report.peaks import PeakHour
from frametally_traffic.report_files.utdf import write_utdf
from frametally_traffic.report_files.wide_csv import write_wide_csv
from frametally_traffic.report_files.workbook import write_workbook

Hour = Literal["", "am", "pm"]
HOURS: tuple[Hour, ...] = ("", "am", "pm")
"""Which peak hour UTDF has: the busiest of all, of those that begin before noon, or after it."""
FORMATS = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv",
    "utdf": "text/csv",
}
"""Formats and their media types."""


def make_file(report: TrafficReport, file_format: str, hour: Hour = "") -> BinaryIO:
    """Return a report's file, at its beginning.

    Raises:
        ReportRefused: It cannot be written in that format; it says why.
    """
    file = io.BytesIO()
    if file_format == "xlsx":
        write_workbook(file, report)
    elif file_format == "csv":
        write_wide_csv(file, report)
    else:
        write_utdf(file, report, _peak(report, hour))
    file.seek(0)
    return file


def file_name(report: TrafficReport, file_format: str) -> str:
    """Return what its file is called."""
    return f"traffic-{report.query.source}.{'utdf.csv' if file_format == 'utdf' else file_format}"


def _peak(report: TrafficReport, half: Hour) -> PeakHour:
    found = [
        hour
        for day in report.peaks
        for named, hour in (("am", day.am), ("pm", day.pm))
        if hour is not None and half in ("", named)
    ]
    if not found:
        raise ReportRefused(
            "hour" if half else "format",
            "UTDF has the volumes of an hour, and no hour of that time was seen as a whole.",
            "Give a longer range, or ask for xlsx or csv.",
        )
    return max(found, key=lambda hour: hour.vehicles)
