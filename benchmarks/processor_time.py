"""What something took of processors and of the wall, and what it is beside the thing it is compared with."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from results import Cell


class Took(NamedTuple):
    """Seconds: of processors (of all processes that were started for it), and of the wall.

    Attributes:
        said: What a command has said.
    """

    cpu_s: float
    wall_s: float
    said: str = ""


def beside(ours: Sequence[Took], theirs: Sequence[Took]) -> list[Cell]:
    """Return medians of processor time, the rounds' ratios (median, least, most), medians of the wall."""
    ratios = [mine.cpu_s / other.cpu_s for mine, other in zip(ours, theirs, strict=True)]
    return [
        round(statistics.median(one.cpu_s for one in ours), 2),
        round(statistics.median(one.cpu_s for one in theirs), 2),
        round(statistics.median(ratios), 3),
        round(min(ratios), 3),
        round(max(ratios), 3),
        round(statistics.median(one.wall_s for one in ours), 2),
        round(statistics.median(one.wall_s for one in theirs), 2),
    ]
