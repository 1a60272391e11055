"""Charts of a part of the picture, such as a zone."""

from __future__ import annotations

from collections.abc import Mapping

from frametally.ports.count_index import CountIndex
from frametally.ports.object_store import ObjectStore
from frametally.ports.picture_places import BoxFilters, picture_places
from frametally_web.requests.parameters import MAX_VALUES, Args, read_many, read_one


def narrowed(index: CountIndex, store: ObjectStore, args: Args) -> CountIndex:
    """Return the index that a query reads: of the whole picture, or of a part. Raises `Problem`."""
    if "zone" not in args:
        return index
    zone, places = read_one(args, "zone"), picture_places()
    if zone is None or places is None:
        return index
    return places.within(index, store, zone, read_many(args, "source", limit=MAX_VALUES))


def zones_by_source(index: CountIndex, model: str) -> Mapping[str, list[str]]:
    """Return the places to which the counts of each source can be narrowed."""
    places = picture_places()
    return {} if places is None else places.zones(index, model)


def box_filters(index: CountIndex, model: str, base_interval_s: int) -> BoxFilters | None:
    """Return which boxes an index counts; None: those of the whole picture."""
    filters = getattr(index, "box_filters", None)
    return filters(model, base_interval_s) if filters else None
