"""Provides the lines and zones of pictures to frametally; each answer imports its modules on demand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from frametally.ports.count_index import CountIndex
    from frametally.ports.object_store import ObjectStore
    from frametally.ports.picture_places import CountedEvent, EventFootage, EventPlace
    from frametally.records import Run
    from frametally.rules.places import Zones
    from frametally_hadoop.planning.plan import CountingStep


class TrafficPlaces:
    """The hook `places`; see `PicturePlaces`. Standard library only, because nodes of a cluster import it."""

    node_folders = ("flows", "geometry", "tasks")

    def narrowed(
        self, source: str, zones: Zones, frames: Sequence[Any], repeats: Sequence[Any]
    ) -> Iterator[tuple[str, Sequence[Any], int]]:
        from frametally_traffic.tasks.zones import narrowed

        return narrowed(source, zones, frames, repeats)

    def counting_step(self) -> CountingStep:
        from frametally_traffic.counting import flow_aggregation

        return flow_aggregation

    def is_outdated(self, run: Run) -> bool:
        from frametally_traffic.counting.published_days import is_outdated

        return is_outdated(run)

    def read_files(self, store: ObjectStore, run: Run) -> Iterator[object]:
        from frametally_traffic.counting.published_days import read_flows

        return read_flows(store, run)

    def totals(self, store: ObjectStore, run: Run) -> Mapping[tuple[str, str], int]:
        from frametally_traffic.counting.published_days import flow_totals

        return flow_totals(store, run)

    def event_places(self, store: ObjectStore) -> Iterator[EventPlace]:
        from frametally_traffic.counting.crossing_events import event_places

        return event_places(store)

    def events(
        self,
        footage: EventFootage,
        place: EventPlace,
        *,
        model: str,
        base_interval_s: int,
        from_ms: int,
        to_ms: int,
    ) -> Iterator[CountedEvent]:
        from frametally_traffic.counting.crossing_events import read_events

        return read_events(
            footage, place, model=model, base_interval_s=base_interval_s, from_ms=from_ms, to_ms=to_ms
        )

    def within(self, index: CountIndex, store: ObjectStore, zone: str, sources: Sequence[str]) -> CountIndex:
        from frametally_traffic.zone_index import index_within

        return index_within(index, store, zone, sources)

    def zones(self, index: CountIndex, model: str) -> Mapping[str, list[str]]:
        from frametally_traffic.zone_index import counted_zones

        return counted_zones(index, model)

    def check_calibration(self, points: Sequence[Sequence[float]], metres: Sequence[Sequence[float]]) -> None:
        from frametally_traffic.drawings.drawing_checks import check_calibration

        check_calibration(points, metres)

    def draw(
        self,
        store: ObjectStore,
        source: str,
        size_px: tuple[int, int],
        roi: Mapping[str, Any] | None,
        calibration: Mapping[str, Any] | None,
    ) -> list[str]:
        from frametally_traffic.drawings.uploaded_shapes import draw_uploaded

        return draw_uploaded(store, source, size_px, roi, calibration)

    def rename(self, store: ObjectStore, former: str, source: str, is_new: bool) -> Iterator[str]:
        from frametally_traffic.drawings.revisions import take_drawing

        return take_drawing(store, former, source, is_new)


PLACES = TrafficPlaces()
