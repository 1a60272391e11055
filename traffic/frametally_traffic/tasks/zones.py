"""Counting within zones: the frames and boxes of a zone. Standard library only.

A zone is counted like a source, by the same rules, from the frames of the time in which it is valid. Only
boxes whose foot point is in it take part, so an object that walks in begins a visit.
See `frametally_hadoop.job.mapping`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from frametally.rules.counted_boxes import DetectedBox
from frametally.rules.places import ZONES, Place, ZoneShape
from frametally_hadoop.job.lines import Frame
from frametally_hadoop.job.mapping import FramesOfPart
from frametally_traffic.flows.shapes import Shapes, holds_at
from frametally_traffic.flows.zone_boxes import ZoneInTime, stands_in, zones_by_name

Zones = tuple[ZoneShape, ...]


class ZoneWork(NamedTuple):
    """What a task counts within zones (by source) of a segment; days are whole ones since 1970."""

    days: frozenset[int]
    zones: Mapping[str, Zones]

    def to_json(self) -> str:
        """Return it in the form of a manifest."""
        fields = [sorted(self.days), dict(sorted(self.zones.items()))]
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))

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
    detections: Sequence[DetectedBox]


class ZoneRules:
    """The rules of zones in tasks, as `PartRules` has them."""

    series = ZONES

    def parse_work(self, text: str) -> ZoneWork:
        """Read what `ZoneWork.to_json` has written."""
        days, zones = json.loads(text)
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
        """Yield what each zone of a source has of its distinct frames, and of the lines that repeated one."""
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
            yield _NarrowedFrame(
                frame.image_path,
                frame.source,
                frame.captured_at_ms,
                frame.width_px,
                frame.height_px,
                frame.media,
                frame.time_source,
                frame.model,
                [box for box in frame.detections if stands_in(part, box)],
            )
