"""Writes the tracks of an hour and their paths as pairs of the job's output. Standard library only.

A path omits intermediate points: every omitted foot point is within a fraction of its box's height of the
straight line between the kept points, in time and space. So later answers from the path (when a line was
crossed, how fast) are off by no more. If a lower side is hidden for a few frames, its neighbours determine
it. Only + - * / are used, as everywhere here.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf
from operator import itemgetter
from typing import Any, Literal, NamedTuple

from frametally.rules.filmed_time import filmed_time
from frametally.rules.hour_file import paths_value
from frametally.rules.path_columns import (
    LONE_COLUMNS,
    LONE_SIZE_COLUMN,
    POINT_COLUMNS,
    SIZE_COLUMN,
    TRACK_COLUMNS,
    UNSEEN_MS,
    Began,
    Ended,
    PathColumns,
    code_of,
    foot_point,
)
from frametally.rules.places import Size
from frametally.rules.times import DAY_MS, HOUR_MS, RECORD_VERSION
from frametally_hadoop.job.following import TrackedBox, own_boxes, size_changes, size_of
from frametally_hadoop.job.lines import Frame, to_json
from frametally_hadoop.job.params import MARGIN_MS

_LABEL = itemgetter(8)
_BORDER_PART = 0.02
_OFF_HEIGHTS = 0.1
_HIDDEN_MS = 300
"""How long before and after a box its neighbours determine its lower side.

In a queue, the car in front hides the lower half of the next one for a few frames: the box loses its lower
half and regains it, while its upper side moves evenly. The foot point would jump back and forth.
"""


class Visit(NamedTuple):
    """One object while it was in view.

    Attributes:
        sightings: Its boxes by time, of any label of the group, beginning with a counted one.
        votes: Its counted boxes by label, the winner first; see `tally`.
        of_label: Its counted boxes of `label`, by time.
        is_object: False for things that never move, if their label excludes these, and for labels that are
            not counted.
        is_new: False for an object that also stood there before the gap in the footage.
    """

    label: str
    sightings: Sequence[TrackedBox]
    votes: Sequence[tuple[str, int, int]]
    of_label: Sequence[TrackedBox]
    is_object: bool = True
    is_new: bool = True


class TrackEdges(NamedTuple):
    """The data that decides whether a track ended or the footage did."""

    stretches: Sequence[tuple[int, int]]
    gap_ms: int

    def began(self, first: TrackedBox) -> Began:
        """Return how a track with this first box began."""
        index = bisect_right(self.stretches, first.time_ms, key=itemgetter(0)) - 1
        start_ms = self.stretches[index][0]
        is_gap = index > 0 and start_ms - self.stretches[index - 1][1] <= MARGIN_MS
        return self._edge(first, first.time_ms - start_ms, is_gap=is_gap) or "found"

    def ended(self, last: TrackedBox) -> Ended:
        """Return how a track with this last box ended."""
        index = bisect_right(self.stretches, last.time_ms, key=itemgetter(0)) - 1
        end_ms = self.stretches[index][1]
        is_gap = index + 1 < len(self.stretches) and self.stretches[index + 1][0] - end_ms <= MARGIN_MS
        return self._edge(last, end_ms - last.time_ms, is_gap=is_gap) or "lost"

    def gap_before(self, first: TrackedBox) -> int:
        """Return the number of the gap that ends as a track with this first box begins, or 0."""
        index = bisect_right(self.stretches, first.time_ms, key=itemgetter(0)) - 1
        return index if first.time_ms - self.stretches[index][0] <= self.gap_ms else 0

    def gap_after(self, last: TrackedBox) -> int:
        """Return the number of the gap that begins as a track with this last box ends, or 0."""
        index = bisect_right(self.stretches, last.time_ms, key=itemgetter(0)) - 1
        is_last = index + 1 == len(self.stretches)
        return 0 if is_last or self.stretches[index][1] - last.time_ms > self.gap_ms else index + 1

    def _edge(
        self, sighting: TrackedBox, off_ms: int, *, is_gap: bool
    ) -> Literal["border", "gap", "footage"] | None:
        """Return the edge, if any, at which a box is that is `off_ms` from either end of the footage."""
        if off_ms and is_at_border(sighting):
            return "border"
        if off_ms <= self.gap_ms:
            return "gap" if is_gap else "footage"
        return None


def edges_by_shape(
    footage: Sequence[Frame], sizes: Mapping[Size, Size], stretches: Sequence[tuple[int, int]], gap_ms: int
) -> dict[Size, TrackEdges]:
    """Return when there was footage of each shape, by the size that objects are followed in."""
    shapes = {*sizes.values()} or {*map(size_of, footage[:1])}
    if len(shapes) == 1:
        return dict.fromkeys(shapes, TrackEdges(stretches, gap_ms))
    times_of: dict[Size, list[int]] = {shape: [] for shape in shapes}
    for frame in footage:
        times_of[sizes[size_of(frame)]].append(frame.captured_at_ms)
    return {
        shape: TrackEdges(filmed_time(times_ms, gap_ms).stretches or stretches, gap_ms)
        for shape, times_ms in times_of.items()
    }


def is_at_border(sighting: TrackedBox) -> bool:
    """Return whether a box touches or almost touches the frame's border, where objects come and go."""
    width, height = sighting.frame.width_px * 10, sighting.frame.height_px * 10
    if width <= 0 or height <= 0:
        return False  # unknown
    return (
        sighting.left < _BORDER_PART * width
        or sighting.top < _BORDER_PART * height
        or sighting.left + sighting.width > width - _BORDER_PART * width
        or sighting.top + sighting.height > height - _BORDER_PART * height
    )


class PathPoint(NamedTuple):
    """Where an object stood.

    Attributes:
        x: Foot point, the middle of the box's lower side, in tenths of a pixel, as are `y` and `height`.
        boxes: Number of boxes since the previous point, including this one.
        size: Width and height of its frame, in pixels; 0 means the one size of its hour.
    """

    time_ms: int
    x: int
    y: int
    height: int
    boxes: int
    size: Size = (0, 0)


def foot_path(
    sightings: Sequence[TrackedBox],
    hour_start_ms: int,
    hour_end_ms: int,
    changes: Sequence[int] | None = None,
) -> list[PathPoint]:
    """Return the path of an hour, from the last box before it to the first one after it.

    The points are the first and the last box; both boxes around either end of the hour (so that the paths of
    two hours share a step); both ends of a gap of `UNSEEN_MS` without a box; all boxes that a straight line
    misses; and both boxes around each of `changes`, where frames of another size begin, as positions in two
    sizes do not make a line. With `changes`, points have the size of their frame.
    """
    times = [sighting.time_ms for sighting in sightings]
    of_sizes = pairwise((0, *(changes or ()), len(sightings)))
    sightings = [
        box for first, end in of_sizes for box in _with_lower_sides(sightings[first:end], times[first:end])
    ]
    own, after = bisect_left(times, hour_start_ms), bisect_left(times, hour_end_ms)
    begin, end = max(own - 1, 0), min(after + 1, len(times))
    corners = {begin, own, after - 1, end - 1}
    for index in range(begin + 1, end):
        if times[index] - times[index - 1] > UNSEEN_MS:
            corners |= {index - 1, index}
    for index in changes or ():
        corners |= {index - 1, index}
    points: list[PathPoint] = []
    since = begin
    for index in sorted(index for index in corners if begin <= index < end):
        behind = _between(sightings, since, index)
        points += behind if changes is None else _with_size(behind, sightings[index].frame)
        since = index
    return points


def _with_size(points: list[PathPoint], frame: Frame) -> list[PathPoint]:
    return [point._replace(size=(frame.width_px, frame.height_px)) for point in points]


def _with_lower_sides(sightings: Sequence[TrackedBox], times: Sequence[int]) -> list[TrackedBox]:
    """Return the boxes with the median of the lower sides within `_HIDDEN_MS`, as many before as after.

    The median of an odd number of places that rise or fall is the middle one, so this changes nothing in an
    even motion, nor the first and the last box.
    """
    bottoms = [sighting.top + sighting.height for sighting in sightings]
    smooth = []
    for index, sighting in enumerate(sightings):
        before = index - bisect_left(times, times[index] - _HIDDEN_MS)
        after = bisect_right(times, times[index] + _HIDDEN_MS) - 1 - index
        reach = before if before < after else after
        bottom = sorted(bottoms[index - reach : index + reach + 1])[reach]
        height = bottom - sighting.top
        is_same = bottom == bottoms[index] or height <= 0
        smooth.append(sighting if is_same else sighting._replace(height=height))
    return smooth


def _between(sightings: Sequence[TrackedBox], first: int, last: int) -> list[PathPoint]:
    """Return the points after box `first` up to box `last`; the point of `first` if it is `last`.

    From one point, keeps the slopes of x, y and height that fit all boxes since; the point before the first
    box that does not fit is the next one.
    """
    if first == last:
        return [PathPoint(*_place(sightings[first]), 1)]
    points = []
    start_ms, x, y, height = _place(sightings[first])
    low_x = low_y = low_h = -inf
    high_x = high_y = high_h = inf
    before = (start_ms, x, y, height)
    since, index = first, first + 1
    while index <= last:
        place = now_ms, now_x, now_y, now_height = _place(sightings[index])
        passed_ms = now_ms - start_ms
        if passed_ms <= 0:  # two frames at one time: a line can give only one place
            index += 1
            continue
        slope_x, slope_y = (now_x - x) / passed_ms, (now_y - y) / passed_ms
        slope_h = (now_height - height) / passed_ms
        if not (low_x <= slope_x <= high_x and low_y <= slope_y <= high_y and low_h <= slope_h <= high_h):
            points.append(PathPoint(*before, index - 1 - since))
            since = index - 1
            start_ms, x, y, height = before
            low_x = low_y = low_h = -inf
            high_x = high_y = high_h = inf
            continue
        off = _OFF_HEIGHTS * now_height / passed_ms
        low_x = slope_x - off if slope_x - off > low_x else low_x
        low_y = slope_y - off if slope_y - off > low_y else low_y
        low_h = slope_h - off if slope_h - off > low_h else low_h
        high_x = slope_x + off if slope_x + off < high_x else high_x
        high_y = slope_y + off if slope_y + off < high_y else high_y
        high_h = slope_h + off if slope_h + off < high_h else high_h
        before = place
        index += 1
    points.append(PathPoint(*_place(sightings[last]), last - since))
    return points


def _place(sighting: TrackedBox) -> tuple[int, int, int, int]:
    _, _, left, top, width, height, *_ = sighting
    return sighting.time_ms, *foot_point(left, top, width, height), height


def track_pairs(
    model: str,
    source: str,
    visits: Sequence[Visit],
    lone: Sequence[TrackedBox],
    hour_start_ms: int,
    edges: Mapping[Size, TrackEdges],
    sizes: Collection[Size],
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the tracks of an hour, and their paths, with its lone boxes.

    `sizes` are those of its frames, if there are several.
    """
    hour_end_ms = hour_start_ms + HOUR_MS
    labels = sorted({visit.label for visit in visits} | {*map(_LABEL, lone)})
    number_of = {label: number for number, label in enumerate(labels)}
    hour = hour_start_ms % DAY_MS // HOUR_MS
    point_columns = (*POINT_COLUMNS, SIZE_COLUMN) if sizes else POINT_COLUMNS
    columns: dict[str, list[int]] = {name: [] for name in (*TRACK_COLUMNS, *point_columns)}
    every_size = tuple(sorted(sizes))
    for number, visit in enumerate(visits):
        first, last = visit.sightings[0], visit.sightings[-1]
        edges_of_shape = edges[size_of(first.frame)]
        best = min(visit.of_label, key=lambda sighting: -sighting.confidence)
        is_of_hour = first.time_ms >= hour_start_ms
        is_counted = visit.is_new and is_of_hour
        began = edges_of_shape.began(first) if is_of_hour else "hour"
        ended = edges_of_shape.ended(last) if last.time_ms < hour_end_ms else "hour"
        track = {
            "v": RECORD_VERSION,
            "id": f"{hour_start_ms}-{number}",
            "model": model,
            "source": source,
            "label": visit.label,
            "hour_start_ms": hour_start_ms,
            "is_counted": is_counted,
            "first_seen_ms": visit.of_label[0].time_ms,
            "last_seen_ms": last.time_ms,
            "boxes": len(visit.sightings),
            "first": _seen(visit.of_label[0]),
            "best": _seen(best),
            "began": began,
            "ended": ended,
            "votes": [
                {"label": label, "boxes": boxes, "confidence": confidence / 10_000}
                for label, boxes, confidence in visit.votes
            ],
        }
        yield to_json(["track", source, visit.label, number, hour_start_ms]), to_json(track)
        sightings = own_boxes(visit.sightings) if sizes else visit.sightings
        path = foot_path(sightings, hour_start_ms, hour_end_ms, size_changes(sightings) if sizes else None)
        of_track = (
            hour,
            number,
            number_of[visit.label],
            int(is_counted),
            code_of(began, Began),
            code_of(ended, Ended),
            visit.of_label[0].time_ms - hour_start_ms,
            len(path),
        )
        for name, value in zip(TRACK_COLUMNS, of_track, strict=True):
            columns[name].append(value)
        for time_ms, *place, size in path:
            of_point = [time_ms - hour_start_ms, *place]
            if sizes:
                of_point.append(every_size.index(size))
            for name, value in zip(point_columns, of_point, strict=True):
                columns[name].append(value)
    if lone:
        own = own_boxes(lone) if sizes else lone
        hours, numbers = [hour] * len(own), [*range(len(visits), len(visits) + len(own))]
        of_lone: tuple[list[int], ...] = (hours, numbers, [], [], [], [], [])
        _, _, labels_of, times, xs, ys, heights = of_lone
        for time_ms, _, left, top, width, height, _, _, label, _ in own:  # hot loop: there may be many
            x, y = foot_point(left, top, width, height)
            labels_of.append(number_of[label])
            times.append(time_ms - hour_start_ms)
            xs.append(x)
            ys.append(y)
            heights.append(height)
        columns |= zip(LONE_COLUMNS, of_lone, strict=True)
        if sizes:
            columns[LONE_SIZE_COLUMN] = [every_size.index(size_of(box.frame)) for box in own]
    if visits or lone:
        day_start_ms = hour_start_ms // DAY_MS * DAY_MS
        paths = PathColumns(model, source, day_start_ms, tuple(labels), columns, every_size)
        yield to_json(["paths", source, hour_start_ms]), to_json(paths_value(paths))


def _seen(sighting: TrackedBox) -> dict[str, Any]:
    [sighting] = own_boxes([sighting])
    return {
        "image_path": sighting.frame.image_path,
        "captured_at_ms": sighting.time_ms,
        "confidence": sighting.confidence / 10_000,
        "box": [sighting.left / 10, sighting.top / 10, sighting.width / 10, sighting.height / 10],
    }
