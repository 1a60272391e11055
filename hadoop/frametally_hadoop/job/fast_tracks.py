"""Finds the tracks of objects that move too far between two frames for their boxes to overlap.

Such an object leaves lone boxes: each begins a track and gets no second box. Four similar boxes that move on
evenly, frame by frame, are its track. Boxes that a detector finds by mistake do not line up so:
`docs/tracking.md` has the figures. Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from frametally_hadoop.job.following import Lone, Track

LEAST_CHAINED = 4
LEAST_FAST = 2
"""Boxes of an object that is too fast for a track, but no false alarm: those seldom line up."""
_MOST_IN_FRAME = 10
"""Of more lone boxes in one frame, some would line up by chance, and comparing them would take long."""
_HEIGHT_PARTS, _WIDTH_PARTS = 1.3, 1.5
"""Largest ratios of the heights and of the widths of two boxes in a row."""
_OFF_SIDE, _OFF_STEP = 0.25, 0.1
"""How far off its expected place a box may be: parts of its own side and of the step, added up."""


def chained(lone: Sequence[Lone]) -> tuple[list[Track], list[Track], list[Lone]]:
    """Return the tracks of fast objects, rows of two or three boxes, and the boxes in no track.

    `lone` are the lone boxes of one group of labels by time. Tracks that begin earlier are found first, and
    then longer ones; each box is in one track at most. After its second box, a track may miss one frame. An
    object that is too fast for a track leaves a row; the boxes of rows are also in the last answer.
    """
    frames = ((number, [*boxes]) for number, boxes in groupby(lone, key=itemgetter(0)))
    free = {number: boxes for number, boxes in frames if len(boxes) <= _MOST_IN_FRAME}
    ways: dict[int, list[list[Lone]]] = {}
    tracks = [*_take_tracks(free, LEAST_CHAINED, ways)]
    followed = {id(box) for track in tracks for box in track}
    rows = [*_take_tracks(free, LEAST_FAST, ways)]
    return tracks, rows, [alone for alone in lone if id(alone[-1]) not in followed]


def _take_tracks(
    free: Mapping[int, list[Lone]], least: int, ways: dict[int, list[list[Lone]]]
) -> Iterator[Track]:
    """Take tracks of at least `least` boxes out of those of each frame; yield them.

    `ways` has, by a first box, all that could be its track: what one call compared, the next one need not. A
    way whose boxes are all free is the same way whatever else was taken.
    """
    for number in sorted(free):
        if number + 1 not in free:
            continue  # true of most lone boxes
        if least > LEAST_FAST and not (number + 2 in free or number + 3 in free):
            continue
        for first in [*free[number]]:
            candidates = ways.get(id(first))
            if candidates is None or not all(alone in free[alone[0]] for way in candidates for alone in way):
                candidates = [
                    _onward(first, second, free) for second in free[number + 1] if _is_next(first, second)
                ]
                ways[id(first)] = candidates
            longest = max(candidates, key=len, default=[])
            if len(longest) >= least:
                for alone in longest:
                    free[alone[0]].remove(alone)
                yield [box for *_, box in longest]


def _is_next(first: Lone, second: Lone) -> bool:
    """Return whether a box is alike, and clear of the earlier one: one that trembles in its place is not."""
    _, _, x, y, width, height, _ = first
    _, _, other_x, other_y, other_width, other_height, _ = second
    return (
        (
            abs(x - other_x) >= width + other_width  # doubled, as the centres are
            or abs(y - other_y) >= height + other_height
        )
        and 0 < height <= _HEIGHT_PARTS * other_height
        and other_height <= _HEIGHT_PARTS * height
        and 0 < width <= _WIDTH_PARTS * other_width
        and other_width <= _WIDTH_PARTS * width
    )


def _onward(first: Lone, second: Lone, free: Mapping[int, list[Lone]]) -> list[Lone]:
    """Return the boxes from two on that move on as these do.

    The next box is the one that is least off the place that the last step leads to, in its own sides.
    """
    track = [first, second]
    _, before_ms, before_x, before_y, _, _, _ = first
    number, last_ms, last_x, last_y, last_width, last_height, _ = second
    ahead = number + 1
    while ahead <= number + 2:
        boxes = free.get(ahead)
        least_off, following = 0.0, None
        if boxes:
            steps = (boxes[0][1] - last_ms) / (last_ms - before_ms)
            step_x = (last_x - before_x) * steps
            slack_x = _OFF_STEP * abs(step_x)
            for alone in boxes:
                _, _, x, y, width, height, _ = alone
                off_x = abs(x - last_x - step_x)
                if off_x > 2 * _OFF_SIDE * width + slack_x:
                    continue  # true of most boxes
                step_y = (last_y - before_y) * steps
                off_y = abs(y - last_y - step_y)
                if (
                    off_y <= 2 * _OFF_SIDE * height + _OFF_STEP * abs(step_y)
                    and 0 < last_height <= _HEIGHT_PARTS * height
                    and height <= _HEIGHT_PARTS * last_height
                    and 0 < last_width <= _WIDTH_PARTS * width
                    and width <= _WIDTH_PARTS * last_width
                    and (following is None or off_x / width + off_y / height < least_off)
                ):
                    least_off, following = off_x / width + off_y / height, alone
        if following is None:
            ahead += 1
            continue
        track.append(following)
        before_x, before_y, before_ms = last_x, last_y, last_ms
        number, last_ms, last_x, last_y, last_width, last_height, _ = following
        ahead += 1
    return track
