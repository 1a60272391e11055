"""Writes the files of a traffic report: a workbook, the wide table of cities' open data, UTDF."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, Literal

from frametally.files.csv_table import write_csv_file
from frametally.rules.times import local_time
from frametally_traffic.report.junction_report import (
    ReportRefused,
    TrafficReport,
    column_names,
    least,
    leg_words,
)
from frametally_traffic.report.movement_table import SIDES, TURNS, PeakHour, heading_of, heavy_of
from frametally_traffic.report.quarters import IN_HOUR, QUARTER_MS, Quarter
from frametally_traffic.report_files.checked_legs import (
    NOT_CHECKED,
    NUMBERS,
    WAYS,
    CheckedLeg,
    CheckedLegs,
    ReportSpan,
    Way,
)
from frametally_traffic.report_files.workbook import write_workbook

_JUNCTION = 1
_SIGNALIZED, _EXTERNAL = 0, 1
_RADIUS_M = 100
_HEADINGS = ("NB", "SB", "EB", "WB", "NE", "NW", "SE", "SW")

Rows = Iterable[Sequence[object]]


def write_utdf(
    file: BinaryIO, report: TrafficReport, hour: PeakHour, checked: CheckedLegs = NOT_CHECKED
) -> None:
    """Write the volumes of an hour, by turn.

    Each turn has the peak-hour factor of the junction, as the Highway Capacity Manual advises;
    `HeavyVehicles` is in per cent, empty without volume. If a check covers a leg in that hour, the links have
    extra records with its crossings and their interval; programs skip records that they do not know. If some
    class could not be followed, the record `NotMeasured` says that volumes are minimums.

    Raises:
        ReportRefused: The side of a leg is unknown, or two legs share a side, so turns have no names.
    """
    sides = {leg: side for leg, side in report.sides.items() if side is not None}
    if len({*sides.values()}) < len(report.table.legs):
        lacking = next((leg for leg in report.table.legs if leg not in sides), None)
        fault = f"of the leg {lacking!r} is not set" if lacking else "is the same for two legs"
        raise ReportRefused(
            "format",
            f"UTDF names turns by sides, and the side {fault}.",
            "Set the side of the junction for each leg; each leg needs a different side.",
        )
    nodes = {leg: number for number, leg in enumerate(report.table.legs, start=_JUNCTION + 1)}
    legs = sorted(sides, key=lambda leg: _HEADINGS.index(heading_of(sides[leg])))
    sections: list[tuple[str, str, Rows]] = [
        ("Network", "Network Settings", _settings(checked, hour)),
        ("Nodes", "Node Data", _nodes(report, nodes, sides)),
        ("Links", "Link Data", _links(legs, nodes, sides, checked.rows_of(_hour_of(hour)))),
        ("Lanes", "Lane Group Data", _lanes(report, hour, legs, nodes, sides)),
        ("Timeplans", "Timing Plan Settings", [("RECORDNAME", "INTID", "DATA")]),
        ("Phases", "Phasing Data", [("RECORDNAME", "INTID", *(f"D{phase}" for phase in range(1, 9)))]),
    ]
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=False)
    writer = csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_NONE, quotechar=None, escapechar=None)
    for name, title, rows in sections:
        writer.writerow([f"[{name}]"])
        writer.writerow([title])
        writer.writerows(rows)
    text.detach()


def _nodes(report: TrafficReport, nodes: dict[str, int], sides: dict[str, str]) -> Rows:
    yield "INTID", "TYPE", "X", "Y", "Z", "DESCRIPTION"
    yield _JUNCTION, _SIGNALIZED, 0, 0, 0, _plain(report.source_name)
    for leg, node in nodes.items():
        angle = math.radians(360 / len(SIDES) * SIDES.index(sides[leg]))
        x, y = round(_RADIUS_M * math.sin(angle)), round(_RADIUS_M * math.cos(angle))
        yield node, _EXTERNAL, x, y, 0, _plain(leg)


def _settings(checked: CheckedLegs, hour: PeakHour) -> Rows:
    yield "RECORDNAME", "DATA"
    yield "Metric", 1
    if hour.missing:
        yield "NotMeasured", _plain(f"motor vehicles: {least(hour.vehicles, hour.missing)}")
    for words in checked.words:
        yield "AccuracyCheck", _plain(words)


def _hour_of(hour: PeakHour) -> ReportSpan:
    return ReportSpan(hour.start_ms, hour.start_ms + IN_HOUR * QUARTER_MS)


def _links(
    legs: list[str],
    nodes: dict[str, int],
    sides: dict[str, str],
    checked: Mapping[tuple[str, Way], CheckedLeg],
) -> Rows:
    yield "RECORDNAME", "INTID", *_HEADINGS
    leg_of = {heading_of(sides[leg]): leg for leg in legs}
    present = [leg_of.get(heading) for heading in _HEADINGS]
    yield "Up ID", _JUNCTION, *("" if leg is None else nodes[leg] for leg in present)
    yield "Name", _JUNCTION, *("" if leg is None else _plain(leg) for leg in present)
    for way in WAYS if checked else ():
        rows = [None if leg is None else checked.get((leg, way)) for leg in present]
        for name in NUMBERS:
            numbers = ("" if row is None else round(getattr(row, name)) for row in rows)
            yield f"Checked {way} {name}", _JUNCTION, *numbers


def _lanes(
    report: TrafficReport, hour: PeakHour, legs: list[str], nodes: dict[str, int], sides: dict[str, str]
) -> Rows:
    turns = report.turns
    lanes = {}
    for leg in legs:
        for turn in TURNS:
            pairs = [pair for pair in report.table.pairs if pair[0] == leg and turns[pair] == turn]
            if pairs:
                lanes[f"{heading_of(sides[leg])}{turn.upper()}"] = pairs
    starts = range(hour.start_ms, hour.start_ms + IN_HOUR * QUARTER_MS, QUARTER_MS)
    motor = {group.name for group in report.table.motor}
    heavy = {group.name for group in heavy_of(report.table.groups)}

    def count(pairs: Iterable[tuple[str, str]], groups: set[str]) -> int:
        return sum(
            report.table.total(starts_ms=starts, from_leg=come_over, to_leg=gone_over, groups=groups)
            for come_over, gone_over in pairs
        )

    volumes = [count(pairs, motor) for pairs in lanes.values()]
    shares = [
        round(100 * count(pairs, heavy) / volume) if volume else ""
        for pairs, volume in zip(lanes.values(), volumes, strict=True)
    ]
    factor = "" if hour.factor is None else f"{hour.factor:.2f}"
    yield "RECORDNAME", "INTID", *lanes
    yield "Up Node", _JUNCTION, *(nodes[pairs[0][0]] for pairs in lanes.values())
    yield "Dest Node", _JUNCTION, *(nodes[pairs[0][1]] for pairs in lanes.values())
    yield "Volume", _JUNCTION, *(volume or ("" if hour.missing else 0) for volume in volumes)
    yield "PHF", _JUNCTION, *(factor for _ in lanes)
    yield "HeavyVehicles", _JUNCTION, *shares


def _plain(text: str) -> str:
    """Return a name that cannot end a field or start a formula, as UTDF readers do not handle quotes."""
    plain = text.replace(",", " ").replace('"', "'").replace("[", "(").replace("]", ")")
    return f"'{plain}" if plain.startswith(("=", "+", "-", "@")) else plain


_FIRST = ("source", "start_time", "end_time", "seen_share", "state")


def write_wide_csv(file: BinaryIO, report: TrafficReport, checked: CheckedLegs = NOT_CHECKED) -> None:
    """Write the wide table, with columns of checked crossings if there are any.

    Cells of a quarter without data are empty, and `state` says why; if only some classes could not be
    followed, their cells are empty, and `state` is `partial`.

    Times have their UTC offset, so the repeated hour of an autumn night is unambiguous. Column names keep
    only letters, digits and `_` of legs' names, so no cell can become a formula.
    """
    columns = column_names(report)
    short = leg_words(report)
    ways = sorted({(row.leg, row.way) for row in checked.rows})
    of_checks = [f"{short[leg]}_{way}_{name}" for leg, way in ways for name in (*NUMBERS, "check")]
    table = report.table

    def rows() -> Iterator[list[object]]:
        for quarter in table.quarters:
            start_ms, end_ms = quarter.start_ms, quarter.start_ms + QUARTER_MS
            yield [
                report.query.source,
                _time(report, start_ms),
                _time(report, end_ms),
                f"{quarter.seen_share:.4g}",
                _state(quarter, is_part=any(start_ms == unknown_ms for unknown_ms, _ in table.unknown)),
                *(
                    None if quarter.missing else table.movements_in(start_ms, (from_leg, to_leg), [group])
                    for from_leg, to_leg, group in columns
                ),
                *_checked_cells(ways, checked.rows_of(ReportSpan(start_ms, end_ms))),
            ]

    write_csv_file(file, [*_FIRST, *columns.values(), *of_checks], rows())


def _checked_cells(
    ways: Iterable[tuple[str, Way]], rows: Mapping[tuple[str, Way], CheckedLeg]
) -> Iterator[object]:
    for way in ways:
        row = rows.get(way)
        yield from (
            [""] * (len(NUMBERS) + 1) if row is None else [row.counted, row.low, row.high, row.estimate]
        )
        if row is not None:
            yield _plain(row.check)


def _state(quarter: Quarter, *, is_part: bool) -> str:
    return quarter.missing or ("counted" if quarter.is_whole and not is_part else "partial")


def _time(report: TrafficReport, time_ms: int) -> str:
    return local_time(time_ms, report.query.zone).isoformat()


Hour = Literal["", "am", "pm"]
HOURS: tuple[Hour, ...] = ("", "am", "pm")
"""Choices of the peak hour in UTDF: the busiest of all, of those before noon, or of those after it."""
FORMATS = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv",
    "utdf": "text/csv",
}
"""Formats and their media types."""


def make_file(
    report: TrafficReport, file_format: str, hour: Hour = "", checked: CheckedLegs = NOT_CHECKED
) -> BinaryIO:
    """Return a report's file, positioned at its start, with intervals from accuracy checks.

    Raises:
        ReportRefused: It cannot be written in that format; the message says why.
    """
    file = io.BytesIO()
    if file_format == "xlsx":
        write_workbook(file, report, checked)
    elif file_format == "csv":
        write_wide_csv(file, report, checked)
    else:
        write_utdf(file, report, _peak(report, hour), checked)
    file.seek(0)
    return file


def file_name(report: TrafficReport, file_format: str) -> str:
    """Return the name of a report's file."""
    return f"traffic-{report.query.source}.{'utdf.csv' if file_format == 'utdf' else file_format}"


def _peak(report: TrafficReport, half: Hour) -> PeakHour:
    hours = [
        hour
        for day in report.peaks
        for half_name, hour in (("am", day.am), ("pm", day.pm))
        if hour is not None and half in ("", half_name)
    ]
    if not hours:
        raise ReportRefused(
            "hour" if half else "format",
            "UTDF needs the volumes of a whole hour, but every hour in that range has gaps.",
            "Choose a longer range, or use xlsx or csv.",
        )
    return max(hours, key=lambda hour: hour.vehicles)
