"""A day's paths as arrays of numpy, one value per track or per point."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from frametally.rules.path_columns import Began, Ended, PathColumns, code_of
from frametally.rules.times import HOUR_MS

Whole: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

_BEGAN_BEFORE, _GOES_ON = code_of("hour", Began), code_of("hour", Ended)
MOST_TENTHS = 1 << 16
"""Places that are further out than so many tenths of a pixel may not fit where products of them are taken."""


class PathArrays(NamedTuple):
    """The paths of a day; the first six per track, `left` to `bottom` likewise, the rest per point.

    Attributes:
        file: What they were read from.
        points: How many points a track has.
        first: Number of its first point.
        last: Number of its last point.
        hour_ms: Start of its hour, milliseconds since the day began.
        is_whole: Whether it is all that there is of its object, and within its hour.
        left: Least x of its points.
        right: Greatest x.
        top: Least y.
        bottom: Greatest y.
        track: Number of the point's track.
        time_ms: Milliseconds since the day began.
        x: As `POINT_COLUMNS` has it.
        y: Likewise.
        height: Likewise.
        boxes: Likewise.
    """

    file: PathColumns
    points: Whole
    first: Whole
    last: Whole
    hour_ms: Whole
    is_whole: Flags
    left: Whole
    right: Whole
    top: Whole
    bottom: Whole
    track: Whole
    time_ms: Whole
    x: Whole
    y: Whole
    height: Whole
    boxes: Whole

    @property
    def is_small(self) -> bool:
        """Whether products of its places are exact."""
        places = (self.left, self.top, self.right, self.bottom, self.height)
        return all(column.min(initial=0) > -MOST_TENTHS for column in places) and all(
            column.max(initial=0) < MOST_TENTHS for column in places
        )


def arrays_of(file: PathColumns) -> PathArrays:
    """Return a file's paths as arrays."""
    columns = {name: np.asarray(column, np.int64) for name, column in file.columns.items()}
    points, hour_ms = columns["points"], columns["hour"] * HOUR_MS
    ends = np.cumsum(points)
    first, last = ends - points, ends - 1
    track = np.repeat(np.arange(len(points)), points)
    time_ms, x, y = columns["time"], columns["x"], columns["y"]
    is_whole = (columns["began"] != _BEGAN_BEFORE) & (columns["ended"] != _GOES_ON)
    for times in (time_ms[first], time_ms[last], columns["first_seen"]):
        is_whole &= (times >= 0) & (times < HOUR_MS)
    return PathArrays(
        file=file,
        points=points,
        first=first,
        last=last,
        hour_ms=hour_ms,
        is_whole=is_whole,
        left=np.minimum.reduceat(x, first) if len(first) else x,
        right=np.maximum.reduceat(x, first) if len(first) else x,
        top=np.minimum.reduceat(y, first) if len(first) else y,
        bottom=np.maximum.reduceat(y, first) if len(first) else y,
        track=track,
        time_ms=time_ms + hour_ms[track],
        x=x,
        y=y,
        height=columns["height"],
        boxes=columns["boxes"],
    )
