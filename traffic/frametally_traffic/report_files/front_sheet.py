"""The first sheet of a traffic report: totals by leg, peak hours, and what is not known."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import TYPE_CHECKING

from frametally.rules.times import local_time
from frametally_traffic.report.junction_report import TrafficReport
from frametally_traffic.report.peaks import PeakHour, heavy_of
from frametally_traffic.report.quarters import IN_HOUR, QUARTER_MS
from frametally_traffic.report.schemes import not_told_apart
from frametally_traffic.report_files.count_sheets import MOTOR_SHEET, SheetPlan, cell_name

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet


def write_front(sheet: Worksheet, plan: SheetPlan) -> None:
    """Write it."""
    report, formats = plan.report, plan.formats
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 8, 15)
    row = 0
    for name, value in _about(report):
        sheet.write_string(row, 0, name, formats.bold)
        sheet.write_string(row, 1, value)
        row += 1
    row = _write_legs(sheet, row + 1, plan)
    row = _write_peaks(sheet, row + 1, plan)
    row = _write_others(sheet, row + 1, plan)
    for note in _notes(report):
        row += 1
        sheet.write_string(row, 0, note)


def _about(report: TrafficReport) -> Iterable[tuple[str, str]]:
    zone = report.query.zone
    quarters = report.table.quarters
    whole = sum(quarter.is_whole for quarter in quarters)
    known = sum(quarter.missing is None for quarter in quarters)
    yield "Junction", report.source_name
    yield "From", local_time(report.from_ms, zone).isoformat(sep=" ", timespec="minutes")
    yield "To", local_time(report.to_ms, zone).isoformat(sep=" ", timespec="minutes")
    yield "Time zone", report.query.zone_name
    yield "Model", report.model
    yield "Lines", f"revision {report.revision} of the drawing"
    yield (
        "Quarter-hours",
        f"{len(quarters)}: {whole} seen as a whole, {known - whole} in part, {len(quarters) - known} not",
    )


def _write_legs(sheet: Worksheet, row: int, plan: SheetPlan) -> int:
    report, columns, formats, _ = plan
    for at, name in enumerate(("Leg", "Side", "Came over it", "Went over it", "Both")):
        sheet.write_string(row, at, name, formats.bold)
    first = row + 1
    motor = {group.name for group in report.table.motor}
    sums = [0, 0]
    for leg in report.table.legs:
        row += 1
        sheet.write_string(row, 0, leg)
        sheet.write_string(row, 1, report.sides.get(leg) or "not known")
        came = report.table.total(from_leg=leg, groups=motor)
        went = report.table.total(to_leg=leg, groups=motor)
        sums = [sums[0] + came, sums[1] + went]
        cells = [
            cell_name(columns.total_row, column)
            for pair, column in columns.movements.items()
            if pair[1] == leg
        ]
        over = cell_name(columns.total_row, columns.entering[leg])
        sheet.write_formula(row, 2, f"='{MOTOR_SHEET}'!{over}", None, came)
        sheet.write_formula(row, 3, "=" + "+".join(f"'{MOTOR_SHEET}'!{cell}" for cell in cells), None, went)
        sheet.write_formula(row, 4, f"=SUM({cell_name(row, 2)}:{cell_name(row, 3)})", None, came + went)
    row += 1
    sheet.write_string(row, 0, "all", formats.sum)
    for column, value in ((2, sums[0]), (3, sums[1]), (4, sum(sums))):
        cells_of = f"{cell_name(first, column)}:{cell_name(row - 1, column)}"
        sheet.write_formula(row, column, f"=SUM({cells_of})", formats.sum, value)
    return row + 1


def _write_peaks(sheet: Worksheet, row: int, plan: SheetPlan) -> int:
    report, formats = plan.report, plan.formats
    head = (
        "Peak hours",
        "Half",
        "Begins",
        "Ends",
        "Vehicles",
        "Busiest quarter",
        "Peak-hour factor",
        "Heavy",
    )
    for at, name in enumerate(head):
        sheet.write_string(row, at, name, formats.bold)
    for day in report.peaks:
        for half, hour in (("AM", day.am), ("PM", day.pm)):
            row += 1
            sheet.write_datetime(row, 0, datetime.datetime.combine(day.day, datetime.time()), formats.day)
            sheet.write_string(row, 1, half)
            if hour is None:
                sheet.write_string(row, 2, "no hour was seen as a whole", formats.gap)
            else:
                _write_hour(sheet, row, plan, hour)
    return row + 1


def _write_hour(sheet: Worksheet, row: int, plan: SheetPlan, hour: PeakHour) -> None:
    report, columns, formats, names = plan
    first = columns.first_row + (hour.start_ms - report.from_ms) // QUARTER_MS
    cells = f"{cell_name(first, columns.total)}:{cell_name(first + IN_HOUR - 1, columns.total)}"
    zone = report.query.zone
    for at, time_ms in ((2, hour.start_ms), (3, hour.start_ms + IN_HOUR * QUARTER_MS)):
        sheet.write_datetime(row, at, local_time(time_ms, zone).replace(tzinfo=None), formats.clock)
    vehicles, busiest = cell_name(row, 4), cell_name(row, 5)
    sheet.write_formula(row, 4, f"=SUM('{MOTOR_SHEET}'!{cells})", None, hour.vehicles)
    sheet.write_formula(row, 5, f"=MAX('{MOTOR_SHEET}'!{cells})", None, hour.busiest)
    if hour.factor is None or hour.heavy_share is None:
        return
    sheet.write_formula(row, 6, f"={vehicles}/({IN_HOUR}*{busiest})", formats.ratio, hour.factor)
    heavy = "+".join(f"SUM('{names[group.name]}'!{cells})" for group in heavy_of(report.table.groups))
    sheet.write_formula(row, 7, f"=({heavy or 0})/{vehicles}", formats.share, hour.heavy_share)


def _write_others(sheet: Worksheet, row: int, plan: SheetPlan) -> int:
    report, columns, formats, names = plan
    if not report.table.others:
        return row
    sheet.write_string(row, 0, "Pedestrians, bicycles and others, apart", formats.bold)
    sheet.write_string(row, 1, "Movements", formats.bold)
    for group in report.table.others:
        row += 1
        sheet.write_string(row, 0, group.name)
        over = cell_name(columns.total_row, columns.total)
        value = report.table.total(groups={group.name})
        sheet.write_formula(row, 1, f"='{names[group.name]}'!{over}", None, value)
    return row + 1


def _notes(report: TrafficReport) -> list[str]:
    notes = [
        "A movement is in the quarter-hour in which it came into the junction.",
        "A cell of a gap is empty: nothing is known of it, which is no zero.",
        "A quarter-hour that was seen in part has what was seen of it, and is in no peak hour.",
    ]
    if report.table.left_out:
        notes.append(f"{report.table.left_out} visits lie in quarter-hours of which nothing is known.")
    return [*notes, *not_told_apart(report.table.groups)]
