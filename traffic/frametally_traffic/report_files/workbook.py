"""The traffic report as a workbook: a sheet for each class, totals as formulas, peak hours, books."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from frametally.rules.times import local_time
from frametally_traffic.flows.day_columns import NoMovement
from frametally_traffic.report.junction_report import TrafficReport, leg_name, movement_name, state_of
from frametally_traffic.report.movement_table import IN_HOUR, QUARTER_MS, PeakHour, heavy_of
from frametally_traffic.report.schemes import SCHEMES, find_scheme, groups_of, not_told_apart

if TYPE_CHECKING:
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

FRONT, MOTOR_SHEET, BOOKS, CLASSES = "Report", "Motor vehicles", "Books", "Classes"
_FIRST = ("Begins", "UTC offset", "Seen", "Not whole because")
_PEAK = ("Peak hours", "Half", "Begins", "Ends", "Vehicles", "Busiest quarter", "Peak-hour factor", "Heavy")
_HEAD_ROWS = 3
_MOST_SHEET_CHARS = 31
_NO_SHEET_CHARS = re.compile(r"[\[\]:*?/\\']")


class Columns(NamedTuple):
    """Where the sheets of counts have what.

    Columns of each movement, of each leg's total of who came over it, and of the total; rows of the first
    quarter and of the totals of all quarters.
    """

    movements: dict[tuple[str, str], int]
    entering: dict[str, int]
    total: int
    first_row: int
    total_row: int


_FORMATS: dict[str, dict[str, object]] = {
    "bold": {"bold": True, "text_wrap": True, "valign": "top"},
    "date": {"num_format": "yyyy-mm-dd hh:mm"},
    "day": {"num_format": "yyyy-mm-dd"},
    "clock": {"num_format": "hh:mm"},
    "share": {"num_format": "0%"},
    "ratio": {"num_format": "0.00"},
    "gap": {"bg_color": "#E4E4E4", "font_color": "#555555"},
    "sum": {"bold": True, "top": 1},
}
"""Formats of cells, by what they are for."""


class SheetPlan(NamedTuple):
    """What the sheets of one workbook share; `names` are those of each group's sheet."""

    report: TrafficReport
    columns: Columns
    formats: SimpleNamespace
    names: dict[str, str]


def make_formats(book: Workbook) -> SimpleNamespace:
    """Return the formats of a workbook, by the names of `_FORMATS`."""
    return SimpleNamespace(**{name: book.add_format(options) for name, options in _FORMATS.items()})


def place_columns(report: TrafficReport) -> Columns:
    """Return where the sheets of counts have what."""
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
    """Return a name for each group's sheet that Excel takes, none twice whatever the case."""
    used_names = {name.lower() for name in (FRONT, MOTOR_SHEET, BOOKS, CLASSES, "history")}
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
    """Write quarters by movements of some groups; with `is_sum` each cell adds up those of their sheets."""
    report, columns, formats, parts = plan
    table = report.table
    sheet.write_string(0, 0, f"{title}: movements in quarter-hours, {report.source_name}", formats.bold)
    sheet.write_row(2, 0, _FIRST, formats.bold)
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
    sums: dict[int, int] = dict.fromkeys([*columns.movements.values(), columns.total], 0)
    for row, quarter in enumerate(table.quarters, start=columns.first_row):
        _write_quarter(sheet, row, report, row - columns.first_row, formats)
        if quarter.missing is not None:
            for column in range(len(_FIRST), columns.total + 1):
                sheet.write_blank(row, column, None, formats.gap)
            continue
        counts = {
            pair: sum(table.movements.get((quarter.start_ms, *pair, group), 0) for group in groups)
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
    sheet.write_string(columns.total_row, 0, "all", formats.sum)
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


def _write_quarter(
    sheet: Worksheet, row: int, report: TrafficReport, number: int, formats: SimpleNamespace
) -> None:
    quarter = report.table.quarters[number]
    began = local_time(quarter.start_ms, report.query.zone)
    state = state_of(quarter)
    sheet.write_datetime(row, 0, began.replace(tzinfo=None), formats.date)
    sheet.write_string(row, 1, began.strftime("%z"))
    sheet.write_number(row, 2, round(quarter.seen_share, 4), formats.share)
    if state:
        sheet.write_string(row, 3, state, formats.gap)


def _write_total(sheet: Worksheet, row: int, columns: Columns, value: int, form: Any) -> None:
    cells = "+".join(cell_name(row, column) for column in columns.entering.values())
    sheet.write_formula(row, columns.total, f"={cells or 0}", form, value)


def cell_name(row: int, column: int) -> str:
    """Return a cell as formulas name it; rows and columns are counted from 0."""
    from xlsxwriter.utility import xl_rowcol_to_cell

    name: str = xl_rowcol_to_cell(row, column)
    return name


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
    known_count = sum(quarter.missing is None for quarter in quarters)
    yield "Junction", report.source_name
    yield "From", local_time(report.from_ms, zone).isoformat(sep=" ", timespec="minutes")
    yield "To", local_time(report.to_ms, zone).isoformat(sep=" ", timespec="minutes")
    yield "Time zone", report.query.zone_name
    yield "Model", report.model
    yield "Lines", f"revision {report.revision} of the drawing"
    yield (
        "Quarter-hours",
        f"{len(quarters)}: {whole} seen as a whole, {known_count - whole} in part, "
        f"{len(quarters) - known_count} not",
    )


def _write_legs(sheet: Worksheet, row: int, plan: SheetPlan) -> int:
    report, columns, formats, _ = plan
    sheet.write_row(row, 0, ("Leg", "Side", "Came over it", "Went over it", "Both"), formats.bold)
    first = row + 1
    motor = {group.name for group in report.table.motor}
    sums = [0, 0]
    for leg in report.table.legs:
        row += 1
        sheet.write_string(row, 0, leg)
        sheet.write_string(row, 1, report.sides.get(leg) or "not set")
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
    sheet.write_row(row, 0, _PEAK, formats.bold)
    for day in report.peaks:
        for half, hour in (("AM", day.am), ("PM", day.pm)):
            row += 1
            sheet.write_datetime(row, 0, datetime.datetime.combine(day.day, datetime.time()), formats.day)
            sheet.write_string(row, 1, half)
            if hour is None:
                sheet.write_string(row, 2, "no hour without gaps", formats.gap)
            else:
                _write_hour(sheet, row, plan, hour)
    return row + 1


def _write_hour(sheet: Worksheet, row: int, plan: SheetPlan, hour: PeakHour) -> None:
    report, columns, formats, names = plan
    first = columns.first_row + (hour.start_ms - report.from_ms) // QUARTER_MS
    cells = f"{cell_name(first, columns.total)}:{cell_name(first + IN_HOUR - 1, columns.total)}"
    for column, time_ms in ((2, hour.start_ms), (3, hour.start_ms + IN_HOUR * QUARTER_MS)):
        sheet.write_datetime(
            row, column, local_time(time_ms, report.query.zone).replace(tzinfo=None), formats.clock
        )
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
        "A movement counts in the quarter-hour in which it entered the junction.",
        "An empty cell means that there is no data; it is not a zero.",
        "A quarter-hour seen in part has the counts of that part, and belongs to no peak hour.",
    ]
    if report.table.left_out:
        notes.append(f"{report.table.left_out} visits are in quarter-hours without data.")
    return [*notes, *not_told_apart(report.table.groups)]


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
    sheet.write_row(0, 0, ("Class", "With a movement", *_WITHOUT.values(), "Visits"), formats.bold)
    sums = [0, 0, 0]
    row = 0
    for group in report.table.groups:
        row += 1
        counts = [report.table.total(groups={group.name})]
        for reason in _WITHOUT:
            counts.append(
                sum(
                    count
                    for (_, cause, name), count in report.table.without.items()
                    if (cause, name) == (reason, group.name)
                )
            )
        sheet.write_string(row, 0, group.name)
        for number, count in enumerate(counts):
            sheet.write_number(row, number + 1, count)
            sums[number] += count
        sheet.write_formula(row, 4, f"=SUM({cell_name(row, 1)}:{cell_name(row, 3)})", None, sum(counts))
    sheet.write_string(row + 1, 0, "all", formats.sum)
    for column, value in enumerate((*sums, sum(sums)), start=1):
        cells = f"{cell_name(1, column)}:{cell_name(row, column)}" if row else "0"
        sheet.write_formula(row + 1, column, f"=SUM({cells})", formats.sum, value)


def _write_classes(sheet: Worksheet, plan: SheetPlan) -> None:
    """Write every scheme's classes beside the labels that this model shows them by."""
    report, formats = plan.report, plan.formats
    labels = [label for group in report.table.groups for label in group.labels]
    own_scheme = find_scheme(report.query.scheme)
    sheet.set_column(0, 0, 46)
    sheet.set_column(1, 1, 12)
    sheet.set_column(2, 2, 52)
    sheet.set_column(3, 4, 24)
    sheet.write_row(
        0, 0, ("Scheme", "Class", "Name", "Label of this model", "Counted together as"), formats.bold
    )
    row = 0
    for scheme in SCHEMES:
        groups = groups_of(labels, scheme.name)
        for vehicle_class in scheme.classes:
            row += 1
            group = next((group for group in groups if vehicle_class.code in group.codes), None)
            form = formats.bold if scheme == own_scheme else None
            cells = (
                scheme.title,
                vehicle_class.code,
                vehicle_class.name,
                ", ".join(group.labels) if group else "none that was seen",
                group.name if group and len(group.codes) > 1 else "",
            )
            for column, text in enumerate(cells):
                sheet.write_string(row, column, text, form)
