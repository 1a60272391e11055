"""Writes the tracks of an hour, and their paths, as pairs of the job's output. Standard library only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from frametally.rules.filmed_time import filmed_time
from frametally.rules.hour_file import paths_value
from frametally.rules.path_columns import (
    LONE_COLUMNS,
    LONE_SIZE_COLUMN,
    POINT_COLUMNS,
    SIZE_COLUMN,
    TRACK_COLUMNS,
    Began,
    Ended,
    PathColumns,
    code_of,
    foot_point,
)
from frametally.rules.places import Size
from frametally.rules.times import DAY_MS, HOUR_MS, RECORD_VERSION
from frametally_hadoop.job.following import TrackedBox
from frametally_hadoop.job.lines import Frame, to_json
from frametally_hadoop.job.paths import TrackEdges, foot_path
from frametally_hadoop.job.sizes import own_boxes, size_changes, size_of

if TYPE_CHECKING:
    from frametally_hadoop.job.visits import Visit


def edges_by_shape(
    footage: Sequence[Frame], sizes: Mapping[Size, Size], stretches: Sequence[tuple[int, int]], gap_ms: int
) -> dict[Size, TrackEdges]:
    """Return by size in which objects are followed when there was footage of that shape."""
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

    `sizes`: of its frames, where they are several.
    """
    hour_end_ms = hour_start_ms + HOUR_MS
    labels = sorted({visit.label for visit in visits} | {box.label for box in lone})
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
            labels.index(visit.label),
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
        feet = [foot_point(*box[2:6]) for box in own]
        of_lone: tuple[list[int], ...] = (
            [hour] * len(own),
            [*range(len(visits), len(visits) + len(own))],
            [labels.index(box.label) for box in own],
            [box.time_ms - hour_start_ms for box in own],
            [x for x, _ in feet],
            [y for _, y in feet],
            [box.height for box in own],
        )
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
