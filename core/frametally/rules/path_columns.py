"""Stores the paths of one source's tracks as columns, so that a line can be counted in an instant.

`rules.columns` defines the format. Hour files have the paths of an hour; `day_paths` joins a day. Standard
library only, because a cluster's tasks read it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Literal, NamedTuple, get_args

from frametally.errors import Poison
from frametally.rules.columns import decode_columns, encode_columns, joined
from frametally.rules.places import Size, common_sizes, scaled
from frametally.rules.times import HOUR_MS

Began = Literal["border", "found", "gap", "footage", "hour"]
"""How a track began: at the picture's border; within the picture; at the end of a gap in the footage (of at
most a minute); at the start of the footage; or as the continuation of a track of the hour before.
"""

FROM_START: tuple[Began, ...] = ("gap", "footage")
"""Ways to begin of objects that did not arrive but were there when the footage began."""

Ended = Literal["border", "lost", "gap", "footage", "hour"]
"""How a track ended, with the same meanings; `hour` if it continues in the next hour."""

TRACK_COLUMNS = ("hour", "number", "label", "is_counted", "began", "ended", "first_seen", "points")
"""One value per track, ordered by hour and number:

- `hour`: hour of the day, 0 to 23;
- `number`: number of the track in its hour; its `Track.id` is `<hour_start_ms>-<number>`;
- `label`: index in the file's labels;
- `is_counted`: 1, or 0 if an earlier hour has counted it;
- `began`, `ended`: index in the values of `Began` and `Ended`;
- `first_seen`: milliseconds since the hour began;
- `points`: how many points its path has.
"""

POINT_COLUMNS = ("time", "x", "y", "height", "boxes")
"""One value per point of the paths, track by track, by time:

- `time`: milliseconds since the track's hour began; at least -60,000, for the last point before the hour;
- `x`, `y`: foot point, the middle of the box's lower side, in tenths of a pixel of its frame;
- `height`: height of the box, in tenths of a pixel;
- `boxes`: boxes since the previous point, including this one.
"""

NO_PATHS: Mapping[str, Sequence[int]] = {name: array("q") for name in (*TRACK_COLUMNS, *POINT_COLUMNS)}
"""The columns of an hour without tracks."""

SIZE_COLUMN = "size"
"""The index of each point's frame size in the file's sizes; omitted if there is only one size."""

LONE_COLUMNS = ("lone_hour", "lone_number", "lone_label", "lone_time", "lone_x", "lone_y", "lone_height")
"""One value per box that could begin a track but got no second box, for example because it moves too far
between frames; omitted if there are none. The meanings are those of tracks and points; in addition:

- `lone_number`: continues the numbers of the hour's tracks;
- `lone_size`: as `size`.
"""

LONE_SIZE_COLUMN = "lone_size"

UNSEEN_MS = 1000
"""Both ends of a longer time without a box are points of the path, as nothing was measured between them."""


class PathColumns(NamedTuple):
    """The paths of one day's tracks of one source.

    Attributes:
        day_start_ms: Start of the UTC day.
        labels: The labels that occur, sorted.
        columns: Columns by the names of `TRACK_COLUMNS`, `POINT_COLUMNS` and `SIZE_COLUMN`. All points of a
            track are from frames of one shape.
        sizes: Frame sizes of the points, sorted; empty if there are none.
        pictures: Starts of hours (or of hours that are counted together), each with the sizes of all pictures
            until the next start.
    """

    model: str
    source: str
    day_start_ms: int
    labels: tuple[str, ...]
    columns: Mapping[str, Sequence[int]]
    sizes: tuple[Size, ...] = ()
    pictures: tuple[tuple[int, tuple[Size, ...]], ...] = ()

    def first_points(self) -> list[int]:
        """Return the index of the first point of each track, followed by the number of all points."""
        return [0, *accumulate(self.columns["points"])]

    def paths(self) -> list[list[tuple[int, float, float, float]]]:
        """Return the points `(time_ms, x, y, height)` of each track: event time, pixels of the frame."""
        place = zip(*(self.columns[name] for name in ("time", "x", "y", "height")), strict=True)
        points = [(ms, x / 10, y / 10, height / 10) for ms, x, y, height in place]
        hours = [self.day_start_ms + hour * HOUR_MS for hour in self.columns["hour"]]
        return [
            [(hour_ms + ms, *foot) for ms, *foot in points[first:end]]
            for hour_ms, (first, end) in zip(hours, pairwise(self.first_points()), strict=True)
        ]


def encode_paths(paths: PathColumns) -> bytes:
    """Return the bytes of a file of paths."""
    about = {"model": paths.model, "source": paths.source, "day_start_ms": paths.day_start_ms}
    sizes = {"sizes": paths.sizes} if paths.sizes else {}
    return encode_columns({**about, "labels": paths.labels, **sizes}, paths.columns)


def decode_paths(data: bytes) -> PathColumns:
    """Return the paths in a file of paths.

    Raises:
        Poison: It is not such a file, has another version, or is truncated.
    """
    about, columns = decode_columns(data, "paths")
    try:
        if len(columns["time"]) != sum(columns["points"]):
            raise Poison("its columns have different lengths")
        about["labels"], about["sizes"] = tuple(about["labels"]), tuple(map(tuple, about.get("sizes", ())))
        return PathColumns(**about, columns=columns)
    except (TypeError, KeyError) as error:
        raise Poison(f"not a valid path file: {error!r}") from error


def day_paths(hours: Sequence[PathColumns]) -> PathColumns:
    """Return the joined paths of at least one hour of a source and day, ordered by hour."""
    if len(hours) == 1:
        return hours[0]
    pictures = tuple(sorted(of_hour for paths in hours for of_hour in paths.pictures))
    ordered = sorted((paths for paths in hours if _hours_of(paths)), key=_hours_of)
    if len(ordered) < 2:
        return (ordered or hours)[0]._replace(pictures=pictures)
    labels = tuple(sorted({label for paths in ordered for label in paths.labels}))
    sizes = tuple(sorted({size for paths in ordered for size in paths.sizes}))
    columns: dict[str, Sequence[int]] = {}
    names = *TRACK_COLUMNS, *POINT_COLUMNS, *[SIZE_COLUMN] * (len(sizes) > 1)
    if any("lone_hour" in paths.columns for paths in ordered):
        names = *names, *LONE_COLUMNS, *[LONE_SIZE_COLUMN] * (len(sizes) > 1)
    for name in names:
        if name in ("label", "lone_label"):
            of_hours = [_numbered(paths.columns.get(name, ()), paths.labels, labels) for paths in ordered]
        elif name in (SIZE_COLUMN, LONE_SIZE_COLUMN):
            of_hours = [_numbered(size_column(paths, name), paths.sizes, sizes) for paths in ordered]
        else:
            of_hours = [paths.columns.get(name, ()) for paths in ordered]
        columns[name] = joined(of_hours)
    return ordered[0]._replace(labels=labels, columns=columns, sizes=sizes, pictures=pictures)


def _numbered(column: Sequence[int], own: Sequence[object], every: Sequence[object]) -> Sequence[int]:
    """Return indices in `own` as indices in `every`."""
    numbers = [every.index(value) for value in own]
    return [numbers[index] for index in column]


def _hours_of(paths: PathColumns) -> list[int]:
    """Return the hour of an hour's tracks and lone boxes, as a list that is empty if it has none."""
    return [*paths.columns["hour"][:1], *paths.columns.get("lone_hour", ())[:1]][:1]


def size_column(paths: PathColumns, name: str = SIZE_COLUMN) -> Sequence[int]:
    """Return the index of the frame size of each point, or of each lone box with `LONE_SIZE_COLUMN`."""
    times = "time" if name == SIZE_COLUMN else "lone_time"
    return paths.columns.get(name) or [0] * len(paths.columns.get(times, ()))


def of_each_shape(files: Sequence[PathColumns]) -> Iterator[tuple[Size | None, list[PathColumns]]]:
    """Yield the largest picture size of each shape with the tracks in such pictures, scaled to that size.

    If there are no sizes, yield None once with the files as they are.
    """
    common = common_sizes(size for paths in files for size in paths.sizes)
    for size in dict.fromkeys(common.values()):
        yield size, [_paths_on(paths, size, common) for paths in files]
    if not common:
        yield None, [*files]


def _paths_on(paths: PathColumns, size: Size, common: Mapping[Size, Size]) -> PathColumns:
    if paths.sizes in {(), (size,)}:
        return paths
    sizes, firsts = [paths.sizes[index] for index in size_column(paths)], paths.first_points()
    tracks = [track for track, first in enumerate(firsts[:-1]) if common[sizes[first]] == size]
    points = [point for track in tracks for point in range(firsts[track], firsts[track + 1])]
    columns = {name: [paths.columns[name][track] for track in tracks] for name in TRACK_COLUMNS}
    for name in POINT_COLUMNS:
        column = paths.columns[name]
        if name in _SIDE_OF:
            side = _SIDE_OF[name]
            columns[name] = [scaled(column[point], sizes[point][side], size[side]) for point in points]
        else:
            columns[name] = [column[point] for point in points]
    lone_sizes = [paths.sizes[index] for index in size_column(paths, LONE_SIZE_COLUMN)]
    lone = [number for number, own in enumerate(lone_sizes) if common[own] == size]
    for name in LONE_COLUMNS if lone else ():
        column, of_side = paths.columns[name], _SIDE_OF.get(name.removeprefix("lone_"))
        columns[name] = [
            column[box] if of_side is None else scaled(column[box], lone_sizes[box][of_side], size[of_side])
            for box in lone
        ]
    return paths._replace(columns=columns, sizes=(size,))


_SIDE_OF = {"x": 0, "y": 1, "height": 1}


def code_of(way: str, ways: object) -> int:
    """Return the code of a value of `Began` or `Ended` in a column."""
    return get_args(ways).index(way)


def foot_point(left: int, top: int, width: int, height: int) -> tuple[int, int]:
    """Return the foot point of a box; all in tenths of a pixel, y downwards."""
    return left + width // 2, top + height
