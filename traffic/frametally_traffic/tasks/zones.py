"""Counting within zones, by foot points: the one rule of counting and proof. Standard library only.

A zone is counted like a source, by the same rules, from the frames of the time in which it is valid. Only
boxes whose foot point is in it take part, so an object that walks in begins a visit.
See `frametally_hadoop.job.map_reduce`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any, NamedTuple, cast

from frametally.rules.counted_boxes import DetectedBox
from frametally.rules.path_columns import foot_point
from frametally.rules.places import ZONES, Corners, Place, ZoneShape
from frametally_hadoop.job.lines import Frame
from frametally_hadoop.job.picture_parts import FramesOfPart
from frametally_traffic.flows.shapes import Shapes, holds_at
from frametally_traffic.geometry.crossings import Place as PicturePlace
from frametally_traffic.geometry.zones import PictureZone


class ZoneInTime:
    """A zone of one name: a moved camera's has other corners than before, or none for a while."""

    def __init__(self, shapes: Iterable[ZoneShape]) -> None:
        """Take the zone as it was drawn, for each time that it holds."""
        self._shapes = [(shape, zone) for shape in shapes if (zone := _picture_zone(shape.points))]

    def zone_at(self, time_ms: int) -> PictureZone | None:
        """Return its part of the picture at an event time; None where it does not hold."""
        return next((zone for shape, zone in self._shapes if holds_at(shape, time_ms)), None)

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


Zones = tuple[ZoneShape, ...]


class ZoneWork(NamedTuple):
    """The zones to count for a task (by source) of a segment; days are whole ones since 1970."""

    days: frozenset[int]
    zones: Mapping[str, Zones]

    def fields(self) -> list[Any]:
        """Return it in the form of a manifest, for JSON."""
        return [sorted(self.days), dict(sorted(self.zones.items()))]

    def holding(self, source: str, from_ms: int, to_ms: int) -> Zones:
        """Return the zones of a source that hold in some of `[from_ms, to_ms)`."""
        return Shapes(zones=self.zones.get(source, ())).between(from_ms, to_ms).zones


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


class ZoneRules:
    """The rules of zones in tasks, as `PartRules` has them."""

    series = ZONES

    def parse_work(self, fields: list[Any]) -> ZoneWork:
        """Read what `ZoneWork.fields` has given."""
        days, zones = fields
        return ZoneWork(frozenset(days), {source: _parse(shapes) for source, shapes in zones.items()})

    def count_at(self, parts: Zones, time_ms: int) -> int:
        """Return how many of the zones of one source hold at an event time."""
        return sum(holds_at(zone, time_ms) for zone in parts)

    def narrowed(
        self,
        source: str,
        parts: Iterable[Sequence[Any]],
        frames: Sequence[Frame],
        repeats: Sequence[Frame],
    ) -> Iterator[FramesOfPart]:
        """Yield for each zone of a source its distinct frames, and the lines that repeated one."""
        for name, zone in zones_by_name(_parse(parts)).items():
            yield FramesOfPart(
                str(Place(source, "zone", (name,))),
                list(_frames_in(zone, frames)),
                sum(zone.zone_at(frame.captured_at_ms) is not None for frame in repeats),
            )


RULES = ZoneRules()


def _parse(fields: Iterable[Sequence[Any]]) -> Zones:
    """Read zones from the form of manifests and keys: their fields in order."""
    return tuple(ZoneShape(name, tuple((x, y) for x, y in points), *rest) for name, points, *rest in fields)


def _frames_in(zone: ZoneInTime, frames: Iterable[Frame]) -> Iterator[Frame]:
    for frame in frames:
        part = zone.zone_at(frame.captured_at_ms)
        if part is not None:
            boxes = [box for box in frame.detections if stands_in(part, box)]
            yield _NarrowedFrame._make((*_own(frame), boxes))
