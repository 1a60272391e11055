"""The traffic report as a workbook: a sheet for each class, totals as formulas, peak hours, books."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, BinaryIO

from frametally_traffic.flows.day_columns import NoMovement
from frametally_traffic.report.junction_report import TrafficReport
from frametally_traffic.report.schemes import SCHEMES, find_scheme, groups_of
from frametally_traffic.report_files.count_sheets import (
    BOOKS,
    CLASSES,
    FRONT,
    MOTOR_SHEET,
    SheetPlan,
    cell_name,
    make_formats,
    place_columns,
    sheet_names,
    write_counts,
)
from frametally_traffic.report_files.front_sheet import write_front

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

_MADE = datetime.datetime(2000, 1, 1)  # noqa: DTZ001 - the same counts are the same bytes
_WITHOUT: dict[NoMovement, str] = {"unassigned": "at a leg, no movement", "never_at_a_leg": "never at a leg"}


def write_workbook(file: BinaryIO, report: TrafficReport) -> None:
    """Write it; no text can become a formula or a link, and no cell of a gap has a number.

    Every total is a formula, with its value beside it for readers that do not calculate.
    """
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(file, options)
    book.set_properties({"title": f"Traffic report {report.source_name}", "created": _MADE})
    plan = SheetPlan(report, place_columns(report), make_formats(book), sheet_names(report))
    front, motor = book.add_worksheet(FRONT), book.add_worksheet(MOTOR_SHEET)
    write_front(front, plan)
    write_counts(motor, plan, MOTOR_SHEET, [group.name for group in report.table.motor], is_sum=True)
    for group in report.table.groups:
        title = f"{group.name}: {group.title}" if group.codes else group.title
        write_counts(book.add_worksheet(plan.names[group.name]), plan, title, [group.name])
    _write_books(book.add_worksheet(BOOKS), plan)
    _write_classes(book.add_worksheet(CLASSES), plan)
    book.close()


def _write_books(sheet: Worksheet, plan: SheetPlan) -> None:
    report, formats = plan.report, plan.formats
    sheet.set_column(0, 5, 22)
    for at, name in enumerate(("Class", "With a movement", *_WITHOUT.values(), "Visits")):
        sheet.write_string(0, at, name, formats.bold)
    sums = [0, 0, 0]
    row = 0
    for group in report.table.groups:
        row += 1
        counts = [report.table.total(groups={group.name})]
        for reason in _WITHOUT:
            counts.append(
                sum(
                    count
                    for (_, why, name), count in report.table.without.items()
                    if (why, name) == (reason, group.name)
                )
            )
        sheet.write_string(row, 0, group.name)
        for at, count in enumerate(counts):
            sheet.write_number(row, at + 1, count)
            sums[at] += count
        sheet.write_formula(row, 4, f"=SUM({cell_name(row, 1)}:{cell_name(row, 3)})", None, sum(counts))
    sheet.write_string(row + 1, 0, "all", formats.sum)
    for column, value in enumerate((*sums, sum(sums)), start=1):
        cells = f"{cell_name(1, column)}:{cell_name(row, column)}" if row else "0"
        sheet.write_formula(row + 1, column, f"=SUM({cells})", formats.sum, value)


def _write_classes(sheet: Worksheet, plan: SheetPlan) -> None:
    """Write every scheme's classes beside the labels that this model shows them by."""
    report, formats = plan.report, plan.formats
    labels = [label for group in report.table.groups for label in group.labels]
    chosen = find_scheme(report.query.scheme)
    sheet.set_column(0, 0, 46)
    sheet.set_column(1, 1, 12)
    sheet.set_column(2, 2, 52)
    sheet.set_column(3, 4, 24)
    for at, name in enumerate(("Scheme", "Class", "Name", "Label of this model", "Counted together as")):
        sheet.write_string(0, at, name, formats.bold)
    row = 0
    for scheme in SCHEMES:
        groups = groups_of(labels, scheme.name)
        for one in scheme.classes:
            row += 1
            group = next((group for group in groups if one.code in group.codes), None)
            form = formats.bold if scheme == chosen else None
            cells = (
                scheme.title,
                one.code,
                one.name,
                ", ".join(group.labels) if group else "none that was seen",
                group.name if group and len(group.codes) > 1 else "",
            )
            for at, text in enumerate(cells):
                sheet.write_string(row, at, text, form)
