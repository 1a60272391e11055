"""Joins the pieces of an object's path that are stored by hour. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, get_args

from frametally.rules.path_columns import Began, Ended, PathColumns
from frametally.rules.places import Size
from frametally.rules.times import HOUR_MS

Step = tuple[int, ...]


class FootPath(NamedTuple):
    """Where an object stood: columns of equal length by event time, with at least one point.

    Foot points are the middle of the box's lower side; they and the heights of boxes are in tenths of a
    pixel. `boxes` is the number of boxes since the previous point, this one included.
    """

    time_ms: tuple[int, ...]
    x: tuple[int, ...]
    y: tuple[int, ...]
    height: tuple[int, ...]
    boxes: tuple[int, ...]


class FollowedPath(NamedTuple):
    """An object's path in one hour or in several consecutive ones, as far as these hours show it.

    Attributes:
        ids: `Track.id` of its track in each hour, by time.
        from_ms: Start of its first hour; another path reports what comes before.
        to_ms: End of its last hour; another path reports what comes after.
        size: Size of the pictures that its points refer to; None if unknown.
    """

    ids: tuple[str, ...]
    from_ms: int
    to_ms: int
    began: Began
    ended: Ended
    path: FootPath
    size: Size | None = None


def pieces_of(paths: PathColumns, tracks: Iterable[int] | None = None) -> Iterator[FollowedPath]:
    """Yield the path of each track of a day, or of the numbers in `tracks`, in the file's order.

    All points refer to pictures of one size (`of_each_shape`).
    """
    columns = paths.columns
    firsts = paths.first_points()
    size = paths.sizes[0] if paths.sizes else None
    began, endings = get_args(Began), get_args(Ended)
    for track in range(len(columns["hour"])) if tracks is None else tracks:
        start_ms = paths.day_start_ms + columns["hour"][track] * HOUR_MS
        points = slice(firsts[track], firsts[track + 1])
        yield FollowedPath(
            (f"{start_ms}-{columns['number'][track]}",),
            start_ms,
            start_ms + HOUR_MS,
            began[columns["began"][track]],
            endings[columns["ended"][track]],
            FootPath(
                tuple(start_ms + ms for ms in columns["time"][points]),
                *(tuple(columns[name][points]) for name in ("x", "y", "height", "boxes")),
            ),
            size,
        )


def joined(pieces: Iterable[FollowedPath]) -> list[FollowedPath]:
    """Join the pieces of single hours and return the whole paths, by the id of their first piece.

    Two successive pieces of an object match because both have the step across the hour. Pieces may come in
    any order, and more than once.
    """
    by_id = {piece.ids: piece for piece in pieces}
    ordered = [by_id[ids] for ids in sorted(by_id)]
    open_pieces: dict[Step, list[FollowedPath]] = {}
    for piece in reversed(ordered):
        if piece.began == "hour":
            open_pieces.setdefault(_step(piece.path, 0), []).append(piece)
    next_of: dict[tuple[str, ...], FollowedPath] = {}
    for piece in ordered:
        if piece.ended == "hour" and (matches := open_pieces.get(_step(piece.path, len(piece.path.x) - 2))):
            next_of[piece.ids] = matches.pop()
    continued = {piece.ids for piece in next_of.values()}
    return [_whole(piece, next_of) for piece in ordered if piece.ids not in continued]


def _whole(piece: FollowedPath, next_of: dict[tuple[str, ...], FollowedPath]) -> FollowedPath:
    run = [piece]
    while run[-1].ids in next_of:
        run.append(next_of[run[-1].ids])
    if len(run) == 1:
        return piece
    ids = tuple(track_id for part in run for track_id in part.ids)
    path = stitched(part.path for part in run)
    return FollowedPath(ids, piece.from_ms, run[-1].to_ms, piece.began, run[-1].ended, path, piece.size)


def stitched(paths: Iterable[FootPath]) -> FootPath:
    """Return the path with the points of all its pieces, each once: successive pieces share points.

    The first point of a piece always counts one box, so of two numbers the greater is right.
    """
    boxes: dict[tuple[int, int, int, int], int] = {}
    for path in paths:
        for *place, number in zip(*path, strict=True):
            time_ms, x, y, height = place
            key = time_ms, x, y, height
            boxes[key] = max(number, boxes.get(key, 0))
    return FootPath(*zip(*(((*place, boxes[place])) for place in sorted(boxes)), strict=True))


def _step(path: FootPath, first: int) -> Step:
    points = slice(max(first, 0), first + 2)
    return (*path.time_ms[points], *path.x[points], *path.y[points])
