"""Finds the box that continues a track, by largest overlap. Standard library only.

If the pictures' size changes but not their shape, boxes are followed in the largest size. Scaling up loses
nothing: scaled back, each box is what it was. Most hours have pictures of one size, so nothing is scaled.

Exact by construction: + - * / on Python's numbers give the same bits on every machine. (`sum` over floats
does not, as Python 3.12 changed it. Nor does `**`, which is the C library's.)
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from functools import partial
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import NamedTuple, TypeAlias, TypeVar

from frametally.rules.places import Size, common_sizes, scaled
from frametally_hadoop.job.lines import Frame
from frametally_hadoop.job.params import NEW_ABOVE_STRONG, TrackParams

Area: TypeAlias = tuple[float, float, float, float, float]
"""A box, widened or not: left, top, right, bottom and area, all in the same unit of length."""
AreaOf: TypeAlias = Callable[[float, float, float, float], Area]
ItemT = TypeVar("ItemT")

_MINUTE_MS = 60_000
WIDENED_X = 0.6
WIDENED_Y = 0.3
"""Fractions of its width and height by which a box is widened on each side before overlaps are computed.

At 10 frames a second they hardly matter; at 5 and fewer an object moves so far between two frames that its
own boxes barely overlap (`docs/tracking.md` has the numbers).
"""


def widened(left: float, top: float, width: float, height: float) -> Area:
    """Return the widened box used in comparisons."""
    by_x, by_y = WIDENED_X * width, WIDENED_Y * height
    right, bottom = left + width + by_x, top + height + by_y
    left, top = left - by_x, top - by_y
    return left, top, right, bottom, (right - left) * (bottom - top)


_OVERLAPPING_S = 0.07
"""The time between frames below which the boxes of an object overlap without being widened.

Then boxes as detected are compared first: widened, a neighbour's box overlaps nearly as much.
"""
_SLOW_LABELS = frozenset({"person"})
"""Labels whose boxes are first compared as detected at every rate.

Measured: fewer walkers who meet exchange their tracks. Cars at 5 frames a second move too far for it.
"""


def _as_detected(left: float, top: float, width: float, height: float) -> Area:
    """Return the box itself."""
    return left, top, left + width, top + height, width * height


def pair_up(
    tracks: Sequence[Area],
    boxes: Sequence[Area],
    least_overlap: float,
    likeness: Callable[[int, int], float] | None = None,
) -> list[tuple[int, int]]:
    """Pair each track with at most one box, and each box with at most one track; return pairs of indices.

    A pair needs an overlap (intersection over union), multiplied by the `likeness` of both, 0 to 1, of at
    least `least_overlap` and above 0. The greatest is taken first; of equal ones the earlier track's, then
    the earlier box's. The footage alone decides the order of both sequences, and so the result.
    """
    overlaps = []
    for i, (left, top, right, bottom, area) in enumerate(tracks):
        for j, (other_left, other_top, other_right, other_bottom, other_area) in enumerate(boxes):
            if other_left >= right or left >= other_right or other_top >= bottom or top >= other_bottom:
                continue
            shared = (
                (right if right < other_right else other_right) - (left if left > other_left else other_left)
            ) * (
                (bottom if bottom < other_bottom else other_bottom) - (top if top > other_top else other_top)
            )
            overlap = shared / (area + other_area - shared)
            if likeness is not None and overlap >= least_overlap:
                overlap *= likeness(i, j)
            if overlap >= least_overlap:
                overlaps.append((-overlap, i, j))
    if len(overlaps) < 2:  # true of most frames
        return [(i, j) for _, i, j in overlaps]
    overlaps.sort()
    pairs = []
    track_is_free, box_is_free = [True] * len(tracks), [True] * len(boxes)
    for _, i, j in overlaps:
        if track_is_free[i] and box_is_free[j]:
            track_is_free[i] = box_is_free[j] = False
            pairs.append((i, j))
    return pairs


def _without(items: Sequence[ItemT], indices: Set[int]) -> list[ItemT]:
    """Return the items at other indices."""
    return [item for index, item in enumerate(items) if index not in indices]


_MEASURED = 1 / 400
"""Variance of a measured position: a twentieth of the height (ByteTrack)."""

_DRIFT_PER_S = 0.02
_CHANGE_PER_S = 0.3
"""Variances that a second adds to position (heights²) and to velocity (heights²/s²).

ByteTrack's, at 30 frames a second, are 0.075 and 1.05; with these, paths behind an obstacle stay straight.
"""

_BIRTH_POSITION = 4 * _MEASURED
_BIRTH_VELOCITY = 0.4
_LEAST_SIDE = 10.0
"""The least width and height of a predicted box, in tenths of a pixel."""


class Motion:
    """The filter of one track, with lengths in tenths of a pixel and velocities per second."""

    __slots__ = (
        *("x", "y", "width", "height", "dx", "dy", "dwidth", "dheight"),
        *("p_position", "p_cross", "p_velocity"),
    )

    def __init__(self, left: float, top: float, width: float, height: float) -> None:
        """Start from one box, at rest."""
        self.x, self.y = left + width / 2, top + height / 2
        self.width, self.height = float(width), float(height)
        self.dx = self.dy = self.dwidth = self.dheight = 0.0
        self.p_position, self.p_cross, self.p_velocity = _BIRTH_POSITION, 0.0, _BIRTH_VELOCITY

    def predict(self, seconds: float, *, is_lost: bool) -> None:
        """Move on by `seconds`; keep the size of a lost object."""
        self.x += self.dx * seconds
        self.y += self.dy * seconds
        if not is_lost:
            width, height = self.width + self.dwidth * seconds, self.height + self.dheight * seconds
            self.width = width if width > _LEAST_SIDE else _LEAST_SIDE
            self.height = height if height > _LEAST_SIDE else _LEAST_SIDE
        cross, velocity = self.p_cross, self.p_velocity
        self.p_position += seconds * (cross + cross + seconds * velocity) + _DRIFT_PER_S * seconds
        self.p_cross = cross + seconds * velocity
        self.p_velocity = velocity + _CHANGE_PER_S * seconds

    def correct(self, left: float, top: float, width: float, height: float) -> None:
        """Update the filter with a measurement."""
        position, cross = self.p_position, self.p_cross
        innovation = position + _MEASURED
        gain, velocity_gain = position / innovation, cross / innovation
        off = left + width / 2 - self.x
        self.x += gain * off
        self.dx += velocity_gain * off
        off = top + height / 2 - self.y
        self.y += gain * off
        self.dy += velocity_gain * off
        off = width - self.width
        self.width += gain * off
        self.dwidth += velocity_gain * off
        off = height - self.height
        self.height += gain * off
        self.dheight += velocity_gain * off
        self.p_velocity -= velocity_gain * cross
        self.p_cross = cross - gain * cross
        self.p_position = position - gain * position


_STRONG_OVERLAP = 0.2
_WEAK_OVERLAP = 0.5
_SECOND_OVERLAP = 0.3
"""The least overlaps of passes 2, 3 and 4, as published for ByteTrack."""
_OTHER_LABEL = 0.5
"""What an overlap counts for if the track never had the label of the box; it rises with the label's share."""
_RECENT_BOXES = 6
_SECOND_BOX_MS = 200
"""How long a track waits for its second box: until the next frame at 5 frames a second, as published.

If the second box had to be in the next frame at every rate, higher rates would begin fewer tracks: a car that
emerges from behind another is at first seen clearly only in every other frame.
"""
_TAKEN_BACK_MS = 3000
"""Much less than the minute around an hour, so that both hours know the boxes that are recovered there."""


class TrackedBox(NamedTuple):
    """One box of one frame, in whole numbers.

    Attributes:
        left: Tenths of a pixel, as are `top`, `width` and `height`.
        is_counted: Whether the box counts if its label is counted; a track may begin with boxes that do not.
        twins: Weaker boxes of the same object with other labels of its group; see `visits.one_per_object`.
    """

    time_ms: int
    confidence: int
    left: int
    top: int
    width: int
    height: int
    is_counted: bool
    frame: Frame
    label: str
    twins: tuple[TrackedBox, ...] = ()


def overlap_of(box: TrackedBox, other: TrackedBox) -> float:
    """Return the intersection over union of two boxes, without widening them."""
    left, top, width, height = box[2:6]
    other_left, other_top, other_width, other_height = other[2:6]
    if left >= other_left + other_width or other_left >= left + width:  # true of most pairs
        return 0.0
    across = min(left + width, other_left + other_width) - max(left, other_left)
    down = min(top + height, other_top + other_height) - max(top, other_top)
    if across <= 0 or down <= 0:
        return 0.0
    shared = across * down
    return shared / (width * height + other_width * other_height - shared)


def by_time(sighting: TrackedBox) -> tuple[int, int, int, int, int, int, str]:
    """Return the key that sorts boxes by time; those of a frame the strongest first, then by position."""
    time_ms, confidence, left, top, width, height, _, _, label, _ = sighting
    return time_ms, -confidence, left, top, width, height, label


Track: TypeAlias = list[TrackedBox]
"""The boxes of one object, by time; at least two."""


_Placed: TypeAlias = tuple[TrackedBox, Area]
_Begun: TypeAlias = tuple[TrackedBox, Area, int, int]
"""A track of one box: the box, its area at rest, and the numbers of the track and of its frame. Most get no
second box, and need no filter."""
Lone: TypeAlias = tuple[int, int, int, int, int, int, TrackedBox]
"""A lone box after the number of its frame (the last one of its time), its time, its doubled centre, which
stays a whole number, its width and its height."""


class _LiveTrack(Motion):
    """A track of two boxes or more; `number` sorts tracks by when they began."""

    __slots__ = ("is_lost", "number", "sightings")

    def __init__(self, number: int, sighting: TrackedBox) -> None:
        super().__init__(*sighting[2:6])
        self.number = number
        self.sightings = [sighting]

    def area(self, area_of: AreaOf = widened) -> Area:
        width, height = self.width, self.height
        return area_of(self.x - width / 2, self.y - height / 2, width, height)

    def likeness(self, label: str) -> float:
        """Return how much an overlap with a box of that label counts, by the track's last boxes."""
        labels = [box.label for box in self.sightings[-_RECENT_BOXES:]]
        return _OTHER_LABEL + (1 - _OTHER_LABEL) * labels.count(label) / len(labels)

    def go_on(self, sighting: TrackedBox) -> None:
        self.correct(*sighting[2:6])
        self.sightings.append(sighting)
        self.is_lost = False


class Tracker:
    """Tracks the boxes of one group of labels.

    Attributes:
        frames: All frames by time, each with its boxes in the order of `by_time`; once followed, only
            those that neither joined nor began a track.
        lone: Boxes, by time, that began a track which got no second box though the footage went on.
    """

    def __init__(self, params: TrackParams, group: str) -> None:
        """Track a label without a group, or the group that it represents in `params.group_of`."""
        group_of = params.group_of()
        is_slow = any(group_of.get(label, label) == group for label in _SLOW_LABELS)
        self._as_detected_s = math.inf if is_slow else _OVERLAPPING_S
        self._pair = partial(_pair, is_one_label=group not in group_of)
        self._strong, self._weak = params.strong, params.weak
        self._strong_of = dict(params.strong_by_label).get
        self._gap_ms = params.gap_ms
        self._live: list[_LiveTrack] = []
        self._begun: list[_Begun] = []
        self._ended: list[Track] = []
        self.frames: list[tuple[int, list[TrackedBox]]] = []
        self.lone: list[Lone] = []

    def follow(self) -> list[Track]:
        """Return the tracks of all frames."""
        strong_of, strong_else, least_weak = self._strong_of, self._strong, self._weak
        tracks = 0
        for number, (time_ms, sightings) in enumerate(self.frames):  # hot loop: runs for every frame
            strong: list[_Placed] = []
            weak: list[TrackedBox] = []
            for sighting in sightings:
                _, confidence, left, top, width, height, _, _, label, _ = sighting
                if confidence >= strong_of(label, strong_else):
                    strong.append((sighting, widened(left, top, width, height)))
                elif confidence >= least_weak:
                    weak.append(sighting)
            if self._live:
                strong, weak = self._go_on(number, strong, weak)
            if self._begun:
                strong = self._second_boxes(number, strong)
            for sighting, area in strong:
                _, confidence, _, _, width, height, _, _, label, _ = sighting
                if confidence < strong_of(label, strong_else) + NEW_ABOVE_STRONG and confidence < 10_000:
                    weak.append(sighting)
                    continue
                if width < _LEAST_SIDE or height < _LEAST_SIDE:
                    at_rest = _LiveTrack(0, sighting)
                    at_rest.predict(0.0, is_lost=False)
                    area = at_rest.area()
                tracks += 1
                self._begun.append((sighting, area, tracks, number))
            if sightings:
                self.frames[number] = time_ms, weak
        self._ended += [track.sightings for track in self._live]
        return self._ended

    def _go_on(
        self, number: int, strong: list[_Placed], weak: list[TrackedBox]
    ) -> tuple[list[_Placed], list[TrackedBox]]:
        """Move the tracks on and give them matching boxes; return the boxes that are left."""
        now_ms, passed_s = self.frames[number][0], self._passed_s(number)
        live = []
        for track in self._live:
            if now_ms - track.sightings[-1].time_ms <= self._gap_ms:
                track.predict(passed_s, is_lost=track.is_lost)
                live.append(track)
            else:
                self._ended.append(track.sightings)
        self._live = live
        unseen = live
        if passed_s < self._as_detected_s:
            unseen, strong = self._pair(unseen, strong, _STRONG_OVERLAP, area_of=_as_detected)
        unseen, strong = self._pair(unseen, strong, _STRONG_OVERLAP)
        if unseen and weak:
            seen_before = [track for track in unseen if not track.is_lost]
            placed = [(sighting, widened(*sighting[2:6])) for sighting in weak]
            weak = [sighting for sighting, _ in self._pair(seen_before, placed, _WEAK_OVERLAP)[1]]
        for track in unseen:
            track.is_lost = track.sightings[-1].time_ms < now_ms
        return strong, weak

    def _passed_s(self, number: int) -> float:
        """Return the time from the frame before."""
        return (self.frames[number][0] - self.frames[number - 1][0]) / 1000

    def _second_boxes(self, number: int, strong: list[_Placed]) -> list[_Placed]:
        """Give tracks of one box a second one; return the boxes that are left."""
        now_ms, begun = self.frames[number][0], self._begun
        if now_ms - begun[0][0].time_ms > self._gap_ms:  # they are sorted by time
            begun = [track for track in begun if now_ms - track[0].time_ms <= self._gap_ms]
        if begun and strong:
            pairs = pair_up([area for _, area, _, _ in begun], [area for _, area in strong], _SECOND_OVERLAP)
            for i, j in sorted(pairs):
                sighting, _, order, first = begun[i]
                track = _LiveTrack(order, sighting)
                for passed in range(first + 1, number + 1):
                    track.predict(self._passed_s(passed), is_lost=False)
                track.go_on(strong[j][0])
                track.sightings[:0] = [*self._before(sighting, number)][::-1]
                self._live.append(track)
            if pairs:
                self._live.sort(key=attrgetter("number"))
                begun = _without(begun, {i for i, _ in pairs})
                strong = _without(strong, {j for _, j in pairs})
        self._begun = []
        for one_box in begun:
            if now_ms - one_box[0].time_ms < _SECOND_BOX_MS:
                self._begun.append(one_box)
            else:
                self.lone.append(self._lone(one_box[0], one_box[3]))
        return strong

    def _lone(self, box: TrackedBox, number: int) -> Lone:
        time_ms, _, left, top, width, height, _, _, _, _ = box
        while self.frames[number + 1][0] == time_ms:
            number += 1
        return number, time_ms, 2 * left + width, 2 * top + height, width, height, box

    def _before(self, first: TrackedBox, number: int) -> Iterator[TrackedBox]:
        """Yield, backwards, the left-over boxes of an object from before the first box of its track."""
        now = first
        for before in range(number - 1, -1, -1):
            time_ms, boxes = self.frames[before]
            if self.frames[number - 1][0] - time_ms > _TAKEN_BACK_MS:
                return
            if time_ms >= first.time_ms:
                continue
            areas = [widened(*box[2:6]) for box in boxes]
            pairs = pair_up([widened(*now[2:6])], areas, _WEAK_OVERLAP)
            if not pairs:
                return
            now = boxes.pop(pairs[0][1])
            yield now


def _pair(
    tracks: list[_LiveTrack],
    boxes: list[_Placed],
    least_overlap: float,
    *,
    area_of: AreaOf = widened,
    is_one_label: bool,
) -> tuple[list[_LiveTrack], list[_Placed]]:
    """Give tracks matching boxes; return the tracks and the boxes that are left."""
    if not tracks or not boxes:
        return tracks, boxes
    areas = [track.area(area_of) for track in tracks]
    box_areas = [area for _, area in boxes]  # widened already
    if area_of is not widened:
        box_areas = [area_of(*box[2:6]) for box, _ in boxes]
    likeness = None if is_one_label else lambda i, j: tracks[i].likeness(boxes[j][0].label)
    pairs = pair_up(areas, box_areas, least_overlap, likeness)
    if not pairs:
        return tracks, boxes
    for i, j in pairs:
        tracks[i].go_on(boxes[j][0])
    return _without(tracks, {i for i, _ in pairs}), _without(boxes, {j for _, j in pairs})


class ScaledFrame(NamedTuple):
    """A frame scaled for tracking to the largest size of its shape; `own` is the frame as stored."""

    width_px: int
    height_px: int
    own: Frame


def size_of(frame: Frame | ScaledFrame) -> Size:
    """Return the size of the picture that a frame's boxes refer to."""
    return frame.width_px, frame.height_px


def sizes_by_minute(frames: Iterable[Frame], from_ms: int, to_ms: int) -> list[tuple[int, list[Size]]]:
    """Return the minutes of `[from_ms, to_ms)` at which the pictures' shapes change, with the new sizes.

    Each size is the largest of its shape. Empty if all pictures have one shape.
    """
    by_minute: defaultdict[int, set[Size]] = defaultdict(set)
    for frame in frames:
        if from_ms <= frame.captured_at_ms < to_ms:
            by_minute[frame.captured_at_ms // _MINUTE_MS].add((frame.width_px, frame.height_px))
    common = common_sizes(size for sizes in by_minute.values() for size in sizes)
    if len({*common.values()}) < 2:
        return []
    minutes = [
        (minute, sorted({common[size] for size in sizes})) for minute, sizes in sorted(by_minute.items())
    ]
    runs = [next(run) for _, run in groupby(minutes, key=itemgetter(1))]
    return [
        (max(from_ms, minute * _MINUTE_MS) if number else from_ms, sizes)
        for number, (minute, sizes) in enumerate(runs)
    ]


def sizes_to_scale(frames: Iterable[Frame]) -> dict[Size, Size]:
    """Return, for each size of the frames, the size to track in; empty if all have one size."""
    sizes = {*map(attrgetter("width_px", "height_px"), frames)}
    return common_sizes(sizes) if len(sizes) > 1 else {}


def scaled_box(box: TrackedBox, size: Size) -> TrackedBox:
    """Convert a box of a stored frame to a box of a picture of `size`, which has the same shape."""
    own = size_of(box.frame)
    if own == size:
        return box
    return _on(box, own, size)._replace(frame=ScaledFrame(*size, box.frame))  # type: ignore[arg-type]


def own_boxes(sightings: Sequence[TrackedBox]) -> list[TrackedBox]:
    """Return boxes as in their stored frames."""
    return [
        _on(box, size_of(box.frame), size_of(box.frame.own))._replace(frame=box.frame.own)
        if isinstance(box.frame, ScaledFrame)
        else box
        for box in sightings
    ]


def _on(box: TrackedBox, size: Size, other: Size) -> TrackedBox:
    (width, height), (to_width, to_height) = size, other
    return box._replace(
        left=scaled(box.left, width, to_width),
        top=scaled(box.top, height, to_height),
        width=scaled(box.width, width, to_width),
        height=scaled(box.height, height, to_height),
    )


def size_changes(sightings: Sequence[TrackedBox]) -> list[int]:
    """Return the indices of boxes whose frame differs in size from the previous box's frame."""
    sizes = [size_of(box.frame) for box in sightings]
    return [number for number in range(1, len(sizes)) if sizes[number] != sizes[number - 1]]
