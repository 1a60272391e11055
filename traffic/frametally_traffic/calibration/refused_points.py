"""Points that make no calibration: each is refused by one line that says which, and what to change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import combinations

import numpy as np

from frametally.errors import Misconfigured
from frametally_traffic.calibration.homography import Array, extent

_FAR = 1e8
"""No pixel, and no metre of a country's grid, is further away."""
IN_PICTURE, ON_GROUND = 0.01, 0.002
"""What is off a line by less than this part of the points' extent lies on it; a tenth of it is no distance.
In the picture it is about what a click is off; on the ground a far point makes all others look near."""


def check_points(pixels: Array, metres: Array, kind: str = "point", of: str = "") -> None:
    """Refuse what makes no matrix: four or more places of the picture and of the ground, shape (n, 2).

    Args:
        pixels: In the picture.
        metres: On the ground.
        kind: What one of them is called in the message.
        of: What stands behind its number there.

    Raises:
        Misconfigured: The first thing that is wrong, and what to change.
    """
    every = np.hstack([pixels, metres])
    for number in np.flatnonzero(~(np.abs(every) <= _FAR).all(axis=1)):
        raise Misconfigured(f"{kind} {number + 1}{of} has a coordinate that is no place: set it again")
    for where, places, part in (("in the picture", pixels, IN_PICTURE), ("on the ground", metres, ON_GROUND)):
        least = part * extent(places)
        for one, other in combinations(range(len(places)), 2):
            if np.hypot(*(places[one] - places[other])) <= least / 10:
                raise Misconfigured(
                    f"{kind}s {one + 1} and {other + 1}{of} are one place {where}: move or remove one of them"
                )
        for left_out in range(len(places)):
            others = np.delete(places, left_out, axis=0)
            width = np.linalg.svd(others - others.mean(axis=0), compute_uv=False)[1]
            if width / np.sqrt(len(others)) < least / 2:
                names = _named(number for number in range(len(places)) if number != left_out)
                raise Misconfigured(
                    f"{kind}s {names}{of} lie on one line {where}: set one of them beside that line"
                )
    _check_order(pixels, metres, kind, of)


def _check_order(pixels: Array, metres: Array, kind: str, of: str) -> None:
    """Refuse what no camera sees from above: three points go round the same way on the ground as in the view.

    A point behind the horizon turns all triangles round that it is part of, and no other; exchanged points
    turn others (HZ, chapter 21, cheirality).
    """
    turns = {
        three: turn(pixels, three, IN_PICTURE) * turn(metres, three, ON_GROUND)
        for three in combinations(range(len(pixels)), 3)
    }
    seen = {three: sense for three, sense in turns.items() if sense}
    if set(seen.values()) == {1}:
        raise Misconfigured(
            f"the {kind}s{of} are mirrored: y points to the left of x, from above; turn the sign of one axis"
        )
    if len(set(seen.values())) < 2:
        return
    for number in range(len(pixels)):
        with_it = {sense for three, sense in seen.items() if number in three}
        without = {sense for three, sense in seen.items() if number not in three}
        if len(with_it) == len(without) == 1 and with_it != without:
            raise Misconfigured(
                f"{kind} {number + 1}{of} is behind the horizon of the others: check its place and its metres"
            )
    if len(pixels) > 4:
        odd = Counter(number for three, sense in seen.items() if sense == 1 for number in three)
        names = " or ".join(str(number + 1) for number in sorted(odd) if odd[number] == max(odd.values()))
        raise Misconfigured(
            f"{kind} {names}{of} does not lie among the others as on the ground: check place and metres, "
            "and whether two are exchanged"
        )
    raise Misconfigured(
        f"the {kind}s{of} go round in another order on the ground than in the picture: set both alike"
    )


def turn(places: Array, three: tuple[int, int, int], part: float) -> int:
    """Return the sense in which three places go round, 1 or -1; 0 where they are about on one line."""
    a, b, c = places[[*three]]
    double_area = float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
    longest = max(np.hypot(*(b - a)), np.hypot(*(c - b)), np.hypot(*(a - c)))
    if not abs(double_area) > part * extent(places) * longest:
        return 0
    return 1 if double_area > 0 else -1


def _named(numbers: Iterable[int]) -> str:
    names = [str(number + 1) for number in numbers]
    return f"{', '.join(names[:-1])} and {names[-1]}"
