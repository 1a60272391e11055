"""Turns the paths behind a day's flows into numpy arrays, with one value per visit or per point."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from frametally.rules.path_columns import (
    LONE_COLUMNS,
    POINT_COLUMNS,
    TRACK_COLUMNS,
    Began,
    Ended,
    PathColumns,
    code_of,
)
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally_traffic.flows.shapes import FirstTrack, first_tracks
from frametally_traffic.geometry.foot_paths import FollowedPath, FootPath, joined, pieces_of

Whole: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]
Real: TypeAlias = NDArray[np.float64]

MOST_TENTHS = 1 << 16
"""Products of coordinates beyond this many tenths of a pixel may overflow."""
_BEGAN: tuple[Began, ...] = get_args(Began)
_ENDED: tuple[Ended, ...] = get_args(Ended)
_BEGAN_BEFORE, _GOES_ON = code_of("hour", Began), code_of("hour", Ended)
_NOTHING = {name: array("q") for name in (*TRACK_COLUMNS, *POINT_COLUMNS)}


class VisitArrays(NamedTuple):
    """The visits of a day: the tracks of its file, then the visits that span several hours.

    Columns have one value per visit; from `of_point` (the number of its visit) on, one per point, as in
    `POINT_COLUMNS`. `file` is the day's, `of_hours` has the visits that span several hours, and `labels` are
    sorted. Times are milliseconds since the day began.

    Attributes:
        is_asked: Whether it is a whole visit; a track of a visit that spans several hours is not.
        is_plain: Whether it is one, within its hours, whose products do not overflow.
        points: How many points it has; `first` and `last` are numbers of points.
        hour: Hour of its first track since the day began, and its `number`; `label` is an index in `labels`.
        is_counted: As in `FirstTrack`, like `seen_ms`.
        lone: The lone boxes, one column each: hour, number, label, time since the day began, x, y, height.
        began: Code of how its first track began, and `ended` of how its last one ended.
        left: Least x of its points; `right`, `top` and `bottom` are its other extremes.
    """

    file: PathColumns
    of_hours: list[FollowedPath]
    labels: list[str]
    is_asked: Flags
    is_plain: Flags
    points: Whole
    first: Whole
    last: Whole
    hour: Whole
    number: Whole
    label: Whole
    is_counted: Flags
    seen_ms: Whole
    began: Whole
    ended: Whole
    left: Whole
    right: Whole
    top: Whole
    bottom: Whole
    of_point: Whole
    time_ms: Whole
    x: Whole
    y: Whole
    height: Whole
    boxes: Whole
    lone: Whole

    def path(self, visit: int) -> FootPath:
        """Return the path of a visit."""
        span = slice(self.first[visit], self.last[visit] + 1)
        time_ms = self.time_ms[span] + self.file.day_start_ms
        columns = (time_ms, self.x[span], self.y[span], self.height[span], self.boxes[span])
        return FootPath(*(tuple(column.tolist()) for column in columns))

    def followed(self, visit: int) -> FollowedPath:
        """Return a visit as a `FollowedPath`, which may lack its ids."""
        own = visit - (len(self.points) - len(self.of_hours))
        if own >= 0:
            return self.of_hours[own]
        hour_ms = self.file.day_start_ms + int(self.hour[visit]) * HOUR_MS
        began, ends = _BEGAN[self.began[visit]], _ENDED[self.ended[visit]]
        return FollowedPath((), hour_ms, hour_ms + HOUR_MS, began, ends, self.path(visit))


def visits_of(by_day: Mapping[int, PathColumns], day_ms: int) -> VisitArrays:
    """Return the visits that a day may need; `by_day` has its file and those of the adjacent days."""
    file = by_day.get(day_ms) or PathColumns("", "", day_ms, (), _NOTHING)
    of_hours, firsts = _visits_of_hours(by_day, day_ms)
    labels = sorted({*file.labels, *(first.label for first in firsts.values())})
    own = {name: np.asarray(column, np.int64) for name, column in file.columns.items()}
    is_whole = _is_whole(file)
    hour_ms = own["hour"] * HOUR_MS
    more = [_row(visit, firsts[visit.ids[0]], labels, day_ms) for visit in of_hours]
    extra = dict(zip(_ADDED, zip(*more, strict=True), strict=True)) if more else dict.fromkeys(_ADDED, ())

    def with_added(name: str, column: Whole) -> Whole:
        return np.concatenate((column, np.array(extra[name], np.int64)))

    def with_points(number: int, column: Whole) -> Whole:
        if not of_hours:
            return column
        return np.concatenate(
            (column, np.concatenate([np.array(visit.path[number], np.int64) for visit in of_hours]))
        )

    points = with_added("points", own["points"])
    ends = np.cumsum(points)
    first, last = ends - points, ends - 1
    of_point = np.repeat(np.arange(len(points)), points)
    time_ms = with_points(0, own["time"] + np.repeat(hour_ms + day_ms, own["points"])) - day_ms
    x, y, height, boxes = (with_points(number, own[name]) for number, name in enumerate(POINT_COLUMNS[1:], 1))
    left, right, top, bottom = (
        reduce.reduceat(column, first) if len(first) else first
        for column in (x, y)
        for reduce in (np.minimum, np.maximum)
    )
    is_small = all(
        column.min(initial=0) > -MOST_TENTHS and column.max(initial=0) < MOST_TENTHS
        for column in (left, right, top, bottom, height)
    )
    is_within = np.array([_is_within(visit) for visit in of_hours], bool)
    return VisitArrays(
        file=file,
        of_hours=of_hours,
        labels=labels,
        is_asked=np.concatenate((is_whole, np.ones(len(of_hours), bool))),
        is_plain=np.concatenate((is_whole, is_within)) & is_small,
        points=points,
        first=first,
        last=last,
        hour=with_added("hour", own["hour"]),
        number=with_added("number", own["number"]),
        label=with_added("label", _numbers(file.labels, labels)[own["label"]]),
        is_counted=with_added("is_counted", own["is_counted"]) == 1,
        seen_ms=with_added("seen_ms", own["first_seen"] + hour_ms),
        began=with_added("began", own["began"]),
        ended=with_added("ended", own["ended"]),
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        of_point=of_point,
        time_ms=time_ms,
        x=x,
        y=y,
        height=height,
        boxes=boxes,
        lone=_lone_boxes(file, labels),
    )


def _lone_boxes(file: PathColumns, labels: list[str]) -> Whole:
    if "lone_hour" not in file.columns:
        return np.empty((len(LONE_COLUMNS), 0), np.int64)
    hour, number, label, time_ms, *place = (np.asarray(file.columns[name], np.int64) for name in LONE_COLUMNS)
    return np.array((hour, number, _numbers(file.labels, labels)[label], time_ms + hour * HOUR_MS, *place))


_ADDED = ("points", "hour", "number", "label", "is_counted", "seen_ms", "began", "ended")


def _row(visit: FollowedPath, first: FirstTrack, labels: list[str], day_ms: int) -> tuple[int, ...]:
    hour_ms, _, number = visit.ids[0].rpartition("-")
    return (
        len(visit.path.x),
        (int(hour_ms) - day_ms) // HOUR_MS,
        int(number),
        labels.index(first.label),
        int(first.is_counted),
        first.seen_ms - day_ms,
        code_of(visit.began, Began),
        code_of(visit.ended, Ended),
    )


def _numbers(names: tuple[str, ...], everybodys: list[str]) -> Whole:
    return np.array([everybodys.index(name) for name in names], np.int64)


def _is_within(visit: FollowedPath) -> bool:
    """Return whether a visit is within its hours, and no step is so long that products overflow."""
    times = visit.path.time_ms
    longest_ms = max((after - before for before, after in pairwise(times)), default=0)
    return visit.from_ms <= times[0] and times[-1] < visit.to_ms and longest_ms <= HOUR_MS


def _is_whole(file: PathColumns) -> Flags:
    """Return which tracks are whole objects within their hour."""
    began, track_ends, points, time_ms, seen_ms = (
        np.asarray(file.columns[name], np.int64)
        for name in ("began", "ended", "points", "time", "first_seen")
    )
    ends = np.cumsum(points, dtype=np.int64)
    mask: Flags = (began != _BEGAN_BEFORE) & (track_ends != _GOES_ON)
    for times in (time_ms[ends - points], time_ms[ends - 1], seen_ms):
        mask &= (times >= 0) & (times < HOUR_MS)
    return mask


def _visits_of_hours(
    by_day: Mapping[int, PathColumns], day_ms: int
) -> tuple[list[FollowedPath], dict[str, FirstTrack]]:
    """Return the visits that are not one whole track of the day, and their tracks' `FirstTrack` by id."""
    pieces: list[FollowedPath] = []
    firsts: dict[str, FirstTrack] = {}
    for near_ms in (day_ms - DAY_MS, day_ms, day_ms + DAY_MS):
        file = by_day.get(near_ms)
        if file is None:
            continue
        is_needed = ~_is_whole(file)
        if near_ms != day_ms:
            is_needed &= _is_in_reach(file, is_before=near_ms < day_ms)
        tracks = np.flatnonzero(is_needed).tolist()
        of_file = [*pieces_of(file, tracks)]
        pieces += of_file
        firsts |= zip((piece.ids[0] for piece in of_file), first_tracks(file, tracks), strict=True)
    end_ms = day_ms + DAY_MS
    return [visit for visit in joined(pieces) if visit.to_ms >= day_ms and visit.from_ms < end_ms], firsts


def _is_in_reach(file: PathColumns, *, is_before: bool) -> Flags:
    """Return which tracks of an adjacent day may belong to visits that cross the midnight between the days.

    These are in the hour next to midnight, and in further ones while a track spans each hour in between.
    """
    hour, began, ends, points, time_ms = (
        np.asarray(file.columns[name], np.int64) for name in ("hour", "began", "ended", "points", "time")
    )
    last = np.cumsum(points, dtype=np.int64) - 1
    # A track that ended may still have an uncounted box after its hour.
    goes_on = (ends == _GOES_ON) | (time_ms[last] >= HOUR_MS)
    through = np.unique(hour[(began == _BEGAN_BEFORE) & goes_on]).tolist()
    if is_before:
        least = 23
        while least in through:
            least -= 1
        return hour >= least
    most = 0
    while most in through:
        most += 1
    return hour <= most
