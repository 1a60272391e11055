"""Zones that can be asked for, and why footage that is counted is not within one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from frametally.errors import Poison
from frametally.ports.count_index import CountIndex
from frametally.ports.object_store import ObjectStore
from frametally.rules.places import ZONES, parse_place, series_model
from frametally_traffic.drawings.revisions import drawn_sources, read_drawing
from frametally_web.access.visitors import visitor
from frametally_web.charts.names import unknown
from frametally_web.charts.scope import stored_intervals


def counted_zones(index: CountIndex, model: str) -> dict[str, list[str]]:
    """Return by source the names of its zones that something was counted within, sorted."""
    found: dict[str, list[str]] = {}
    for summary in index.sources(series_model(model, ZONES)):
        place = parse_place(summary.source)
        found.setdefault(place.source, []).append(place.names[0])
    return {source: sorted(names) for source, names in found.items()}


def check_zone(index: CountIndex, store: ObjectStore, name: str, sources: Sequence[str]) -> None:
    """Refuse a zone that none of some sources (none: of all) has or had.

    One that is drawn and not counted yet is known, too.

    Raises:
        Problem: 400, with the names that are nearest.
    """
    known: set[str] = set()
    for model in stored_intervals(index):
        for source, names in counted_zones(index, model).items():
            if not sources or source in sources:
                known.update(names)
    if name not in known:
        known.update(_drawn(store, filter(visitor().sees, sources or sorted(drawn_sources(store)))))
    if name not in known:
        raise unknown("zone", [name], sorted(known))


def _drawn(store: ObjectStore, sources: Iterable[str]) -> set[str]:
    names: set[str] = set()
    for source in sources:
        try:
            names.update(zone.name for zone in read_drawing(store, source).zones)
        except Poison:
            continue  # whoever counts says what is damaged
    return names


def why_not_within(store: ObjectStore, name: str, source: str, at_ms: int) -> str:
    """Return why footage that is counted is not counted within a zone at a moment, as a sentence."""
    try:
        drawn = read_drawing(store, source).zones
    except Poison:
        drawn = ()  # whoever counts says what is damaged
    holds = any(
        zone.name == name
        and (zone.from_ms is None or zone.from_ms <= at_ms)
        and (zone.to_ms is None or at_ms < zone.to_ms)
        for zone in drawn
    )
    if holds:
        return f"The footage is counted, and not yet within {name}: frametally aggregate and index do that."
    return f"The footage is counted, but {name} is not drawn over it at that time."
