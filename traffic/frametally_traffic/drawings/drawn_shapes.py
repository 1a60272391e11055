"""Prepares drawings for counting: from pixels of the original picture to stored frames.

Needs numpy, as a calibration's matrix does; what it returns travels to a cluster's tasks, which have none.
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
from frametally.rules.places import Corners, ZoneShape
from frametally.rules.times import DAY_MS, FIRST_MS, NEXT_MS
from frametally_traffic.drawings.drawing_checks import DrawingRefused, calibration_of, subject
from frametally_traffic.flows.shapes import FlowInputs, LineShape, Shapes
from frametally_traffic.geometry.crossings import Border, tenths
from frametally_traffic.geometry.speed import Ground
from frametally_traffic.geometry.zones import PictureZone
from frametally_traffic.records import Drawing, Drawn, DrawnLine, DrawnZone

_HEADER_BYTES = 1 << 16
_MOST_LOOKED_AT = 10

Size = tuple[int, int]
"""Width and height in pixels."""


class FoundPicture(NamedTuple):
    """A stored picture: its key, its event time, and its size."""

    image_path: str
    captured_at_ms: int
    size_px: Size


def stored_sizes(
    store: ObjectStore, media: Sequence[MediaManifest], from_ms: int | None, to_ms: int | None
) -> list[Size]:
    """Return the sizes of a source's stored pictures of `[from_ms, to_ms)`, that of the newest first.

    It reads one picture of the newest and one of the oldest medium of that time; without one (yet), of the
    newest of all. Empty if the store has no pictures.
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


def check_size(shape: Drawn, frame_sizes: Sequence[Size], max_side_px: int) -> None:
    """Check that a shape was drawn over a picture of the source, stored or original.

    `frame_sizes`: sizes of the source's stored pictures; with none, any size passes. `max_side_px`: longest
    side that larger pictures were shrunk to; 0: they were not.

    Raises:
        DrawingRefused: The source has no pictures of that size.
    """
    if not frame_sizes or any(_is_of(shape, size, max_side_px) for size in frame_sizes):
        return
    sizes = " or ".join(f"{width_px}x{height_px}" for width_px, height_px in frame_sizes)
    raise DrawingRefused(
        f"{subject(shape)} was drawn over a picture of {shape.width_px}x{shape.height_px} pixels, but "
        f"pictures of this source have {sizes}: choose the right source, or draw it over a frame of this "
        "source"
    )


def _is_of(shape: Drawn, size: Size, max_side_px: int) -> bool:
    drawn_size = (shape.width_px, shape.height_px)
    if drawn_size == size:
        return True
    longest_px, stored_px = max(drawn_size), max(size)
    was_shrunk = stored_px == max_side_px < longest_px
    return was_shrunk and all(
        abs(side * stored_px - stored_side * longest_px) <= longest_px / 2
        for side, stored_side in zip(drawn_size, size, strict=True)
    )


def picture_from(store: ObjectStore, source: str, from_ms: int) -> FoundPicture | None:
    """Return the first stored picture of a UTC day from an event time on; None if there are none."""
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


def shapes_of(drawing: Drawing, frame_size: Size) -> Shapes:
    """Return a drawing's shapes over stored frames of a size, of all times.

    A calibration that tells no metres is left out.

    Raises:
        DrawingRefused: One is nothing on so small a frame, or a calibration tells nothing.
    """
    lines, zones = [], []
    for line in drawing.lines:
        points = _on_frame(line, frame_size)
        lines.append(LineShape(line.name, points, line.inward, line.from_ms, line.to_ms))
    for zone in drawing.zones:
        zones.append(ZoneShape(zone.name, _on_frame(zone, frame_size), zone.from_ms, zone.to_ms))
    return Shapes(tuple(lines), tuple(zones), tuple(_grounds(drawing, frame_size)))


def _on_frame(shape: DrawnLine | DrawnZone, frame_size: Size) -> Corners:
    width_px, height_px = frame_size
    points = tuple(
        tenths([(x * width_px / shape.width_px, y * height_px / shape.height_px) for x, y in shape.points])
    )
    try:
        PictureZone(points) if isinstance(shape, DrawnZone) else Border(points)
    except ValueError as error:
        raise DrawingRefused(
            f"{subject(shape)} is too small on frames of {width_px}x{height_px} pixels: draw it larger"
        ) from error
    return points


def _grounds(drawing: Drawing, frame_size: Size) -> Iterator[Ground]:
    for calibration in drawing.calibrations:
        try:
            ground = calibration_of(calibration)
        except Misconfigured as error:
            raise DrawingRefused(f"{subject(calibration)}: {error}") from error
        if ground is None:
            continue
        # A pixel of a frame is so many of the original picture.
        by_x, by_y = calibration.width_px / frame_size[0], calibration.height_px / frame_size[1]
        a, b, c, d, e, f, g, h, i = ground.matrix
        matrix = (a * by_x, b * by_y, c, d * by_x, e * by_y, f, g * by_x, h * by_y, i)
        left, top, right, bottom = ground.reach_px
        reach_px = (left / by_x, top / by_y, right / by_x, bottom / by_y)
        yield Ground(matrix, reach_px, ground.scale_error, calibration.from_ms, calibration.to_ms)


def path_identities(run: Run) -> Mapping[str, str | int] | None:
    """Return by source what changes with the paths of a run's tracks; None: these have no foot points."""
    if run.hours_crc32 is not None:
        return run.hours
    return None if run.paths is None else {file.source: file.crc32 for file in run.paths}


def flow_inputs(runs: Mapping[str, Run], day: str, source: str, shapes: Shapes) -> FlowInputs:
    """Return the inputs of the flows of a source and UTC day.

    `runs`: the current runs of one model and base interval, by day; that day's is among them.
    """
    start_ms = keys.day_start_ms(day)
    around = [keys.utc_day(start_ms + days * DAY_MS) for days in (-1, 0, 1)]
    return FlowInputs(
        runs[day].model,
        source,
        start_ms,
        tuple((path_identities(runs[near]) or {}).get(source) if near in runs else None for near in around),
        shapes.between(start_ms, start_ms + DAY_MS),
    )


class DrawnShapes:
    """The drawing of one source, day by day, in the pixels of its stored pictures."""

    def __init__(self, store: ObjectStore, drawing: Drawing, media: Sequence[MediaManifest]) -> None:
        """Look at the sizes of the newest and the oldest picture; `media` are the source's manifests."""
        self._store = store
        self._drawing = drawing
        self._media = media
        self._of_size: dict[Size, Shapes] = {}
        self._sizes = stored_sizes(store, media, None, None) if drawing.shapes and media else []

    def of_day(self, day_start_ms: int) -> Shapes:
        """Return what holds in some of a UTC day."""
        end_ms = day_start_ms + DAY_MS
        if not any(shape.holds_in(day_start_ms, end_ms) for shape in self._drawing.shapes):
            return Shapes()
        size = self._size_of(day_start_ms, end_ms)
        if size not in self._of_size:
            self._of_size[size] = shapes_of(self._drawing, size)
        return self._of_size[size].between(day_start_ms, end_ms)

    def _size_of(self, from_ms: int, to_ms: int) -> Size:
        """Return the size of that time's pictures; where none is left to look at, that of what is drawn."""
        sizes = self._sizes
        if len(sizes) > 1:
            sizes = stored_sizes(self._store, self._media, from_ms, to_ms) or sizes
        shape = self._drawing.shapes[0]
        return sizes[0] if sizes else (shape.width_px, shape.height_px)
