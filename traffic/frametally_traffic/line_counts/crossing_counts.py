"""The answer of `/api/crossings`: who crossed which line, per bar, line and label."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from frametally_traffic.flows.day_columns import CROSSINGS_MISSING, DIRECTIONS
from frametally_traffic.geometry.crossings import LineCounts
from frametally_traffic.line_counts import answers
from frametally_traffic.line_counts.answer_head import Answerable
from frametally_traffic.line_counts.flow_question import check_place, counted_lines
from frametally_traffic.line_counts.flow_sums import (
    Names,
    Rows,
    bar_of,
    count_rows,
    names_of,
    of_names,
    rows_of,
    within,
)

_NOT_MEASURED = len(DIRECTIONS)


def count(head: dict[str, Any], found: Answerable | None, lines: Sequence[str]) -> answers.LineCrossings:
    """Return the crossings of `lines`; of all where none is named.

    Raises:
        Problem: 400, if no such line is drawn over the source.
    """
    if found is None:
        return answers.LineCrossings(**head, lines=[], crossings=[], totals=[])
    check_place("line", [*lines], found.drawing.lines)
    names = names_of(found.flows)
    edges = np.array(found.asked.edges_ms, np.int64)
    bars: Counter[tuple[int, ...]] = Counter()
    reasons: Counter[tuple[int, ...]] = Counter()
    for rows in crossings_of(found, names, lines):
        # A number for each way, and one more for those that are not measured.
        way = np.where(rows["missing"] > 0, _NOT_MEASURED, rows["direction"])
        bars.update(count_rows(bar_of(edges, rows["time"]), rows["line"], rows["label"], way))
        reasons.update(count_rows(rows["line"], rows["label"], rows["missing"]))
    by_bar: defaultdict[tuple[int, int, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    totals: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    for (bar, line, label, kind), number in bars.items():
        by_bar[bar, line, label][kind] += number
        totals[line, label][kind] += number
    return answers.LineCrossings(
        **head,
        lines=[one for one in counted_lines(found.asked, found.drawing) if one.name in lines or not lines],
        crossings=[
            answers.CrossingBucket(
                start_ms=found.asked.edges_ms[bar],
                line=names.lines[line],
                label=names.labels[label],
                **LineCounts(*ways)._asdict(),
            )
            for (bar, line, label), ways in sorted(by_bar.items())
        ],
        totals=[
            _total(names, line, label, LineCounts(*ways), reasons)
            for (line, label), ways in sorted(totals.items())
        ],
    )


def crossings_of(found: Answerable, names: Names, lines: Sequence[str]) -> Iterator[Rows]:
    """Yield the crossings of each day that are asked for: of `lines` (none: all), labels and the range."""
    for day in found.flows:
        rows = within(rows_of(day, "crossing", names), found.asked.from_ms, found.asked.to_ms)
        rows = of_names(rows, "line", names.lines, lines)
        yield of_names(rows, "label", names.labels, found.asked.labels)


def _total(
    names: Names, line: int, label: int, counts: LineCounts, reasons: Counter[tuple[int, ...]]
) -> answers.CrossingTotal:
    why = ((reason, reasons[line, label, code]) for code, reason in enumerate(CROSSINGS_MISSING, start=1))
    return answers.CrossingTotal(
        line=names.lines[line],
        label=names.labels[label],
        **counts._asdict(),
        gross=counts.gross,
        net=counts.net,
        reasons=[answers.CrossingReason(reason=reason, count=number) for reason, number in why if number],
    )
