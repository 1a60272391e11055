"""Recognises what stood in its place before a gap in the footage, and still does. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from frametally.rules.places import Size
from frametally_hadoop.job.following import TrackedBox, overlap_of
from frametally_hadoop.job.mending import never_moves
from frametally_hadoop.job.paths import TrackEdges
from frametally_hadoop.job.sizes import size_of

if TYPE_CHECKING:
    from frametally_hadoop.job.visits import Visit

_SAME_PLACE = 0.8
"""Intersection over union from which on two boxes are of one place. Boxes of a parked car jitter less; a car
that parks where another stood seldom takes its place so exactly."""


def stood_before(
    visits: Sequence[Visit], edges: Mapping[Size, TrackEdges], group_of: Mapping[str, str]
) -> set[int]:
    """Return the numbers of visits whose object stood in the same place as the footage before ended.

    Neither moves, both have one label or labels of one group, and one is there up to the gap, the other from
    it on. The greatest overlap is taken first, each visit once; of equal ones the earlier visits.
    """
    ended: dict[tuple[Size, str, int], list[int]] = {}
    began: dict[tuple[Size, str, int], list[int]] = {}
    places: dict[int, TrackedBox] = {}
    for number, visit in enumerate(visits):
        first, last = visit.sightings[0], visit.sightings[-1]
        shape, group = size_of(first.frame), group_of.get(visit.label, visit.label)
        since, until = edges[shape].gap_before(first), edges[shape].gap_after(last)
        if (since or until) and never_moves(visit.sightings):
            places[number] = _place(visit.sightings)
            for gap, at_gap in ((since, began), (until, ended)):
                if gap:
                    at_gap.setdefault((shape, group, gap), []).append(number)
    pairs = [
        (-overlap, before, after)
        for gap, numbers in began.items()
        for after in numbers
        for before in ended.get(gap, ())
        if (overlap := overlap_of(places[before], places[after])) >= _SAME_PLACE
    ]
    used: set[int] = set()
    same: set[int] = set()
    for _, before, after in sorted(pairs):
        if before not in used and after not in same:
            used.add(before)
            same.add(after)
    return same


def _place(sightings: Sequence[TrackedBox]) -> TrackedBox:
    """Return a box of its medians."""
    sides = zip(*((box.left, box.top, box.width, box.height) for box in sightings), strict=True)
    left, top, width, height = (sorted(side)[len(sightings) // 2] for side in sides)
    return sightings[0]._replace(left=left, top=top, width=width, height=height)
