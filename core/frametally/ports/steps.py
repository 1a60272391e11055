"""Pre-aggregated steps: reads a range of event time with as few and as long stored steps as possible.

A count index may keep sums of longer steps beside its base intervals. A step serves a query if it divides the
bars and their offset; the ends of the range, where a step would reach beyond it, are read by shorter ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from frametally.rules.times import DAY_S, HOUR_S
from frametally.rules.week_parts import WeekParts

ROLLED_STEPS_S = (900, HOUR_S, DAY_S)
"""Quarters of an hour (every zone's offset is a multiple of one), hours and days; the longest is a run's."""


class Piece(NamedTuple):
    """A part of a range and the step that it is read by; None leaves that end open."""

    step_s: int
    from_ms: int | None
    to_ms: int | None


def rolled_steps(base_interval_s: int) -> list[int]:
    """Return the steps that are kept beside a base interval, shortest first, in seconds."""
    return [step for step in ROLLED_STEPS_S if step > base_interval_s and step % base_interval_s == 0]


def usable_steps(
    base_interval_s: int, interval_s: int, offset_ms: int = 0, week_parts: WeekParts = ()
) -> list[int]:
    """Return the base interval and its steps that divide bars, their offset and the parts of the week."""
    rolled = [
        step
        for step in rolled_steps(base_interval_s)
        if interval_s % step == 0
        and offset_ms % (step * 1000) == 0
        and all(border_ms % (step * 1000) == 0 for part in week_parts for border_ms in part)
    ]
    return [base_interval_s, *rolled]


def pieces(steps_s: Sequence[int], from_ms: int | None, to_ms: int | None) -> list[Piece]:
    """Cut `[from_ms, to_ms)` into pieces, in order, together the whole of it and nothing twice.

    The steps are given shortest first, each a multiple of the one before; the first reads any range.
    """
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        return []
    *shorter, step_s = steps_s
    if not shorter:
        return [Piece(step_s, from_ms, to_ms)]
    step_ms = step_s * 1000
    first_ms = None if from_ms is None else -(-from_ms // step_ms) * step_ms
    next_ms = None if to_ms is None else to_ms // step_ms * step_ms
    if first_ms is not None and next_ms is not None and first_ms >= next_ms:
        return pieces(shorter, from_ms, to_ms)
    before = [] if first_ms == from_ms else pieces(shorter, from_ms, first_ms)
    after = [] if next_ms == to_ms else pieces(shorter, next_ms, to_ms)
    return [*before, Piece(step_s, first_ms, next_ms), *after]
