"""Computes IDF1: the share of true and found boxes that belong to the right identity throughout.

Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking" (2016): each
true identity is paired with at most one found identity so as to maximise the number of frames in which the
two overlap by half; IDF1 = 2 * those frames / (true boxes + boxes found).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

Box = tuple[float, float, float, float]
"""Left, top, width, height, in pixels."""

Boxes = Mapping[int, Sequence[tuple[int, Box]]]
"""By frame, `(identity, box)`."""


def idf1(truth: Boxes, found: Boxes, *, least_overlap: float = 0.5) -> float:
    """Return the IDF1 of `found` over the frames of `truth`, 0 to 1."""
    together: Counter[tuple[int, int]] = Counter()
    boxes = 0
    for frame, true_boxes in truth.items():
        found_boxes = found.get(frame, ())
        boxes += len(true_boxes) + len(found_boxes)
        for true_id, true_box in true_boxes:
            for found_id, found_box in found_boxes:
                together[true_id, found_id] += overlap(true_box, found_box) >= least_overlap
    true_ids = sorted({true_id for true_id, _ in together})
    found_ids = sorted({found_id for _, found_id in together})
    gains = [[together[true_id, found_id] for found_id in found_ids] for true_id in true_ids]
    return 2 * greatest_sum(gains) / boxes if boxes else 1.0


def overlap(one: Box, other: Box) -> float:
    """Return the intersection over union."""
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if across <= 0 or down <= 0:
        return 0.0
    return across * down / (one[2] * one[3] + other[2] * other[3] - across * down)


def greatest_sum(gains: Sequence[Sequence[int]]) -> int:
    """Return the greatest sum of `gains[i][j]` that uses each row and each column at most once.

    The Hungarian method with potentials (Kuhn, Munkres), row by row.
    """
    if not gains or not gains[0]:
        return 0
    if len(gains) > len(gains[0]):
        gains = list(zip(*gains, strict=True))
    rows, columns = len(gains), len(gains[0])
    row_of = [0] * (columns + 1)  # rows and columns count from 1; 0 means none
    row_price, column_price = [0] * (rows + 1), [0] * (columns + 1)
    for row in range(1, rows + 1):
        row_of[0], column = row, 0
        slack: list[float] = [float("inf")] * (columns + 1)
        came_from, visited = [0] * (columns + 1), [False] * (columns + 1)
        while row_of[column]:
            visited[column] = True
            here = row_of[column]
            for other in range(1, columns + 1):
                if not visited[other]:
                    cost = -gains[here - 1][other - 1] - row_price[here] - column_price[other]
                    if cost < slack[other]:
                        slack[other], came_from[other] = cost, column
            step, column = min((slack[other], other) for other in range(1, columns + 1) if not visited[other])
            for other in range(columns + 1):
                if visited[other]:
                    row_price[row_of[other]] += int(step)
                    column_price[other] -= int(step)
                else:
                    slack[other] -= step
        while column:
            row_of[column] = row_of[came_from[column]]
            column = came_from[column]
    return sum(gains[row_of[column] - 1][column - 1] for column in range(1, columns + 1) if row_of[column])
