"""Counting within zones, by foot points: the one rule of counting and proof. Standard library only.

A zone is counted like a source, by the same rules, from the frames of the time in which it is valid. Only
boxes whose foot point is in it take part, so an object that walks in begins a visit.
See `frametally_hadoop.job.map_reduce`.
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
    """A zone of one name: a moved camera's has other corners than before, or none for a while."""

    def __init__(self, shapes: Iterable[ZoneShape]) -> None:
        """Take the zone as it was drawn, for each time that it holds."""
        self._shapes = [*shapes]
        self._on_size: dict[Size, list[tuple[ZoneShape, PictureZone | None]]] = {}

    def boxes_on(self, frame: SizedFrame) -> Callable[[DetectedBox], bool] | None:
        """Return which boxes of a frame are in it; None if it is not valid then, or of another shape."""
        size = frame.width_px, frame.height_px
        if size not in self._on_size:
            self._on_size[size] = [(shape, _zone_on(shape, size)) for shape in self._shapes]
        for shape, zone in self._on_size[size]:
            if shape.is_on(frame):
                return partial(stands_in, zone)
        return None


def _zone_on(shape: ZoneShape, size: Size) -> PictureZone | None:
    """Return a zone on frames of a size; None where it is so small there that nothing can be in it."""
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
    """Return whether a box's foot point is in a zone; its rim belongs to it."""
    if zone is None:
        return False
    left, top, width, height = box.box
    foot = foot_point(round(left * 10), round(top * 10), round(width * 10), round(height * 10))
    return zone.place_of(*foot) >= 0


class _NarrowedFrame(NamedTuple):
    """A frame as a zone has it; see `Frame`."""

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
    """Yield for each zone of a source its place, its distinct frames, and how many lines repeated one."""
    for name, zone in zones_by_name(zones).items():
        dropped = sum(zone.boxes_on(frame) is not None for frame in repeats)
        yield str(Place(source, "zone", (name,))), list(_frames_in(zone, frames)), dropped


def _frames_in(zone: ZoneInTime, frames: Iterable[Frame]) -> Iterator[Frame]:
    for frame in frames:
        is_in = zone.boxes_on(frame)
        if is_in is not None:
            boxes = [*filter(is_in, frame.detections)]
            yield _NarrowedFrame._make((*_own(frame), boxes))
