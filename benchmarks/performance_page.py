"""Writes docs/performance.md from the committed results: `python benchmarks/performance_page.py`."""

from __future__ import annotations

from collections.abc import Sequence

from results import ROOT, Cell, Goal, Result, Table, load_all

PAGE = ROOT / "docs" / "performance.md"

_INTRO = """\
# Performance

Written by `python benchmarks/performance_page.py` from the files in `benchmarks/results/`; a test holds it
to them. Speeds are compared within one run, in rounds that take turns; the numbers are medians. An absolute
number says as much about the machine and what else it was doing as about frametally: read the ratios.
"""


def page(results: Sequence[Result]) -> str:
    """The page that says what `results` say."""
    return "\n".join([_INTRO, *(_section(result) for result in results)])


def _section(result: Result) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in sorted(result.packages.items()))
    lines = [f"## {result.title}", "", result.about, ""]
    lines += [
        f"Measured {result.date} on {result.cores} cores of {result.cpu} (load before: "
        f"{result.load_before}), commit {result.commit}, {packages}:",
        "",
        "```sh",
        result.command,
        "```",
        "",
    ]
    if result.goals:
        lines += _table(
            ["goal", "to reach", "measured", "reached"],
            [[goal.what, _bound(goal), goal.measured, _yes(goal)] for goal in result.goals],
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
    PAGE.write_text(page(load_all()), "utf-8")
    print(PAGE)
