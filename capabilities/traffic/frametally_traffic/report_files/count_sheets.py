"""Writes sheets of counts: quarter-hours by movements, for one class or all motor vehicles together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from frametally.rules.times import local_time
from frametally_traffic.report.junction_report import (
    MISSING,
    TrafficReport,
    leg_name,
    movement_name,
    state_of,
)

if TYPE_CHECKING:
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

FRONT, MOTOR_SHEET, BOOKS, CLASSES = "Report", "Motor vehicles", "Books", "Classes"
CHECKED = "Checked crossings"
_FIRST = ("Begins", "UTC offset", "Seen", "Not whole because")
_HEAD_ROWS = 3
_MOST_SHEET_CHARS = 31
_NO_SHEET_CHARS = re.compile(r"[\[\]:*?/\\']")


class Columns(NamedTuple):
    """The layout of the sheets of counts.

    It has the columns of each movement, of the total entering over each leg, and of the grand total, and the
    rows of the first quarter and of the totals.
    """

    movements: dict[tuple[str, str], int]
    entering: dict[str, int]
    total: int
    first_row: int
    total_row: int


class Formats(NamedTuple):
    """Formats of cells, by their purpose."""

    bold: Any
    date: Any
    day: Any
    clock: Any
    share: Any
    ratio: Any
    gap: Any
    sum: Any
    wrap: Any


class SheetPlan(NamedTuple):
    """The shared parts of one workbook's sheets; `names` are those of the groups' sheets."""

    report: TrafficReport
    columns: Columns
    formats: Formats
    names: dict[str, str]


def make_formats(book: Workbook) -> Formats:
    """Return the formats of a workbook."""
    return Formats(
        book.add_format({"bold": True, "text_wrap": True, "valign": "top"}),
        book.add_format({"num_format": "yyyy-mm-dd hh:mm"}),
        book.add_format({"num_format": "yyyy-mm-dd"}),
        book.add_format({"num_format": "hh:mm"}),
        book.add_format({"num_format": "0%"}),
        book.add_format({"num_format": "0.00"}),
        book.add_format({"bg_color": "#E4E4E4", "font_color": "#555555"}),
        book.add_format({"bold": True, "top": 1}),
        book.add_format({"text_wrap": True, "valign": "top"}),
    )


def place_columns(report: TrafficReport) -> Columns:
    """Return the layout of the sheets of counts."""
    movements: dict[tuple[str, str], int] = {}
    entering: dict[str, int] = {}
    column = len(_FIRST)
    for leg in report.table.legs:
        for pair in report.table.pairs:
            if pair[0] == leg:
                movements[pair] = column
                column += 1
        entering[leg] = column
        column += 1
    return Columns(movements, entering, column, _HEAD_ROWS, _HEAD_ROWS + len(report.table.quarters))


def sheet_names(report: TrafficReport) -> dict[str, str]:
    """Return a name for each group's sheet that Excel accepts, unique regardless of case."""
    used_names = {name.lower() for name in (FRONT, MOTOR_SHEET, BOOKS, CLASSES, CHECKED, "history")}
    names = {}
    for group in report.table.groups:
        stem = _NO_SHEET_CHARS.sub(" ", group.name)[:_MOST_SHEET_CHARS].strip() or "class"
        name, number = stem, 1
        while name.lower() in used_names:
            number += 1
            name = f"{stem[: _MOST_SHEET_CHARS - 4]} {number}"
        used_names.add(name.lower())
        names[group.name] = name
    return names


def write_counts(
    sheet: Worksheet, plan: SheetPlan, title: str, groups: Sequence[str], *, is_sum: bool = False
) -> None:
    """Write quarters by movements of some groups; with `is_sum`, each cell sums those of their sheets."""
    report, columns, formats, parts = plan
    table = report.table
    sheet.write_string(0, 0, f"{title}: movements in quarter-hours, {report.source_name}", formats.bold)
    for number, name in enumerate(_FIRST):
        sheet.write_string(2, number, name, formats.bold)
    sheet.set_column(0, 0, 16)
    sheet.set_column(1, 2, 8)
    sheet.set_column(3, 3, 18)
    sheet.set_column(len(_FIRST), columns.total, 13)
    sheet.freeze_panes(_HEAD_ROWS, len(_FIRST))
    for leg in table.legs:
        first = min(column for pair, column in columns.movements.items() if pair[0] == leg)
        sheet.write_string(1, first, f"from {leg_name(report, leg)}", formats.bold)
        sheet.write_string(2, columns.entering[leg], f"all from {leg}", formats.bold)
    for pair, column in columns.movements.items():
        sheet.write_string(2, column, movement_name(report, pair), formats.bold)
    sheet.write_string(2, columns.total, "all", formats.bold)
    members = set(groups)
    sums: dict[int, int] = dict.fromkeys([*columns.movements.values(), columns.total], 0)
    for row, quarter in enumerate(table.quarters, start=columns.first_row):
        _write_quarter(sheet, row, report, row - columns.first_row, formats)
        is_unknown = bool(groups) and all((quarter.start_ms, group) in table.unknown for group in groups)
        if quarter.missing is not None or is_unknown:
            for column in range(len(_FIRST), columns.total + 1):
                sheet.write_blank(row, column, None, formats.gap)
            continue
        counts = {
            pair: sum(table.movements.get((quarter.start_ms, *pair, group), 0) for group in members)
            for pair in columns.movements
        }
        for pair, column in columns.movements.items():
            sums[column] += counts[pair]
            if not is_sum:
                sheet.write_number(row, column, counts[pair])
            elif groups:
                cells = "+".join(f"'{parts[group]}'!{cell_name(row, column)}" for group in groups)
                sheet.write_formula(row, column, f"={cells}", None, counts[pair])
            else:
                sheet.write_number(row, column, 0)
        for leg, column in columns.entering.items():
            of_leg = [leg_column for pair, leg_column in columns.movements.items() if pair[0] == leg]
            total = sum(count for pair, count in counts.items() if pair[0] == leg)
            cells = f"{cell_name(row, min(of_leg))}:{cell_name(row, max(of_leg))}"
            sheet.write_formula(row, column, f"=SUM({cells})", None, total)
        _write_total(sheet, row, columns, sum(counts.values()), None)
    missing = table.missing_of(group for group in table.groups if group.name in members)
    sheet.write_string(columns.total_row, 0, "at least" if missing else "all", formats.sum)
    if missing and not any(sums.values()):
        sheet.write_string(columns.total_row, 3, MISSING[missing], formats.gap)
        return
    for leg, column in columns.entering.items():
        sums[column] = sum(
            sums[leg_column] for pair, leg_column in columns.movements.items() if pair[0] == leg
        )
    for column in (*columns.movements.values(), *columns.entering.values()):
        cells = f"{cell_name(columns.first_row, column)}:{cell_name(columns.total_row - 1, column)}"
        sheet.write_formula(columns.total_row, column, f"=SUM({cells})", formats.sum, sums[column])
    _write_total(
        sheet,
        columns.total_row,
        columns,
        sum(sums[column] for column in columns.movements.values()),
        formats.sum,
    )


def _write_quarter(sheet: Worksheet, row: int, report: TrafficReport, number: int, formats: Formats) -> None:
    quarter = report.table.quarters[number]
    began = local_time(quarter.start_ms, report.query.zone)
    state = state_of(report.table, quarter)
    sheet.write_datetime(row, 0, began.replace(tzinfo=None), formats.date)
    sheet.write_string(row, 1, began.strftime("%z"))
    sheet.write_number(row, 2, round(quarter.seen_share, 4), formats.share)
    if state:
        sheet.write_string(row, 3, state, formats.gap)


def _write_total(sheet: Worksheet, row: int, columns: Columns, value: int, form: Any) -> None:
    cells = "+".join(cell_name(row, column) for column in columns.entering.values())
    sheet.write_formula(row, columns.total, f"={cells or 0}", form, value)


def cell_name(row: int, column: int) -> str:
    """Return a cell's name in formulas; rows and columns count from 0."""
    from xlsxwriter.utility import xl_rowcol_to_cell

    name: str = xl_rowcol_to_cell(row, column)
    return name
