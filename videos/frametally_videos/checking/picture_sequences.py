"""Checks of pictures in their order: which are black, stand still, or come twice; plain values in and out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, groupby

from frametally_videos.checking.picture_pass import PictureLook

Spans = list[tuple[float, float]]

STILL_CHANGE, STILL_PART_CHANGE = 0.1, 2.0
"""What coding changes of a picture that comes again: of all of it a tenth of a level, of one part two."""
_EXACT_CHANGE, _QUIET_PART_CHANGE = 0.001, 5.0
"""A picture that stands is, for half of the frames at least, the same bit by bit; some are coded
anew, which changes a part by up to five levels. A camera's noise always changes something."""
FROZEN_S = 5.0
_ENOUGH_S = FROZEN_S - 1e-6
_LEAST_STEPS = 5
_MOST_REPEATS = 4
"""Frames that show one picture again, where a camera of five frames a second is recorded at 25."""
_MOST_SPANS = 100


def black_looks(looks: Sequence[PictureLook]) -> list[bool]:
    """Return of each look whether it is black."""
    return [look.is_black for look in looks]


def frozen_looks(looks: Sequence[PictureLook]) -> list[bool]:
    """Return of each look whether it is of a picture that stands still for `FROZEN_S`; black ones are not."""
    frozen = [False] * len(looks)
    exact = list(
        accumulate((look.mean_change is not None and look.mean_change <= _EXACT_CHANGE) for look in looks)
    )
    began = last = 0
    for number, look in enumerate(looks):
        if look.is_black or _part_change(look) > _QUIET_PART_CHANGE:
            began = number
            continue
        # The shortest time that is long enough and ends here.
        while began < number and look.position_s - looks[began + 1].position_s >= _ENOUGH_S:
            began += 1
        steps = number - began
        is_long = steps >= _LEAST_STEPS and look.position_s - looks[began].position_s >= _ENOUGH_S
        if is_long and 2 * (exact[number] - exact[began]) >= steps:
            last = max(last, began)
            frozen[last : number + 1] = [True] * (number + 1 - last)
            last = number
    return frozen


def repeated_looks(looks: Sequence[PictureLook], frozen: Sequence[bool]) -> list[bool]:
    """Return of each look whether it shows the picture before it again, in the midst of movement."""
    again = [
        look.follows and not look.is_black and not stands and _comes_again(look)
        for look, stands in zip(looks, frozen, strict=True)
    ]
    found: list[bool] = []
    for value, run in groupby(again):
        length, number = len(list(run)), len(found)
        around = [*looks[max(0, number - 1) : number], *looks[number + length : number + length + 1]]
        moves = all(_part_change(look) > STILL_PART_CHANGE for look in around)
        found += [value and moves and length <= _MOST_REPEATS] * length
    return found


def spans(looks: Sequence[PictureLook], chosen: Sequence[bool]) -> Spans:
    """Return where looks were chosen, from and to, seconds; the longest hundred, in their order."""
    found: Spans = []
    number = 0
    for value, run in groupby(chosen):
        length = len(list(run))
        if value:
            begin_s, last_s = looks[number].position_s, looks[number + length - 1].position_s
            after = number + length
            # The next look may be far away, in another stretch.
            end_s = looks[after].position_s if after < len(looks) and looks[after].follows else last_s
            found.append((round(begin_s, 3), round(max(end_s, last_s), 3)))
        number += length
    longest = sorted(found, key=lambda span: span[0] - span[1])[:_MOST_SPANS]
    return sorted(longest)


def _part_change(look: PictureLook) -> float:
    return float("inf") if look.largest_change is None else look.largest_change


def _comes_again(look: PictureLook) -> bool:
    is_same = look.mean_change is not None and look.mean_change <= STILL_CHANGE
    return is_same and _part_change(look) <= STILL_PART_CHANGE
