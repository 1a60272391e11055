"""Reads the zones of all sources, in pixels of the pictures that they were drawn over."""

from __future__ import annotations

import msgspec

from frametally.errors import Poison
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Skipped
from frametally.rules.places import Zones
from frametally_hadoop.planning.plan import DrawnZones
from frametally_traffic.drawings.drawn_shapes import shapes_of
from frametally_traffic.drawings.revisions import drawn_sources, read_drawing


def read_zones(store: ObjectStore) -> DrawnZones:
    """Return all drawn zones. Raises `Retryable` if the store is unavailable."""
    zones_by_source: dict[str, Zones] = {}
    unreadable: dict[str, Skipped] = {}
    for source in sorted(drawn_sources(store)):
        try:
            drawing = read_drawing(store, source)
            zones = shapes_of(msgspec.structs.replace(drawing, calibrations=())).zones
        except Poison as error:
            unreadable[source] = Skipped(f"zones of {source}", str(error))
            continue
        if zones:
            zones_by_source[source] = zones
    return DrawnZones(zones_by_source, unreadable)
