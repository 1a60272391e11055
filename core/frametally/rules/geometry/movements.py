"""Movements over a junction: from which leg to which. Standard library only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from frametally.rules.geometry.crossings import Crossing, Direction

NoMovement = Literal["unassigned", "never_at_a_leg"]
"""A visit that crosses a leg and makes no pair with another crossing; one that crosses none."""


class Movement(NamedTuple):
    """A visit came in over one leg and went out over another; over the same one, if it turned.

    Attributes:
        from_leg: Name of the leg's line.
        to_leg: Likewise.
        came: The crossing into the junction.
        went: The crossing out of it, later.
    """

    from_leg: str
    to_leg: str
    came: Crossing
    went: Crossing


class MovementBooks(NamedTuple):
    """What became of the visits; `assigned`, `unassigned` and `never_at_a_leg` add up to them.

    Attributes:
        turns: Visits by leg that they came over and leg that they went over.
        unassigned: See `NoMovement`.
        never_at_a_leg: Likewise.
    """

    turns: Mapping[tuple[str, str], int]
    unassigned: int
    never_at_a_leg: int

    @property
    def assigned(self) -> int:
        """Visits with a movement."""
        return sum(self.turns.values())


def movement_of(
    crossings: Mapping[str, Iterable[Crossing]], inward: Mapping[str, Direction]
) -> Movement | NoMovement:
    """Return the one movement of a visit: of its pairs of a way in and a later way out, that furthest apart.

    So it came by its first crossing in, and went by its last one out; of several at one time the leg whose
    name comes first is taken. Crossings that are not measured make no pair, but tell that it was at a leg.

    Args:
        crossings: Of the visit, by name of the leg's line.
        inward: Of each leg, the direction of who comes into the junction.
    """
    ways_in: list[tuple[int, str, Crossing]] = []
    ways_out: list[tuple[int, str, Crossing]] = []
    is_at_leg = False
    for leg in crossings:
        for crossing in crossings[leg]:
            is_at_leg = True
            if crossing.missing is None:
                if crossing.direction == inward[leg]:
                    ways_in.append((crossing.time_ms, leg, crossing))
                else:
                    ways_out.append((-crossing.time_ms, leg, crossing))
    if ways_in and ways_out:
        _, from_leg, came = min(ways_in)
        _, to_leg, went = min(ways_out)
        if came.time_ms < went.time_ms:
            return Movement(from_leg, to_leg, came, went)
    return "unassigned" if is_at_leg else "never_at_a_leg"


def book_movements(movements: Mapping[str, Movement | NoMovement]) -> MovementBooks:
    """Return the books of visits, by id of the visit."""
    turns: Counter[tuple[str, str]] = Counter()
    without: Counter[str] = Counter()
    for movement in movements.values():
        if isinstance(movement, Movement):
            turns[movement.from_leg, movement.to_leg] += 1
        else:
            without[movement] += 1
    return MovementBooks(dict(sorted(turns.items())), without["unassigned"], without["never_at_a_leg"])
