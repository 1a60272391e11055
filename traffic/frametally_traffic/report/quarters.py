"""Quarters of an hour: how much of each was seen, and why nothing is known of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from frametally.rules.times import HOUR_MS

QUARTER_MS = HOUR_MS // 4
IN_HOUR = 4

Missing = Literal["no_footage", "not_analysed", "not_measured"]
"""Nothing was filmed; it was filmed and is not counted yet; it was analysed, but objects were not followed:
too few frames a second, or tracking was off."""

WHOLE = 0.99
"""A quarter of which so much was seen counts as whole: cameras lose a moment between two files."""


class SeenPart(NamedTuple):
    """What was filmed and analysed in some part of a quarter.

    Attributes:
        start_ms: Its start.
        covered_ms: Milliseconds of footage; 0 where that is not known.
        is_measured: Whether objects were followed in it.
    """

    start_ms: int
    covered_ms: int
    is_measured: bool


class Quarter(NamedTuple):
    """A quarter of an hour.

    Attributes:
        start_ms: Its start, a multiple of 15 minutes.
        seen_ms: Milliseconds of it in which objects were followed.
        missing: Why nothing is known of it; None where something is.
    """

    start_ms: int
    seen_ms: int
    missing: Missing | None = None

    @property
    def seen_share(self) -> float:
        """How much of it was seen, 0 to 1."""
        return self.seen_ms / QUARTER_MS

    @property
    def is_whole(self) -> bool:
        """Whether it may stand beside others as a quarter of an hour."""
        return self.missing is None and self.seen_share >= WHOLE


def quarters_between(
    from_ms: int, to_ms: int, seen: Iterable[SeenPart], not_analysed: Iterable[tuple[int, int]] = ()
) -> tuple[Quarter, ...]:
    """Return every quarter that `[from_ms, to_ms)` touches, in order.

    Quarters are elapsed time: of an autumn night's hour that comes twice there are eight.

    Args:
        from_ms: Event time.
        to_ms: Likewise.
        seen: Parts of quarters, none across a border of two.
        not_analysed: Event times `[from, to)` that were filmed and are not counted.
    """
    seen_ms: dict[int, int] = {}
    analysed: set[int] = set()
    for one in seen:
        start_ms = quarter_of(one.start_ms)
        analysed.add(start_ms)
        if one.is_measured:
            seen_ms[start_ms] = seen_ms.get(start_ms, 0) + one.covered_ms
    waiting = {start_ms for span in not_analysed for start_ms in quarter_starts(*span)}
    quarters = []
    for start_ms in quarter_starts(from_ms, to_ms):
        missing: Missing | None = None
        if not seen_ms.get(start_ms):
            missing = "no_footage"
            if start_ms in analysed:
                missing = "not_measured"
            elif start_ms in waiting:
                missing = "not_analysed"
        quarters.append(Quarter(start_ms, min(seen_ms.get(start_ms, 0), QUARTER_MS), missing))
    return tuple(quarters)


def quarter_of(time_ms: int) -> int:
    """Return the start of the quarter that a time lies in."""
    return time_ms - time_ms % QUARTER_MS


def quarter_starts(from_ms: int, to_ms: int) -> range:
    """Return the starts of the quarters that `[from_ms, to_ms)` touches."""
    return range(quarter_of(from_ms), to_ms, QUARTER_MS)


def whole_hours(quarters: Sequence[Quarter]) -> Iterator[tuple[Quarter, ...]]:
    """Yield every four whole quarters that follow each other: hours that begin at any quarter."""
    for at in range(len(quarters) - IN_HOUR + 1):
        hour = tuple(quarters[at : at + IN_HOUR])
        if all(quarter.is_whole for quarter in hour):
            yield hour
