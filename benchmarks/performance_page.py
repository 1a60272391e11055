"""Writes two pages from the committed results: `python benchmarks/performance_page.py`.

`docs/performance.md` has ten of their figures, `benchmarks/results/performance-results.md` all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from results import ROOT, Cell, Goal, Result, Table, load_all

FRONT = ROOT / "docs" / "performance.md"
PAGE = ROOT / "benchmarks" / "results" / "performance-results.md"


class Figure(NamedTuple):
    """A row of the front page: a figure of a result, and another of the same run for comparison.

    The figure is in the `row` and `column` of a `table`, and is compared with the row `beside`; with an empty
    `table`, it is the goal `row`, and is compared with its bound.
    """

    what: str
    result: str
    table: str
    row: str
    column: str
    beside: str
    beside_what: str


FIGURES = (
    Figure(
        "detector on a CPU with AMX, INT8 (frames/s)", "detectors-amx",
        "Speed and memory", "openvino int8", "frames/s", "opencv f32", "OpenCV DNN, the same network in f32",
    ),
    Figure(
        "detector on a CPU without AMX, INT8 (frames/s)", "detectors",
        "Speed and memory", "openvino int8", "frames/s", "opencv f32", "OpenCV DNN, the same network in f32",
    ),
    Figure(
        "video file to segments, with AMX (frames/s)", "end_to_end-amx",
        "Frames a second", "video file to segments, OpenVINO int8", "frames/s, or part",
        "the bound", "what the CPU time of all stages allows at most",
    ),
    Figure(
        "video file to segments, with AMX (frames/s)", "end_to_end-amx",
        "Frames a second", "video file to segments, OpenVINO int8", "frames/s, or part",
        "one image at a time, OpenCV f32", "a loop over pictures with OpenCV",
    ),
    Figure(
        "counting 2,000,000 frames (CPU s)", "aggregation-2000000",
        "Engines", "frametally, inline", "CPU s", "plain msgspec loop", "a plain loop with the same result",
    ),
    Figure(
        "counting 2,000,000 frames (wall s)", "aggregation-2000000",
        "Engines", "frametally, inline", "wall s", "PySpark DataFrames", "PySpark DataFrames",
    ),
    Figure(
        "counting 2,000,000 frames (wall s)", "aggregation-2000000",
        "Engines", "frametally, inline", "wall s", "DuckDB", "DuckDB",
    ),
    Figure(
        "tracking, 10 boxes a frame (frames/s of one core)", "tracking",
        "Speed, 10 boxes a frame", "frametally", "frames a second",
        "trackers 2.6.1, ByteTrack", "ByteTrack of trackers 2.6.1",
    ),
    Figure(
        "slowest chart over 100 million detections, p95 (ms)", "dashboard",
        "", "p95 of the slowest kind of chart (ms)", "", "", "the goal",
    ),
    Figure(
        "click on a bar to its first frame, worst (ms)", "dashboard_page",
        "", "click on a bar to its first frame, worst (ms)", "", "", "the goal",
    ),
)  # fmt: skip

FLEET = (
    "aggregation_late", "aggregation_late-2000000", "late_writes", "aggregation-spark", "planning_scale",
    "dashboard_indexes", "frame_packs", "uploads", "playback", "fleet",
)  # fmt: skip
"""The results whose goals concern a large fleet."""

_FRONT_INTRO = """\
# Performance

See how fast frametally is. Each row compares two figures of the same run on the same machine, and names
the command that measures both. Read the ratios: an absolute number says as much about the machine (two
cores) as about frametally.

```sh
make .venv/dev                      # in a checkout, once: the packages that benchmarks need
python benchmarks/detectors.py      # each command writes its result to benchmarks/results/
```

[All results](../benchmarks/results/performance-results.md) shows how each figure was measured, with
which options, and which goals were missed. `python benchmarks/performance_page.py` writes both pages
from the results, and a test compares them.
"""

_FLEET_INTRO = """\
## Goals for a large fleet

What [a thousand cameras](fleet.md) need of one installation, reached or not.
"""

_GOAL_COLUMNS = ["goal", "to reach", "measured", "reached"]

_INTRO = """\
# Performance: all results

[Performance](../../docs/performance.md) shows ten of these results in one table. A benchmark compares
speeds within one run, in rounds that take turns, and reports medians. Read the ratios: an absolute number
says as much about the machine, and what else it was doing, as about frametally.
"""


def front(results: Sequence[Result]) -> str:
    """Return the page of ten figures and a large fleet's goals.

    Raises `KeyError` if a figure's result, table, row or column is missing.
    """
    by_name = {result.name: result for result in results}
    columns = ["what", "frametally", "beside", "ratio", "command"]
    rows = [_figure(figure, by_name[figure.result]) for figure in FIGURES]
    goals: list[list[Cell]] = [
        [by_name[name].title, goal.what, _bound(goal), goal.measured, _yes(goal), _script(by_name[name])]
        for name in FLEET
        for goal in by_name[name].goals
    ]
    of_fleet = _table(["what", *_GOAL_COLUMNS, "command"], goals)
    return "\n".join([_FRONT_INTRO, *_table(columns, rows), _FLEET_INTRO, *of_fleet])


def _figure(figure: Figure, result: Result) -> list[Cell]:
    if figure.table:
        table = {table.title: table for table in result.tables}[figure.table]
        column = table.columns.index(figure.column)
        values = {row[0]: row[column] for row in table.rows}
        measured, beside = values[figure.row], values[figure.beside]
    else:
        goal = {goal.what: goal for goal in result.goals}[figure.row]
        measured, beside = goal.measured, goal.at_most
    assert isinstance(measured, int | float)  # noqa: S101
    assert isinstance(beside, int | float)  # noqa: S101
    named = f"{_cell(beside)}: {figure.beside_what}"
    return [figure.what, measured, named, f"{measured / beside:.2f}", _script(result)]


def _script(result: Result) -> str:
    return f"`{' '.join(result.command.split()[:2])}`"


def page(results: Sequence[Result]) -> str:
    """Return the page of all `results`."""
    return "\n".join([_INTRO, *(_section(result) for result in results)])


def _section(result: Result) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in sorted(result.packages.items()))
    lines = [f"## {result.title}", "", result.about, ""]
    lines += [
        f"Measured {result.date} on {result.cores} cores of {result.cpu} (load before: "
        f"{result.load_before}), commit {', '.join(filter(None, [result.commit, packages]))}:",
        "",
        "```sh",
        result.command,
        "```",
        "",
    ]
    if result.goals:
        lines += _table(
            _GOAL_COLUMNS, [[goal.what, _bound(goal), goal.measured, _yes(goal)] for goal in result.goals]
        )
    for table in result.tables:
        lines += _titled(table)
    return "\n".join(lines)


def _titled(table: Table) -> list[str]:
    lines = [f"### {table.title}", ""]
    if table.note:
        lines += [table.note, ""]
    return lines + _table(table.columns, table.rows)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[str]:
    head = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    return head + [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows] + [""]


def _cell(cell: Cell) -> str:
    if cell is None:
        return ""
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:,.4g}" if isinstance(cell, float) else cell


def _bound(goal: Goal) -> str:
    bounds = [f"≥ {goal.at_least:g}"] if goal.at_least is not None else []
    bounds += [f"≤ {goal.at_most:g}"] if goal.at_most is not None else []
    return ", ".join(bounds)


def _yes(goal: Goal) -> str:
    return "yes" if goal.is_reached else "**no**"


if __name__ == "__main__":
    FRONT.write_text(front(load_all()), "utf-8")
    PAGE.write_text(page(load_all()), "utf-8")
    print(FRONT, PAGE)
