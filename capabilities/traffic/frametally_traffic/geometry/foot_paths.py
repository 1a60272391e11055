"""The path of one object, made whole from the pieces that hours keep of it. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, get_args

from frametally.rules.path_columns import Began, Ended, PathColumns
from frametally.rules.places import Size
from frametally.rules.times import HOUR_MS

Step = tuple[int, ...]


class FootPath(NamedTuple):
    """Where an object stood, one value per point, by event time; all of one length, one point at least.

    Foot points are the middle of the box's lower side; they and heights of boxes are in tenths of a pixel.
    `boxes` are those since the point before, this one included.
    """

    time_ms: tuple[int, ...]
    x: tuple[int, ...]
    y: tuple[int, ...]
    height: tuple[int, ...]
    boxes: tuple[int, ...]


class FollowedPath(NamedTuple):
    """An object's path, of one hour or of several that follow each other, as far as these hours know it.

    Attributes:
        ids: Of its tracks, one for each hour, by time; each is `Track.id`.
        from_ms: Start of its first hour; another path reports what comes before.
        to_ms: End of its last hour; another path reports what comes after.
        size: Size of the pictures that its points are in; None: unknown.
    """

    ids: tuple[str, ...]
    from_ms: int
    to_ms: int
    began: Began
    ended: Ended
    path: FootPath
    size: Size | None = None


def pieces_of(paths: PathColumns, tracks: Iterable[int] | None = None) -> Iterator[FollowedPath]:
    """Yield the path of each track of a day, in the file's order; `tracks`: of those numbers alone.

    Points are all in pixels of pictures of one size (`of_each_shape`).
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
    """Return the whole paths that the pieces of single hours make together, by the id of their first one.

    Of two hours of one object both have the step over the hour: by that they find each other. Pieces may come
    in any order, and more than once.
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
    """Return the path whose points are those of all its pieces, each once: these share the points of a cut.

    A piece begins with a point of one box, whatever came before it: the greater number is the right one.
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
