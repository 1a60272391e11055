"""Reads hour files: everything counted in one source's UTC hour (`hours/.../<HH>-<16 hex>.jsonl`).

An hour file has the counting job's lines of the hour, sorted bytewise: a JSON key, a TAB, a JSON value.

- `["count", source, label, interval_start_ms]`: an `IntervalCount`;
- `["coverage", source, interval_start_ms]`: a `Coverage`;
- `["hour", source, hour_start_ms]`: what it was counted from: lines, repeated lines, picture sizes by medium,
  the minutes at which their shape changes, the rate analysed, and whether objects could be tracked, by label;
- `["paths", source, hour_start_ms]`: the paths of its tracks: `{"model", "columns"}`, with the columns of
  `rules.path_columns` as base64;
- `["track", source, label, number, hour_start_ms]`: a `Track`.

`source` may be a part of the picture (`rules.places`). If intervals do not divide an hour, a file covers
several hours: the least common multiple of both. Standard library only, because a cluster's tasks read it.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from frametally.errors import Poison
from frametally.rules.path_columns import NO_PATHS, PathColumns, decode_paths, encode_paths
from frametally.rules.times import DAY_MS, HOUR_MS

PlaceT = TypeVar("PlaceT")


def length_ms(interval_s: int) -> int:
    """Return how many milliseconds a file covers if its counts have the given interval."""
    return math.lcm(interval_s * 1000, HOUR_MS)


def changed_names(names: Mapping[PlaceT, str], names_before: Iterable[str]) -> dict[PlaceT, str]:
    """Return the names of hours, or of results of hours, that did not exist before.

    A name identifies all inputs of a count, so everything else is unchanged.
    """
    old_names = {*names_before}
    return {place: name for place, name in names.items() if name not in old_names}


def lines_of(data: bytes, kind: str) -> Iterator[bytes]:
    """Yield the lines of one kind, such as `track`, with their line ends."""
    opening = b'["%b",' % kind.encode()
    first = 0 if data.startswith(opening) else data.find(b"\n" + opening) + 1
    while data.startswith(opening, first):
        end = data.index(b"\n", first) + 1
        yield data[first:end]
        first = end


def paths_value(paths: PathColumns) -> dict[str, str]:
    """Return the paths of an hour as the value of their line."""
    return {"model": paths.model, "columns": base64.b64encode(encode_paths(paths)).decode()}


def paths_in(data: bytes) -> Iterator[PathColumns]:
    """Yield the paths in an hour file by place, even if empty, with the sizes of its pictures.

    Raises:
        Poison: The paths cannot be read, or do not say which of several picture sizes they refer to.
    """
    try:
        of_places: dict[str, list[PathColumns]] = {}
        for (_, place, _), value in _values(data, "paths"):
            packed = base64.b64decode(value["columns"], validate=True)
            of_places.setdefault(place, []).append(decode_paths(packed))
        for (_, place, start_ms), hour in _values(data, "hour"):
            sizes = tuple(sorted({(width_px, height_px) for _, width_px, height_px in hour["sizes"]}))
            pictures = tuple(
                (from_ms, (*map(tuple, of_minutes),)) for from_ms, of_minutes in hour.get("pictures", ())
            )
            nothing = PathColumns(hour["model"], place, start_ms // DAY_MS * DAY_MS, (), NO_PATHS)
            for paths in of_places.pop(place, [nothing]):
                if not paths.sizes and paths.columns["hour"] and len(sizes) > 1:
                    raise Poison("its pictures have several sizes, and its paths do not say which is theirs")
                yield paths._replace(sizes=paths.sizes or sizes, pictures=pictures or ((start_ms, sizes),))
        for unsized in of_places.values():
            yield from unsized
    except (ValueError, TypeError, KeyError) as error:
        raise Poison(f"its paths cannot be read: {error!r}") from error


def _values(data: bytes, kind: str) -> Iterator[tuple[Any, Any]]:
    for line in lines_of(data, kind):
        key, _, value = line.partition(b"\t")
        yield json.loads(key), json.loads(value)
