"""Quarters of an hour: how much of each was seen, and why data is missing."""

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

    `covered_ms` of footage are 0 where that is not known; `is_measured`: objects were followed in it.
    """

    start_ms: int
    covered_ms: int
    is_measured: bool


class Quarter(NamedTuple):
    """A quarter of an hour, which starts at a multiple of 15 minutes.

    Objects were followed in `seen_ms` of it; `missing` says why nothing is known of it, None where something
    is.
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
        """Whether it counts as a whole quarter-hour."""
        return self.missing is None and self.seen_share >= WHOLE


def quarters_between(
    from_ms: int, to_ms: int, parts: Iterable[SeenPart], not_analysed: Iterable[tuple[int, int]] = ()
) -> tuple[Quarter, ...]:
    """Return every quarter that `[from_ms, to_ms)` touches, in order.

    Quarters are elapsed time: of an autumn night's hour that comes twice there are eight. `parts`: parts of
    quarters, none across a border of two. `not_analysed`: event times `[from, to)` that were filmed and are
    not counted.
    """
    seen_ms: dict[int, int] = {}
    analysed: set[int] = set()
    for part in parts:
        start_ms = quarter_of(part.start_ms)
        analysed.add(start_ms)
        if part.is_measured:
            seen_ms[start_ms] = seen_ms.get(start_ms, 0) + part.covered_ms
    waiting_starts = {start_ms for span in not_analysed for start_ms in quarter_starts(*span)}
    quarters = []
    for start_ms in quarter_starts(from_ms, to_ms):
        missing: Missing | None = None
        if not seen_ms.get(start_ms):
            missing = "no_footage"
            if start_ms in analysed:
                missing = "not_measured"
            elif start_ms in waiting_starts:
                missing = "not_analysed"
        quarters.append(Quarter(start_ms, min(seen_ms.get(start_ms, 0), QUARTER_MS), missing))
    return tuple(quarters)


def quarter_of(time_ms: int) -> int:
    """Return the start of a time's quarter-hour."""
    return time_ms - time_ms % QUARTER_MS


def quarter_starts(from_ms: int, to_ms: int) -> range:
    """Return the starts of the quarters that `[from_ms, to_ms)` touches."""
    return range(quarter_of(from_ms), to_ms, QUARTER_MS)


def whole_hours(quarters: Sequence[Quarter]) -> Iterator[tuple[Quarter, ...]]:
    """Yield every four whole quarters that follow each other: hours that begin at any quarter."""
    for index in range(len(quarters) - IN_HOUR + 1):
        hour = tuple(quarters[index : index + IN_HOUR])
        if all(quarter.is_whole for quarter in hour):
            yield hour
