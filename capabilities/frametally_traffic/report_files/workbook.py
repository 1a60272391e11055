"""Writes the traffic report as a workbook: a sheet for each class, totals as formulas, peak hours, books."""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from frametally.process.reports import plural
from frametally.rules.times import local_time
from frametally_traffic.flows.day_columns import NoMovement
from frametally_traffic.report.junction_report import (
    TrafficReport,
    leg_name,
    movement_name,
    state_of,
    why_words,
)
from frametally_traffic.report.movement_table import PeakHour, heavy_of
from frametally_traffic.report.quarters import IN_HOUR, QUARTER_MS
from frametally_traffic.report.schemes import SCHEMES, Group, find_scheme, groups_of, not_told_apart
from frametally_traffic.report_files.checked_legs import NOT_CHECKED, NUMBERS, CheckedLegs

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
    members = [group for group in table.groups if group.name in groups]
    sums: dict[int, int] = dict.fromkeys([*columns.movements.values(), columns.total], 0)
    for row, quarter in enumerate(table.quarters, start=columns.first_row):
        _write_quarter(sheet, row, report, row - columns.first_row, formats)
        is_unknown = bool(groups) and all((quarter.start_ms, group) in table.unknown for group in groups)
        if quarter.missing is not None or is_unknown:
            for column in range(len(_FIRST), columns.total + 1):
                sheet.write_blank(row, column, None, formats.gap)
            continue
        counts = {
            pair: sum(table.movements.get((quarter.start_ms, *pair, group), 0) for group in groups)
            for pair in columns.movements
        }
        gap = _gap_of(plan, members, {quarter.start_ms})
        for pair, column in columns.movements.items():
            sums[column] += counts[pair]
            if not is_sum:
                sheet.write_number(row, column, counts[pair])
            elif groups:
                cells = "+".join(f"'{parts[group]}'!{cell_name(row, column)}" for group in groups)
                _write_sum(sheet, row, column, f"={cells}", counts[pair], gap=gap)
            else:
                sheet.write_number(row, column, 0)
        for leg, column in columns.entering.items():
            of_leg = [leg_column for pair, leg_column in columns.movements.items() if pair[0] == leg]
            total = sum(count for pair, count in counts.items() if pair[0] == leg)
            cells = f"{cell_name(row, min(of_leg))}:{cell_name(row, max(of_leg))}"
            _write_sum(sheet, row, column, f"=SUM({cells})", total, gap=gap)
        _write_total(sheet, row, columns, sum(counts.values()), gap=gap)
    missing, gap = table.missing_of(members), _gap_of(plan, members)
    sheet.write_string(columns.total_row, 0, _sum_name(gap), formats.sum)
    if missing and not any(sums.values()):
        sheet.write_string(columns.total_row, 3, why_words(missing), formats.gap)
        return
    for leg, column in columns.entering.items():
        sums[column] = sum(
            sums[leg_column] for pair, leg_column in columns.movements.items() if pair[0] == leg
        )
    for column in (*columns.movements.values(), *columns.entering.values()):
        cells = f"{cell_name(columns.first_row, column)}:{cell_name(columns.total_row - 1, column)}"
        _write_sum(sheet, columns.total_row, column, f"=SUM({cells})", sums[column], formats.sum, gap=gap)
    total = sum(sums[column] for column in columns.movements.values())
    _write_total(sheet, columns.total_row, columns, total, formats.sum, gap=gap)


def _write_quarter(sheet: Worksheet, row: int, report: TrafficReport, number: int, formats: Formats) -> None:
    quarter = report.table.quarters[number]
    began = local_time(quarter.start_ms, report.query.zone)
    state = state_of(report.table, quarter)
    sheet.write_datetime(row, 0, began.replace(tzinfo=None), formats.date)
    sheet.write_string(row, 1, began.strftime("%z"))
    sheet.write_number(row, 2, round(quarter.seen_share, 4), formats.share)
    if state:
        sheet.write_string(row, 3, state, formats.gap)


def _write_total(
    sheet: Worksheet, row: int, columns: Columns, value: int, form: Any = None, *, gap: Any
) -> None:
    cells = "+".join(cell_name(row, column) for column in columns.entering.values())
    _write_sum(sheet, row, columns.total, f"={cells or 0}", value, form, gap=gap)


def _write_sum(
    sheet: Worksheet, row: int, column: int, formula: str, value: int, form: Any = None, *, gap: Any
) -> None:
    """Write a sum as a formula, or as a number if `formula` is empty; leave the cell empty if it is unknown.

    `gap`: see `_gap_of`.
    """
    if gap is not None and not value:
        sheet.write_blank(row, column, None, gap)
    elif formula:
        sheet.write_formula(row, column, formula, form, value)
    else:
        sheet.write_number(row, column, value, form)


def _gap_of(plan: SheetPlan, groups: Iterable[Group], starts_ms: Collection[int] | None = None) -> Any:
    """Return the format of empty cells if a part of the sums over some groups is unknown, or None.

    Then a sum of 0 is unknown, too. See `TrafficTable.missing_of`.
    """
    return plan.formats.gap if plan.report.table.missing_of(groups, starts_ms) else None


def _sum_name(gap: Any) -> str:
    return "all" if gap is None else "at least"


def cell_name(row: int, column: int) -> str:
    """Return a cell's name in formulas; rows and columns count from 0."""
    from xlsxwriter.utility import xl_rowcol_to_cell

    name: str = xl_rowcol_to_cell(row, column)
    return name


if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet


def write_front(sheet: Worksheet, plan: SheetPlan) -> None:
    """Write the front sheet."""
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
        f"{len(quarters)}: {whole} seen completely, {known_count - whole} partly, "
        f"{len(quarters) - known_count} not",
    )
    unknown = [group for group in report.table.groups if report.table.missing_of([group])]
    if unknown:
        names = ", ".join(group.name for group in unknown)
        yield "Not measured", f"{names}, in some quarter-hours: sums are the least numbers"


def _write_legs(sheet: Worksheet, row: int, plan: SheetPlan) -> int:
    report, columns, formats, _ = plan
    for number, name in enumerate(("Leg", "Side", "Came over it", "Went over it", "Both")):
        sheet.write_string(row, number, name, formats.bold)
    first = row + 1
    motor = {group.name for group in report.table.motor}
    gap = _gap_of(plan, report.table.motor)
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
        exits = "+".join(f"'{MOTOR_SHEET}'!{cell}" for cell in cells)
        _write_sum(sheet, row, 2, f"='{MOTOR_SHEET}'!{over}", came, gap=gap)
        _write_sum(sheet, row, 3, f"={exits}", went, gap=gap)
        _write_sum(sheet, row, 4, f"=SUM({cell_name(row, 2)}:{cell_name(row, 3)})", came + went, gap=gap)
    row += 1
    sheet.write_string(row, 0, _sum_name(gap), formats.sum)
    for column, value in ((2, sums[0]), (3, sums[1]), (4, sum(sums))):
        cells_of = f"{cell_name(first, column)}:{cell_name(row - 1, column)}"
        _write_sum(sheet, row, column, f"=SUM({cells_of})", value, formats.sum, gap=gap)
    return row + 1


def _write_peaks(sheet: Worksheet, row: int, plan: SheetPlan) -> int:
    report, formats = plan.report, plan.formats
    head = (
        "Peak hours",
        "Half",
        "Begins",
        "Ends",
        "Vehicles",
        "Busiest quarter-hour",
        "Peak-hour factor",
        "Heavy",
    )
    for column, name in enumerate(head):
        sheet.write_string(row, column, name, formats.bold)
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
    zone = report.query.zone
    for column, time_ms in ((2, hour.start_ms), (3, hour.start_ms + IN_HOUR * QUARTER_MS)):
        sheet.write_datetime(row, column, local_time(time_ms, zone).replace(tzinfo=None), formats.clock)
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
    sheet.write_string(row, 0, "Pedestrians, bicycles and others, separately", formats.bold)
    sheet.write_string(row, 1, "Movements", formats.bold)
    for group in report.table.others:
        row += 1
        sheet.write_string(row, 0, group.name)
        over = cell_name(columns.total_row, columns.total)
        value = report.table.total(groups={group.name})
        gap = _gap_of(plan, [group])
        _write_sum(sheet, row, 1, f"='{names[group.name]}'!{over}", value, gap=gap)
    return row + 1


def _notes(report: TrafficReport) -> list[str]:
    notes = [
        "A movement counts in the quarter-hour in which it entered the junction.",
        "An empty cell means that there is no data; it is not a zero. A sum has its other cells: it is the "
        "least number.",
        "A quarter-hour that was only partly seen has the counts of that part, and is not in any peak hour.",
    ]
    if report.table.left_out:
        notes.append(
            f"{plural(report.table.left_out, 'visit is', 'visits are')} in quarter-hours without data, or of "
            "a class that could not be followed there."
        )
    return [*notes, *not_told_apart(report.table.groups)]


_MADE = datetime.datetime(2000, 1, 1)  # noqa: DTZ001 - the same counts are the same bytes
_WITHOUT: dict[NoMovement, str] = {"unassigned": "at a leg, no movement", "never_at_a_leg": "never at a leg"}


def write_workbook(file: BinaryIO, report: TrafficReport, checked: CheckedLegs = NOT_CHECKED) -> None:
    """Write the workbook; text never becomes a formula or a link, and cells of gaps have no numbers.

    Every total is a formula with its stored value, for readers that do not calculate.
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
    if checked.words:
        _write_checked(book.add_worksheet(CHECKED), plan, checked)
    book.close()


def _write_books(sheet: Worksheet, plan: SheetPlan) -> None:
    report, formats = plan.report, plan.formats
    sheet.set_column(0, 5, 22)
    for number, name in enumerate(("Class", "With a movement", *_WITHOUT.values(), "Visits")):
        sheet.write_string(0, number, name, formats.bold)
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
        gap = _gap_of(plan, [group])
        for number, count in enumerate(counts):
            _write_sum(sheet, row, number + 1, "", count, gap=gap)
            sums[number] += count
        cells = f"{cell_name(row, 1)}:{cell_name(row, 3)}"
        _write_sum(sheet, row, 4, f"=SUM({cells})", sum(counts), gap=gap)
    gap = _gap_of(plan, report.table.groups)
    sheet.write_string(row + 1, 0, _sum_name(gap), formats.sum)
    for column, value in enumerate((*sums, sum(sums)), start=1):
        cells = f"{cell_name(1, column)}:{cell_name(row, column)}" if row else "0"
        _write_sum(sheet, row + 1, column, f"=SUM({cells})", value, formats.sum, gap=gap)


def _write_checked(sheet: Worksheet, plan: SheetPlan, checked: CheckedLegs) -> None:
    """Write the interval of each leg's crossings, and what the intervals are based on."""
    report, formats = plan.report, plan.formats
    sheet.set_column(0, 8, 16)
    for row, words in enumerate(checked.words):
        sheet.write_string(row, 0, words)
    first = len(checked.words) + 1
    head = ("Leg", "Way", "Begins", "Ends", *(name.capitalize() for name in NUMBERS), "Check")
    for column, name in enumerate(head):
        sheet.write_string(first, column, name, formats.bold)
    for row, leg in enumerate(checked.rows, start=first + 1):
        sheet.write_string(row, 0, leg.leg)
        sheet.write_string(row, 1, leg.way)
        for column, time_ms in enumerate(leg.span, start=2):
            local = local_time(time_ms, report.query.zone).replace(tzinfo=None)
            sheet.write_datetime(row, column, local, formats.date)
        for column, name in enumerate(NUMBERS, start=4):
            sheet.write_number(row, column, getattr(leg, name))
        sheet.write_string(row, 8, leg.check)


def _write_classes(sheet: Worksheet, plan: SheetPlan) -> None:
    """Write every scheme's classes next to the labels of this model that show them."""
    report, formats = plan.report, plan.formats
    labels = [label for group in report.table.groups for label in group.labels]
    own_scheme = find_scheme(report.query.scheme)
    sheet.set_column(0, 0, 46)
    sheet.set_column(1, 1, 12)
    sheet.set_column(2, 2, 52)
    sheet.set_column(3, 4, 24)
    for column, name in enumerate(("Scheme", "Class", "Name", "Label of this model", "Counted together as")):
        sheet.write_string(0, column, name, formats.bold)
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
                ", ".join(group.labels) if group else "none seen",
                group.name if group and len(group.codes) > 1 else "",
            )
            for column, text in enumerate(cells):
                sheet.write_string(row, column, text, form)
