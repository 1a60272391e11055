"""Takes the lines of unchanged hours from a day's current run, in the form of the job's output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Literal

import msgspec

from frametally.books.runs import read_parts, read_paths, read_track_parts
from frametally.history_records import CountedHour
from frametally.ports.object_store import ObjectStore
from frametally.records import Run
from frametally.rules.path_columns import POINT_COLUMNS, TRACK_COLUMNS, PathColumns
from frametally.rules.places import source_of
from frametally.rules.times import HOUR_MS
from frametally.track_records import TrackHead
from frametally_hadoop.planning.hours import SourceHour

Unchanged = Mapping[SourceHour, CountedHour]
Interval = tuple[str, int]
"""A source, or a part of its picture, and the start of an interval in milliseconds."""


class _Frames(msgspec.Struct):
    frames: int


def read_kept(
    store: ObjectStore, run: Run, unchanged: Unchanged, covered: dict[Interval, int]
) -> Iterator[tuple[Literal["lines", "tracks", "paths"], Sequence[bytes], int]]:
    """Yield kind, lines and frames of the `unchanged` hours; fill `covered` with the frames of all hours.

    Raises `Poison`: a file is damaged or gone.
    """
    decode_frames = msgspec.json.Decoder(_Frames).decode
    place_in = cache(lambda series: msgspec.json.decode(series + b"]")[1])
    for _, data in read_parts(store, run):
        lines, frames = [], 0
        for line in data.splitlines(keepends=True):
            series, _, start = line[: line.index(b"\t")].rpartition(b",")
            start_ms = int(start[:-1])
            place = place_in(series)
            is_kept = _has(unchanged, place, start_ms)
            if is_kept:
                lines.append(line)
            if series.startswith(b'["coverage"'):
                covered[place, start_ms] = decode_frames(line.partition(b"\t")[2]).frames
                frames += covered[place, start_ms] if is_kept else 0
        yield "lines", lines, frames
    decode_head, to_json = msgspec.json.Decoder(TrackHead).decode, msgspec.json.Encoder().encode
    for _, data in read_track_parts(store, run):
        tracks = []
        for line in data.splitlines(keepends=True):
            head = decode_head(line)
            if _has(unchanged, head.source, head.hour_start_ms):
                number = int(head.id.rpartition("-")[2])
                key = to_json(["track", head.source, head.label, number, head.hour_start_ms])
                tracks.append(key + b"\t" + line)
        yield "tracks", tracks, 0
    for paths in read_paths(store, run) if run.paths else ():
        for hour_ms, columns in _by_hour(paths):
            if _has(unchanged, paths.source, hour_ms):
                key = to_json(["paths", paths.source, hour_ms])
                yield "paths", [key + b"\t" + to_json({"model": paths.model, **columns}) + b"\n"], 0


def _has(unchanged: Unchanged, place: str, time_ms: int) -> bool:
    return (source_of(place), time_ms - time_ms % HOUR_MS) in unchanged


def _by_hour(paths: PathColumns) -> Iterator[tuple[int, dict[str, list[int] | list[str]]]]:
    """Yield the start of each hour with tracks, and its columns, as `visits` has them."""
    hours, points = paths.columns["hour"], paths.first_points()
    firsts = [index for index, hour in enumerate(hours) if not index or hours[index - 1] != hour]
    for first, end in pairwise([*firsts, len(hours)]):
        columns: dict[str, list[int] | list[str]] = {
            name: list(paths.columns[name][first:end]) for name in TRACK_COLUMNS if name != "hour"
        }
        columns["label"] = [paths.labels[index] for index in paths.columns["label"][first:end]]
        for name in POINT_COLUMNS:
            columns[name] = list(paths.columns[name][points[first] : points[end]])
        yield paths.day_start_ms + hours[first] * HOUR_MS, columns
