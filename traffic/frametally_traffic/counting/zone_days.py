"""Reads the zones of all sources, on their stored frames."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from frametally.errors import Poison
from frametally.media.manifests import by_source
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Skipped
from frametally.records import MediaManifest
from frametally.rules.places import Zones
from frametally_hadoop.planning.counting_steps import DrawnZones
from frametally_traffic.drawings.drawing_checks import DrawingRefused
from frametally_traffic.drawings.drawn_shapes import shapes_of, stored_sizes
from frametally_traffic.drawings.revisions import drawn_sources, read_drawing
from frametally_traffic.records import Drawing, DrawnZone


def read_zones(store: ObjectStore, media: Sequence[MediaManifest]) -> DrawnZones:
    """Return the zones that are drawn. Raises `Retryable`: the store is away."""
    zones_by_source: dict[str, Zones] = {}
    unreadable: dict[str, Skipped] = {}
    of_sources = by_source(media)
    for source in sorted(drawn_sources(store)):
        try:
            drawing = read_drawing(store, source)
            zones = [_on_frames(store, drawing, zone, of_sources.get(source, [])) for zone in drawing.zones]
        except (Poison, DrawingRefused) as error:
            unreadable[source] = Skipped(f"zones of {source}", str(error))
            continue
        if zones:
            zones_by_source[source] = tuple(part for of_zone in zones for part in of_zone)
    return DrawnZones(zones_by_source, unreadable)


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
