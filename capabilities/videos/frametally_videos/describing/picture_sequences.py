"""Finds blank and repeated pictures in a video's sequence of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from frametally.rules.blank_stretches import BlankReason, blank_reasons
from frametally_videos.describing.picture_pass import PictureLook

Spans = list[tuple[float, float]]

STILL_CHANGE, STILL_PART_CHANGE = 0.1, 2.0
"""The change that encoding causes in a repeated picture: a tenth of a level overall, two in one part."""
_MOST_REPEATS = 4
"""Repeats of each picture if a camera's five frames a second are recorded at 25."""
_MOST_SPANS = 100


def looks_without_scene(looks: Sequence[PictureLook]) -> list[BlankReason | None]:
    """Return why each look is blank, by the rules for counted frames, or None if it is not.

    The last looks of a long video's stretches are also compared with each other. The first ones would not do:
    even in a frozen picture, the pixels of a key frame differ from those of later frames.
    """
    reasons = blank_reasons(looks) or []
    ends = [number for number, look in enumerate(looks) if number and not look.follows] + [len(looks)]
    last_looks = [looks[end - 1] for end in ends if end]
    first = 0
    for end, reason in zip(ends, blank_reasons(last_looks) or [], strict=False):
        if reason == "frozen":
            reasons[first:end] = [of_look or reason for of_look in reasons[first:end]]
        first = end
    return reasons


def repeated_looks(looks: Sequence[PictureLook]) -> list[bool]:
    """Return for each look whether it repeats the previous picture in the middle of movement."""
    is_repeat = [look.follows and not look.shows and _comes_again(look) for look in looks]
    repeats: list[bool] = []
    for value, run in groupby(is_repeat):
        length, number = len(list(run)), len(repeats)
        around = [*looks[max(0, number - 1) : number], *looks[number + length : number + length + 1]]
        moves = all(_part_change(look) > STILL_PART_CHANGE for look in around)
        repeats += [value and moves and length <= _MOST_REPEATS] * length
    return repeats


def spans(looks: Sequence[PictureLook], mask: Sequence[bool]) -> Spans:
    """Return the spans of looks in `mask`, from and to in seconds; the longest hundred, in order."""
    ranges: Spans = []
    number = 0
    for value, run in groupby(mask):
        length = len(list(run))
        if value:
            begin_s, last_s = looks[number].position_s, looks[number + length - 1].position_s
            after = number + length
            # The next look may be far away, in another stretch.
            end_s = looks[after].position_s if after < len(looks) and looks[after].follows else last_s
            ranges.append((round(begin_s, 3), round(max(end_s, last_s), 3)))
        number += length
    longest = sorted(ranges, key=lambda span: span[0] - span[1])[:_MOST_SPANS]
    return sorted(longest)


def _part_change(look: PictureLook) -> float:
    return float("inf") if look.largest_change is None else look.largest_change


def _comes_again(look: PictureLook) -> bool:
    is_same = look.mean_change is not None and look.mean_change <= STILL_CHANGE
    return is_same and _part_change(look) <= STILL_PART_CHANGE
