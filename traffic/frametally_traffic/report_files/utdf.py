"""A peak hour as UTDF, the format of Synchro and of what reads its files: turning volumes of one junction.

Written are the sections of a combined file; what a camera does not see (lanes, distances, signals) is not.
Nodes stand on a circle: where they lie is not known either.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import BinaryIO

from frametally_traffic.report.junction_report import ReportRefused, TrafficReport
from frametally_traffic.report.peaks import PeakHour, heavy_of
from frametally_traffic.report.quarters import IN_HOUR, QUARTER_MS
from frametally_traffic.report.turns import SIDES, TURNS, heading_of

_JUNCTION = 1
_SIGNALIZED, _EXTERNAL = 0, 1
_RADIUS_M = 100
_HEADINGS = ("NB", "SB", "EB", "WB", "NE", "NW", "SE", "SW")

Rows = Iterable[Sequence[object]]


def write_utdf(file: BinaryIO, report: TrafficReport, hour: PeakHour) -> None:
    """Write the volumes of an hour, by turn.

    The peak-hour factor is that of the junction for each turn, as the Highway Capacity Manual advises;
    `HeavyVehicles` is in per cent, empty where nobody turned.

    Raises:
        ReportRefused: The side of a leg is not known, or two legs lie on one: turns have no names then.
    """
    sides = {leg: side for leg, side in report.sides.items() if side is not None}
    if len({*sides.values()}) < len(report.table.legs):
        lacking = next((leg for leg in report.table.legs if leg not in sides), None)
        what = f"of the leg {lacking!r} is not known" if lacking else "of two legs is the same"
        raise ReportRefused(
            "format",
            f"UTDF names turns by sides, and the side {what}.",
            "Give each leg the side of the junction on which it lies, each another.",
        )
    nodes = {leg: number for number, leg in enumerate(report.table.legs, start=_JUNCTION + 1)}
    legs = sorted(sides, key=lambda leg: _HEADINGS.index(heading_of(sides[leg])))
    sections: list[tuple[str, str, Rows]] = [
        ("Network", "Network Settings", [("RECORDNAME", "DATA"), ("Metric", 1)]),
        ("Nodes", "Node Data", _nodes(report, nodes, sides)),
        ("Links", "Link Data", _links(legs, nodes, sides)),
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


def _links(legs: list[str], nodes: dict[str, int], sides: dict[str, str]) -> Rows:
    yield "RECORDNAME", "INTID", *_HEADINGS
    leg_of = {heading_of(sides[leg]): leg for leg in legs}
    present = [leg_of.get(heading) for heading in _HEADINGS]
    yield "Up ID", _JUNCTION, *("" if leg is None else nodes[leg] for leg in present)
    yield "Name", _JUNCTION, *("" if leg is None else _plain(leg) for leg in present)


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
    yield "Volume", _JUNCTION, *volumes
    yield "PHF", _JUNCTION, *(factor for _ in lanes)
    yield "HeavyVehicles", _JUNCTION, *shares


def _plain(text: str) -> str:
    """Return a name without what ends a field, or begins a formula: readers of UTDF know no quotes."""
    plain = text.replace(",", " ").replace('"', "'").replace("[", "(").replace("]", ")")
    return f"'{plain}" if plain.startswith(("=", "+", "-", "@")) else plain
