"""Compares two sides bar by bar, over the bars that both have seen, largest differences first."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

BarT = TypeVar("BarT", bound=Hashable)
MeasuredT = TypeVar("MeasuredT")
_MeasuredT_co = TypeVar("_MeasuredT_co", covariant=True)

MEASURES = ("detections", "peak", "objects")
"""The measures that two models are compared by, the most important first."""


class ComparedSide(Protocol[BarT, _MeasuredT_co]):
    """One side of a comparison: the bars that it has seen, the labels found in them, and their counts."""

    @property
    def coverage(self) -> Collection[BarT]:
        """Bars with footage."""

    @property
    def counts(self) -> Collection[tuple[BarT, str]]:
        """Bars with the labels found in them; other labels have a count of zero there."""

    def measured(self, bar: BarT, label: str) -> _MeasuredT_co:
        """Return the count of a label in a bar that was seen, even if it is zero."""


class Pair(NamedTuple, Generic[BarT, MeasuredT]):
    """A bar of one label on both sides."""

    bar: BarT
    label: str
    a: MeasuredT
    b: MeasuredT


def pairs(a: ComparedSide[BarT, MeasuredT], b: ComparedSide[BarT, MeasuredT]) -> list[Pair[BarT, MeasuredT]]:
    """Return both sides' counts in the bars that both have seen; other bars are gaps, not differences."""
    common_bars = {*a.coverage} & {*b.coverage}
    return [
        Pair(bar, label, a.measured(bar, label), b.measured(bar, label))
        for bar, label in {*a.counts} | {*b.counts}
        if bar in common_bars
    ]


def most_apart(
    compared: Iterable[Pair[BarT, MeasuredT]], measures: Sequence[str] = MEASURES
) -> list[Pair[BarT, MeasuredT]]:
    """Return the pairs that differ in any measure, the largest differences first, ties in input order.

    The first measure weighs most. A measure that is unknown (None) on a side does not differ.
    """
    apart = [([_apart(pair.a, pair.b, measure) for measure in measures], pair) for pair in compared]
    differ = [(by, pair) for by, pair in apart if any(by)]
    return [pair for _, pair in sorted(differ, key=lambda item: item[0], reverse=True)]


def _apart(a: Any, b: Any, measure: str) -> float:
    of_a, of_b = getattr(a, measure), getattr(b, measure)
    return 0 if of_a is None or of_b is None else float(abs(of_b - of_a))
