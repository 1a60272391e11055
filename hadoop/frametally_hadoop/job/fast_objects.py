"""Follows objects that move too far between two frames for their boxes to overlap. Standard library only.

Such an object leaves boxes that each begin a track and get no second box. Four of them that are alike and
move on evenly, frame by frame, are its track. Boxes that a detector finds by mistake do not line up so:
`docs/tracking.md` has the figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from frametally_hadoop.job.following import Track, TrackedBox

_LEAST_BOXES = 4
_MOST_IN_FRAME = 10
"""Of more lone boxes in one frame, some would line up by chance, and comparing them would take long."""
_HEIGHT_PARTS, _WIDTH_PARTS = 1.3, 1.5
"""Largest ratios of the heights and of the widths of two boxes in a row."""
_OFF_SIDE, _OFF_STEP = 0.25, 0.1
"""How far off its expected place a box may be: parts of its own side and of the step, added up."""


def chained(lone: Sequence[TrackedBox], times_ms: Iterable[int]) -> tuple[list[Track], list[TrackedBox]]:
    """Return the tracks of fast objects, and the lone boxes that are in none.

    `lone` are the lone boxes of one group of labels by time, `times_ms` the times of all frames. Tracks that
    begin earlier are found first, and then longer ones; each box is in one track at most. After its second
    box, a track may miss one frame.
    """
    if len(lone) < _LEAST_BOXES:
        return [], [*lone]
    place = {time_ms: number for number, time_ms in enumerate(times_ms)}
    by_frame: defaultdict[int, list[TrackedBox]] = defaultdict(list)
    for box in lone:
        by_frame[place[box.time_ms]].append(box)
    free = {number: boxes for number, boxes in by_frame.items() if len(boxes) <= _MOST_IN_FRAME}
    tracks: list[Track] = []
    for number in sorted(free):
        for first in [*free[number]]:
            ways = [
                _onward(first, second, number + 1, free)
                for second in free.get(number + 1, ())
                if _are_alike(first, second) and _is_beyond(first, second)
            ]
            track = max(ways, key=len, default=[])
            if len(track) >= _LEAST_BOXES:
                tracks.append(track)
                for box in track:
                    free[place[box.time_ms]].remove(box)
    followed = {id(box) for track in tracks for box in track}
    return tracks, [box for box in lone if id(box) not in followed]


def _onward(
    first: TrackedBox, second: TrackedBox, number: int, free: Mapping[int, Sequence[TrackedBox]]
) -> Track:
    """Return the boxes from two on that move on as these do; `number` is the frame of the second."""
    track = [first, second]
    while True:
        for ahead in (number + 1, number + 2):
            offs = [(off, box) for box in free.get(ahead, ()) if (off := _off(track, box)) is not None]
            if offs:
                track.append(min(offs, key=lambda pair: pair[0])[1])
                number = ahead
                break
        else:
            return track


def _off(track: Track, box: TrackedBox) -> float | None:
    """Return how far a box is from where the track's last step leads, in its own sides; None if too far."""
    before, last = track[-2:]
    if not _are_alike(last, box):
        return None
    steps = (box.time_ms - last.time_ms) / (last.time_ms - before.time_ms)
    off = 0.0
    for place, middle, start, side in (
        (2 * box.left + box.width, 2 * last.left + last.width, 2 * before.left + before.width, box.width),
        (2 * box.top + box.height, 2 * last.top + last.height, 2 * before.top + before.height, box.height),
    ):  # doubled centres stay whole numbers
        step = (middle - start) * steps
        off_way = abs(place - middle - step)
        if off_way > 2 * _OFF_SIDE * side + _OFF_STEP * abs(step):
            return None
        off += off_way / side
    return off


def _are_alike(box: TrackedBox, other: TrackedBox) -> bool:
    return (
        0 < box.height <= _HEIGHT_PARTS * other.height
        and other.height <= _HEIGHT_PARTS * box.height
        and 0 < box.width <= _WIDTH_PARTS * other.width
        and other.width <= _WIDTH_PARTS * box.width
    )


def _is_beyond(box: TrackedBox, other: TrackedBox) -> bool:
    """Return whether a box is later, and clear of the earlier one: one that trembles in its place is not."""
    return other.time_ms > box.time_ms and (
        other.left >= box.left + box.width
        or box.left >= other.left + other.width
        or other.top >= box.top + box.height
        or box.top >= other.top + other.height
    )
