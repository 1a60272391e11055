"""Prepares drawings for counting, and finds the sizes of stored pictures.

Needs numpy to fit calibrations; its results travel to a cluster's tasks, which need none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from frametally import keys
from frametally.errors import Misconfigured, Poison
from frametally.files.jpeg_header import jpeg_size_px
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.records import MediaManifest, Run
from frametally.rules.places import Size, ZoneShape, has_one_shape
from frametally.rules.times import DAY_MS, FIRST_MS, NEXT_MS
from frametally_traffic.drawings.drawing_checks import DrawingRefused, calibration_of, subject
from frametally_traffic.flows.shapes import FlowInputs, LineShape, Shapes
from frametally_traffic.geometry.speed import Ground
from frametally_traffic.records import Drawing, Drawn, DrawnZone

_HEADER_BYTES = 1 << 16
_MOST_LOOKED_AT = 10


class FoundPicture(NamedTuple):
    """A stored picture: its key, its event time, and its size."""

    image_path: str
    captured_at_ms: int
    size_px: Size


def stored_sizes(
    store: ObjectStore, media: Sequence[MediaManifest], from_ms: int | None, to_ms: int | None
) -> list[Size]:
    """Return the sizes of a source's stored pictures in `[from_ms, to_ms)`, the newest picture's first.

    It reads one picture of the newest and one of the oldest medium in that time; if there is none (yet), one
    of the newest medium of all. Empty if the store has no pictures.
    """
    spans = spans_of(media)
    begins, ends = FIRST_MS if from_ms is None else from_ms, NEXT_MS if to_ms is None else to_ms
    spans_in_range = [
        (first_ms, last_ms) for first_ms, last_ms in spans if first_ms < ends and last_ms >= begins
    ]
    spans_in_range = spans_in_range or spans[-1:]
    source = media[0].source if media else ""
    pictures = [
        picture_from(store, source, first_ms) for first_ms, _ in (*spans_in_range[-1:], *spans_in_range[:1])
    ]
    return list(dict.fromkeys(picture.size_px for picture in pictures if picture is not None))


def spans_of(media: Iterable[MediaManifest]) -> list[tuple[int, int]]:
    """Return the first and the last event time of each medium that has frames, sorted."""
    return sorted(
        (medium.first_captured_at_ms, medium.last_captured_at_ms)
        for medium in media
        if medium.first_captured_at_ms is not None and medium.last_captured_at_ms is not None
    )


def check_size(shape: Drawn, frame_sizes: Sequence[Size]) -> None:
    """Check that a shape was drawn over a picture with the aspect ratio of the source's, at any resolution.

    `frame_sizes`: sizes of the source's stored pictures; with none, any picture passes.

    Raises:
        DrawingRefused: No picture of the source has that shape.
    """
    drawn_size = (shape.width_px, shape.height_px)
    if not frame_sizes or any(has_one_shape(drawn_size, size) for size in frame_sizes):
        return
    sizes = " or ".join(f"{width_px}x{height_px}" for width_px, height_px in frame_sizes)
    raise DrawingRefused(
        f"{subject(shape)} was drawn over a picture of {shape.width_px}x{shape.height_px} pixels, but "
        f"pictures of this source have {sizes}: choose the right source, or draw it over a frame of this "
        "source"
    )


def picture_from(store: ObjectStore, source: str, from_ms: int) -> FoundPicture | None:
    """Return the first stored picture of a UTC day from an event time on, or None."""
    folder = keys.image_folder(source, keys.utc_day(from_ms))
    for info in islice(store.list(folder, f"{folder}/{from_ms}"), _MOST_LOOKED_AT):
        name = keys.parse_image_name(info.key.rpartition("/")[2])
        try:
            size_px = jpeg_size_px(store.get_range(info.key, 0, _HEADER_BYTES))
        except (ObjectMissing, Poison):
            continue
        if name is not None:
            return FoundPicture(info.key, name.captured_at_ms, size_px)
    return None


def shapes_of(drawing: Drawing) -> Shapes:
    """Return a drawing's shapes of all times, in pixels of the pictures that they were drawn over.

    A calibration without metres is left out.

    Raises:
        DrawingRefused: A calibration is not usable.
    """
    lines = [
        LineShape(line.name, line.points, line.inward, line.from_ms, line.to_ms, _size(line))
        for line in drawing.lines
    ]
    return Shapes(tuple(lines), tuple(map(zone_shape, drawing.zones)), tuple(_grounds(drawing)))


def zone_shape(zone: DrawnZone) -> ZoneShape:
    """Return a zone as runs record it."""
    return ZoneShape(zone.name, zone.points, zone.from_ms, zone.to_ms, _size(zone))


def _size(shape: Drawn) -> Size:
    return shape.width_px, shape.height_px


def _grounds(drawing: Drawing) -> Iterator[Ground]:
    for calibration in drawing.calibrations:
        try:
            ground = calibration_of(calibration)
        except Misconfigured as error:
            raise DrawingRefused(f"{subject(calibration)}: {error}") from error
        if ground is not None:
            yield Ground(
                ground.matrix,
                ground.reach_px,
                ground.scale_error,
                calibration.from_ms,
                calibration.to_ms,
                _size(calibration),
            )


def flow_inputs(runs: Mapping[str, Run], day: str, source: str, shapes: Shapes) -> FlowInputs:
    """Return the inputs of the flows of a source and UTC day.

    `runs`: the current runs of one model and base interval by day, including that day's. `shapes`: the
    source's whole drawing.
    """
    start_ms = keys.day_start_ms(day)
    around = [keys.utc_day(start_ms + days * DAY_MS) for days in (-1, 0, 1)]
    shapes = shapes.between(start_ms, start_ms + DAY_MS)
    paths = tuple(runs[near].hours.get(source) if near in runs else None for near in around)
    return FlowInputs(runs[day].model, source, start_ms, paths, shapes)
