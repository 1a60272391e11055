"""Which label an object has whose boxes have several, by vote. Standard library only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from frametally_hadoop.job.tracks.following import TrackedBox, by_strength

_TWIN_OVERLAP = 0.5
"""Intersection over union from which on two boxes of one group are of one object.

A detector leaves out the weaker of two such boxes (from 0.45 on) only where both have one label. In the demo
clip the pairs of two labels have either less than 0.45 or more than 0.55.
"""


def one_per_object(sightings: Sequence[TrackedBox]) -> list[TrackedBox]:
    """Return a frame's boxes of one group in the order of `by_strength`, with weaker twins in the stronger.

    Whatever is seen as a car and, in the same place, as a truck is one object with two votes.
    """
    ordered = sorted(sightings, key=by_strength)
    if all(sighting.label == ordered[0].label for sighting in ordered):
        return ordered
    kept: list[TrackedBox] = []
    for sighting in ordered:
        for at, stronger in enumerate(kept):
            if stronger.label != sighting.label and _overlap(stronger, sighting) >= _TWIN_OVERLAP:
                kept[at] = stronger._replace(twins=(*stronger.twins, sighting))
                break
        else:
            kept.append(sighting)
    return kept


def counted_votes(sightings: Sequence[TrackedBox]) -> list[TrackedBox]:
    """Return the boxes that count, twins among them, by time."""
    votes = []
    for sighting in sightings:
        if sighting.is_counted:
            votes.append(sighting)
        if sighting.twins:
            votes += [twin for twin in sighting.twins if twin.is_counted]
    return votes


def tally(votes: Sequence[TrackedBox]) -> list[tuple[str, int, int]]:
    """Return `(label, boxes, confidence)` of the votes, the confidence summed in ten-thousandths.

    The first has won: the greatest confidence in all, of equal ones that of more boxes, then by name.
    """
    of_label: defaultdict[str, list[int]] = defaultdict(list)
    for vote in votes:
        of_label[vote.label].append(vote.confidence)
    return sorted(
        ((label, len(confidences), sum(confidences)) for label, confidences in of_label.items()),
        key=lambda entry: (-entry[2], -entry[1], entry[0]),
    )


def _overlap(one: TrackedBox, other: TrackedBox) -> float:
    across = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    down = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    if across <= 0 or down <= 0:
        return 0.0
    shared = across * down
    return shared / (one.width * one.height + other.width * other.height - shared)
