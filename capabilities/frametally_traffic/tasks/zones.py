"""Counts within zones by foot points, by the same rule for counts and proof. Standard library only.

A zone is counted like a source, from the frames of the time in which it is valid. Only boxes whose foot point
is in it count, so an object that walks in begins a visit. See `frametally_hadoop.job.map_reduce`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import attrgetter
from typing import NamedTuple, cast

from frametally.rules.counted_boxes import DetectedBox
from frametally.rules.path_columns import foot_point
from frametally.rules.places import Place, Size, SizedFrame, Zones, ZoneShape
from frametally_hadoop.job.lines import Frame
from frametally_traffic.flows.shapes import corners_on
from frametally_traffic.geometry.crossings import Place as PicturePlace
from frametally_traffic.geometry.zones import PictureZone


class ZoneInTime:
    """All zones of one name; after the camera moved, a zone may have other corners, or none for a while."""

    def __init__(self, shapes: Iterable[ZoneShape]) -> None:
        """Take the zone's shapes, each with the time when it is valid."""
        self._shapes = [*shapes]
        self._on_size: dict[Size, list[tuple[ZoneShape, PictureZone | None]]] = {}

    def boxes_on(self, frame: SizedFrame) -> Callable[[DetectedBox], bool] | None:
        """Return a filter for a frame's boxes in the zone; None if no shape is valid then and fits."""
        size = frame.width_px, frame.height_px
        if size not in self._on_size:
            self._on_size[size] = [(shape, _zone_on(shape, size)) for shape in self._shapes]
        for shape, zone in self._on_size[size]:
            if shape.is_on(frame):
                return partial(stands_in, zone)
        return None


def _zone_on(shape: ZoneShape, size: Size) -> PictureZone | None:
    """Return a zone on frames of a size; None if it is too small there to contain anything."""
    try:
        corners = corners_on(shape, size if all(size) else None)
        return None if corners is None else PictureZone(cast("Sequence[PicturePlace]", corners))
    except ValueError:
        return None


def zones_by_name(shapes: Iterable[ZoneShape]) -> dict[str, ZoneInTime]:
    """Return the zones of one source by their names, sorted."""
    shapes = list(shapes)
    return {
        name: ZoneInTime(shape for shape in shapes if shape.name == name)
        for name in sorted({shape.name for shape in shapes})
    }


def stands_in(zone: PictureZone | None, box: DetectedBox) -> bool:
    """Return whether a box's foot point is in a zone or on its rim."""
    if zone is None:
        return False
    left, top, width, height = box.box
    foot = foot_point(round(left * 10), round(top * 10), round(width * 10), round(height * 10))
    return zone.place_of(*foot) >= 0


class _NarrowedFrame(NamedTuple):
    """A frame with the boxes within a zone; see `Frame`."""

    image_path: str
    source: str
    captured_at_ms: int
    width_px: int
    height_px: int
    media: str
    time_source: str
    model: str
    shows: str
    picture_digest: str
    detections: Sequence[DetectedBox]


_own = attrgetter(*_NarrowedFrame._fields[:-1])


def narrowed(
    source: str, zones: Zones, frames: Sequence[Frame], repeats: Sequence[Frame]
) -> Iterator[tuple[str, Sequence[Frame], int]]:
    """Yield each zone of a source with its place, its distinct frames, and the number of repeated lines."""
    for name, zone in zones_by_name(zones).items():
        dropped = sum(zone.boxes_on(frame) is not None for frame in repeats)
        yield str(Place(source, "zone", (name,))), list(_frames_in(zone, frames)), dropped


def _frames_in(zone: ZoneInTime, frames: Iterable[Frame]) -> Iterator[Frame]:
    for frame in frames:
        is_in = zone.boxes_on(frame)
        if is_in is not None:
            boxes = [*filter(is_in, frame.detections)]
            yield _NarrowedFrame._make((*_own(frame), boxes))
