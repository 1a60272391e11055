"""Counting within zones, by foot points: the one rule of counting and proof. Standard library only.

A zone is counted like a source, by the same rules, from the frames of the time in which it is valid. Only
boxes whose foot point is in it take part, so an object that walks in begins a visit.
See `frametally_hadoop.job.map_reduce`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from operator import attrgetter
from typing import NamedTuple, cast

from frametally.rules.counted_boxes import DetectedBox
from frametally.rules.path_columns import foot_point
from frametally.rules.places import Corners, Place, Zones, ZoneShape
from frametally_hadoop.job.lines import Frame
from frametally_traffic.geometry.crossings import Place as PicturePlace
from frametally_traffic.geometry.zones import PictureZone


class ZoneInTime:
    """A zone of one name: a moved camera's has other corners than before, or none for a while."""

    def __init__(self, shapes: Iterable[ZoneShape]) -> None:
        """Take the zone as it was drawn, for each time that it holds."""
        self._shapes = [(shape, zone) for shape in shapes if (zone := _picture_zone(shape.points))]

    def zone_at(self, time_ms: int) -> PictureZone | None:
        """Return its part of the picture at an event time; None where it does not hold."""
        return next((zone for shape, zone in self._shapes if shape.holds_at(time_ms)), None)

    def boxes_at(self, time_ms: int) -> Callable[[DetectedBox], bool] | None:
        """Return which boxes are in it at an event time; None if it is not valid then."""
        zone = self.zone_at(time_ms)
        return None if zone is None else partial(stands_in, zone)


def zones_by_name(shapes: Iterable[ZoneShape]) -> dict[str, ZoneInTime]:
    """Return the zones of one source by their names, sorted."""
    shapes = list(shapes)
    return {
        name: ZoneInTime(shape for shape in shapes if shape.name == name)
        for name in sorted({shape.name for shape in shapes})
    }


def stands_in(zone: PictureZone, box: DetectedBox) -> bool:
    """Return whether a box's foot point is in a zone; its rim belongs to it."""
    left, top, width, height = box.box
    foot = foot_point(round(left * 10), round(top * 10), round(width * 10), round(height * 10))
    return zone.place_of(*foot) >= 0


@lru_cache(maxsize=1024)
def _picture_zone(points: Corners) -> PictureZone | None:
    """Return the part of the picture; None where it is so small that its corners are in one line."""
    try:
        return PictureZone(cast("Sequence[PicturePlace]", points))
    except ValueError:
        return None


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
        dropped = sum(zone.zone_at(frame.captured_at_ms) is not None for frame in repeats)
        yield str(Place(source, "zone", (name,))), list(_frames_in(zone, frames)), dropped


def _frames_in(zone: ZoneInTime, frames: Iterable[Frame]) -> Iterator[Frame]:
    for frame in frames:
        part = zone.zone_at(frame.captured_at_ms)
        if part is not None:
            boxes = [box for box in frame.detections if stands_in(part, box)]
            yield _NarrowedFrame._make((*_own(frame), boxes))
