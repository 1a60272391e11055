"""Finds the days that are counted within zones, too, and those zones.

What is counted there is a series of its own, `<model>~zones`: a zone that is drawn, moved or removed makes
days of its source stale in that series, as far as it holds on them, and in no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

import msgspec

from frametally import keys
from frametally.books.runs import CurrentDay, DayKey
from frametally.errors import Poison
from frametally.media.manifests import by_source
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Skipped
from frametally.records import MediaManifest
from frametally.rules.places import ZONES, base_model, series_model
from frametally.rules.times import DAY_MS
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.planning.counting_steps import PartDay, Zones
from frametally_hadoop.planning.segment_book import DaySegments
from frametally_traffic.drawings.drawing_checks import DrawingRefused
from frametally_traffic.drawings.drawn_shapes import shapes_of, stored_sizes
from frametally_traffic.drawings.revisions import drawn_sources, read_drawing
from frametally_traffic.flows.shapes import Shapes
from frametally_traffic.records import Drawing, DrawnZone
from frametally_traffic.tasks.zones import ZoneWork


class DrawnZones(NamedTuple):
    """The zones of all sources.

    Attributes:
        by_source: The zones of each source that has some, on its stored frames.
        unreadable: Sources whose drawing is damaged; their earlier counts stay.
    """

    by_source: dict[str, Zones]
    unreadable: list[Skipped]

    def days(
        self,
        days: Mapping[DayKey, DaySegments],
        current: Mapping[DayKey, CurrentDay],
        params: CountParams,
    ) -> dict[DayKey, PartDay]:
        """Return the days that have or had zones, as `PictureParts.days`."""
        if self.unreadable:
            return {}
        part_days: dict[DayKey, PartDay] = {}
        for day, segments in days.items() if self.by_source else ():
            sources = sorted(segments.sources())
            if not self._holding(sources, day.day, 0):
                continue
            zones = self._holding(sources, day.day, params.margin_ms)
            part_days[day._replace(model=series_model(day.model, ZONES))] = PartDay(
                segments.with_sources(zones), zones
            )
        for day, current_day in current.items():
            is_of_zones = day.model == series_model(base_model(day.model), ZONES)
            if (
                not is_of_zones
                or day.interval_s != params.interval_s
                or day in part_days
                or current_day.run is None
            ):
                continue
            # Where its zones hold still and its footage's segments are gone, what was counted stays.
            if not self._holding(current_day.run.zones, day.day, 0):
                part_days[day] = PartDay(DaySegments({}), {})
        return part_days

    def work(
        self, days: Mapping[str, AbstractSet[int]], sources: Mapping[str, AbstractSet[str]]
    ) -> dict[str, Any]:
        """Return the work of the segments to count within zones, by key, as a manifest has it.

        It has all zones of its sources, of any time: so tasks that read other segments make the same groups.
        """
        return {
            segment: ZoneWork(
                frozenset(of_segment),
                {
                    source: self.by_source[source]
                    for source in sorted(sources[segment] & self.by_source.keys())
                },
            ).fields()
            for segment, of_segment in days.items()
        }

    def _holding(self, sources: Iterable[str], day: str, margin_ms: int) -> dict[str, Zones]:
        """Return the zones of sources that hold on some of a UTC day, and of a margin around it.

        Their times are cut to the day, so that changes on other days do not make this one stale.
        """
        from_ms = keys.day_start_ms(day) - margin_ms
        to_ms = from_ms + DAY_MS + 2 * margin_ms
        zones_by_source = {
            source: tuple(
                zone._replace(
                    from_ms=None if zone.from_ms is None or zone.from_ms <= from_ms else zone.from_ms,
                    to_ms=None if zone.to_ms is None or zone.to_ms >= to_ms else zone.to_ms,
                )
                for zone in Shapes(zones=self.by_source[source]).between(from_ms, to_ms).zones
            )
            for source in sources
            if source in self.by_source
        }
        return {source: zones for source, zones in zones_by_source.items() if zones}


def read_zones(store: ObjectStore, media: Sequence[MediaManifest]) -> DrawnZones:
    """Return the zones that are drawn. Raises `Retryable`: the store is away."""
    drawn_zones, unreadable = DrawnZones({}, []), []
    of_sources = by_source(media)
    for source in sorted(drawn_sources(store)):
        try:
            drawing = read_drawing(store, source)
            zones = [_on_frames(store, drawing, zone, of_sources.get(source, [])) for zone in drawing.zones]
        except (Poison, DrawingRefused) as error:
            unreadable.append(Skipped(f"zones of {source}", str(error)))
            continue
        if zones:
            drawn_zones.by_source[source] = tuple(part for of_zone in zones for part in of_zone)
    return drawn_zones._replace(unreadable=unreadable)


def _on_frames(
    store: ObjectStore, drawing: Drawing, zone: DrawnZone, media: Sequence[MediaManifest]
) -> Zones:
    sizes = stored_sizes(store, media, zone.from_ms, zone.to_ms)
    alone = msgspec.structs.replace(drawing, lines=(), zones=(zone,), calibrations=())
    size = sizes[0] if sizes else (zone.width_px, zone.height_px)
    try:
        return shapes_of(alone).on_frames(size).zones
    except ValueError as error:
        raise DrawingRefused(str(error)) from error
