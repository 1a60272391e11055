"""Which way a movement turns, told by the sides of a junction on which its two legs lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

Turn = Literal["l2", "l", "t", "r", "r2", "u"]
"""Left, through, right and back; `l2` and `r2` are the sharper of two lefts and of two rights."""

TURNS: tuple[Turn, ...] = ("l2", "l", "t", "r", "r2", "u")
SIDES = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")
"""As drawn legs have them: clockwise from north."""

_EIGHTHS = len(SIDES)


def heading_of(side: str) -> str:
    """Return the way that somebody heads who comes from a leg, as UTDF and traffic counts call approaches.

    Who comes from the south leg is northbound, `NB`; who comes from the south-west heads `NE`.
    """
    opposite = SIDES[(SIDES.index(side) + _EIGHTHS // 2) % _EIGHTHS]
    return f"{opposite}B" if len(opposite) == 1 else opposite


def turns_of(sides: Mapping[str, str | None]) -> dict[tuple[str, str], Turn]:
    """Return how each movement of a junction turns, by the leg that it comes over and that it goes over.

    Movements of legs whose side is not known are left out.

    Args:
        sides: Of each leg by its name.
    """
    known = {leg: side for leg, side in sides.items() if side is not None}
    turns: dict[tuple[str, str], Turn] = {}
    for from_leg, from_side in known.items():
        ways = {
            to_leg: (SIDES.index(to_side) - SIDES.index(from_side) - _EIGHTHS // 2) % _EIGHTHS
            for to_leg, to_side in known.items()
        }
        for to_leg, way in ways.items():
            turns[from_leg, to_leg] = "u" if to_leg == from_leg else _turn(way, ways.values())
    return turns


def _turn(way: int, ways: Iterable[int]) -> Turn:
    """Return the turn to a way, in eighths of a circle clockwise from straight on, among all there are."""
    ways = set(ways)
    if way == 0:
        return "t"
    if way == _EIGHTHS // 2:
        return "u"
    if way < _EIGHTHS // 2:
        rights = sorted(one for one in ways if 0 < one < _EIGHTHS // 2)
        return "r" if way == rights[0] else "r2"
    lefts = sorted((one for one in ways if one > _EIGHTHS // 2), reverse=True)
    return "l" if way == lefts[0] else "l2"
