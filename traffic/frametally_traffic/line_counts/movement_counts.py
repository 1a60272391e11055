"""The answer of `/api/movements`: from which leg to which, and what became of all visits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from frametally_traffic.flows.day_columns import NO_MOVEMENTS
from frametally_traffic.line_counts import answers
from frametally_traffic.line_counts.answer_head import Answerable
from frametally_traffic.line_counts.flow_question import counted_lines
from frametally_traffic.line_counts.flow_sums import (
    Names,
    Rows,
    bar_of,
    chosen,
    count_rows,
    names_of,
    of_names,
    rows_of,
    within,
)


def count(head: dict[str, Any], found: Answerable | None) -> answers.JunctionMovements:
    """Return the movements of a junction, with the books of its visits."""
    if found is None:
        nothing = answers.VisitBooks(visits=0, assigned=0, unassigned=0, never_at_a_leg=0)
        return answers.JunctionMovements(**head, legs=[], movements=[], books=nothing)
    names = names_of(found.flows)
    edges = np.array(found.asked.edges_ms, np.int64)
    turns: Counter[tuple[int, ...]] = Counter()
    outcomes: Counter[tuple[int, ...]] = Counter()
    for rows in visits_of(found, names, legs=True):
        assigned = chosen(rows, rows["outcome"] == 0)
        turns.update(
            count_rows(
                bar_of(edges, assigned["time"]), assigned["from_leg"], assigned["to_leg"], assigned["label"]
            )
        )
        outcomes.update(count_rows(rows["outcome"]))
    books = {way: outcomes[code,] for code, way in enumerate(("assigned", *NO_MOVEMENTS))}
    return answers.JunctionMovements(
        **head,
        legs=counted_lines(found.asked, found.drawing, legs=True),
        movements=[
            answers.MovementBucket(
                start_ms=found.asked.edges_ms[bar],
                from_leg=names.lines[from_leg],
                to_leg=names.lines[to_leg],
                label=names.labels[label],
                visits=visits,
            )
            for (bar, from_leg, to_leg, label), visits in sorted(turns.items())
        ],
        books=answers.VisitBooks(visits=sum(outcomes.values()), **books),
    )


def visits_of(found: Answerable, names: Names, *, legs: bool) -> Iterator[Rows]:
    """Yield the visits of each day that are asked for; `legs`: of days alone that have some."""
    for day in found.flows:
        if day.legs or not legs:
            rows = within(rows_of(day, "visit", names), found.asked.from_ms, found.asked.to_ms)
            yield of_names(rows, "label", names.labels, found.asked.labels)
