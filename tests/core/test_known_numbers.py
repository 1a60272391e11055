"""Every number of a bar or a range has a row in the guarantees: it is known, or null with its reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from tests.capabilities import HERE

from frametally.rules.known import Missing

PAGE = (Path(__file__).resolve().parents[2] / "docs/guarantees.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| Null, never 0: (.+?) \| `tests/.+ \|$", PAGE, re.MULTILINE)

ANSWERS = {
    "frametally_web.charts.answers": ("CountBucket", "Total", "WeekCell", "BusyInterval", "WeekBefore"),
    "frametally_web.compare.answers": ("LabelDifference", "BarDifference"),
    "frametally_traffic.line_counts.answers": (
        "CrossingBucket",
        "CrossingTotal",
        "ZoneBucket",
        "CountedZone",
        "MovementBucket",
        "VisitBooks",
        "LabelSpeeds",
    ),
    "frametally_traffic.report_files.answers": (
        "JunctionLeg",
        "TrafficClass",
        "TrafficQuarter",
        "TrafficPeak",
        "TrafficTotals",
    ),
}
NO_COUNTS = {
    "start_ms",
    "end_ms",
    "from_ms",
    "to_ms",
    "weekday",
    "hour",
    "width_px",
    "height_px",
    "points",
    "busiest_ms",
    "intervals",
    "of_intervals",
}
"""Times, drawings and numbers of intervals, which are known in every answer."""


def numbers_of(kind: type[Any]) -> Iterator[str]:
    """Yield the fields of an answer that hold numbers."""
    for field, form in get_type_hints(kind).items():
        name = field.removeprefix("other_")  # the same number on the other side of a comparison
        if name not in NO_COUNTS and {int, float} & {*get_args(form), form}:
            yield name


@pytest.mark.parametrize("module", ANSWERS)
def test_each_number_of_an_answer_has_a_row(module: str) -> None:
    component = module.partition(".")[0].removeprefix("frametally_")
    if component not in {*HERE, "web"}:
        pytest.skip(f"needs {component}")
    answers = import_module(module)
    in_rows = {name for row in ROWS for name in re.findall(r"`(\w+)`", row)}
    for name in ANSWERS[module]:
        kind = getattr(answers, name)
        assert issubclass(kind, msgspec.Struct)
        assert {f"{name}.{field}" for field in numbers_of(kind) if field not in in_rows} == set()


def test_each_number_of_an_export_has_a_row() -> None:
    from frametally_web.exports import rows

    columns = [part for part in vars(rows).values() if isinstance(part, (list, tuple))]
    names = {
        column.name.removeprefix("other_").removeprefix("difference_")
        for of_table in columns
        for column in of_table
        if isinstance(column, rows.Column) and column.kind in ("whole", "real")
    }
    assert names
    in_rows = {name for row in ROWS for name in re.findall(r"`(\w+)`", row)}
    assert names - in_rows - NO_COUNTS == set()


def test_each_reason_has_a_row() -> None:
    in_rows = {reason for row in ROWS for reason in re.findall(r"\*(\w+)\*", row)}
    assert in_rows == {*get_args(Missing), "no_legs"}  # the last only of movements
