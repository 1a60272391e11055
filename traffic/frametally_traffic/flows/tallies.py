"""Adds up a day's flows by place and interval, as its series has them."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np

from frametally.rules.places import Place
from frametally.rules.times import DAY_MS
from frametally_traffic.flows.day_columns import NO_MOVEMENTS, FlowColumns
from frametally_traffic.flows.flow_sums import (
    WAYS,
    bar_of,
    count_rows,
    names_of,
    rows_of,
    ways_of,
    zone_counts,
)
from frametally_traffic.geometry.zones import ZoneCounts


class PlaceCount(NamedTuple):
    """Counts of a place (as in keys) in an interval, event time.

    Attributes:
        value: How many crossings or visits; of a zone, the value of its field.
        is_objects: Whether the value is a number of objects that came by; of zones it is not.
    """

    place: str
    label: str
    interval_start_ms: int
    value: int
    is_objects: bool


def places_of(flows: FlowColumns) -> list[str]:
    """Return every place of what was drawn on that day, with or without counts, sorted."""
    places = [Place(flows.source, "line", way) for way in product(flows.lines, WAYS)]
    places += [Place(flows.source, "movement", way) for way in product(flows.legs, flows.legs)]
    places += [Place(flows.source, "visits", (outcome,)) for outcome in NO_MOVEMENTS if flows.legs]
    places += [Place(flows.source, "zone", way) for way in product(flows.zones, ZoneCounts._fields)]
    return sorted(map(str, places))


def count_places(flows: FlowColumns, interval_s: int) -> list[PlaceCount]:
    """Return the counts of a day that are above 0, by place, label and time.

    `interval_s`: length of the intervals; a day is a multiple of it.
    """
    edges = flows.day_start_ms + np.arange(0, DAY_MS + 1, interval_s * 1000)
    starts_ms, names = edges.tolist(), names_of([flows])
    place_counts: list[PlaceCount] = []

    @cache
    def place(kind: str, *way: str) -> str:
        return str(Place(flows.source, kind, way))

    def add(place: str, label: int, bar: int, value: int, *, is_objects: bool = True) -> None:
        place_counts.append(PlaceCount(place, names.labels[label], starts_ms[bar], value, is_objects))

    rows = rows_of(flows, "crossing", names)
    crossings = count_rows(bar_of(edges, rows["time"]), rows["line"], rows["label"], ways_of(rows))
    for (bar, line, label, kind), value in crossings.items():
        add(place("line", names.lines[line], WAYS[kind]), label, bar, value)
    if flows.legs:
        rows = rows_of(flows, "visit", names)
        legs = (np.where(rows["outcome"] == 0, rows[name], 0) for name in ("from_leg", "to_leg"))
        visits = count_rows(bar_of(edges, rows["time"]), rows["label"], rows["outcome"], *legs)
        for (bar, label, outcome, from_leg, to_leg), value in visits.items():
            if outcome:
                add(place("visits", NO_MOVEMENTS[outcome - 1]), label, bar, value)
            else:
                add(place("movement", names.lines[from_leg], names.lines[to_leg]), label, bar, value)
    rows, end_ms = rows_of(flows, "stay", names), flows.day_start_ms + DAY_MS
    stays = zone_counts(rows, flows.day_start_ms, edges, flows.day_start_ms, end_ms)
    for (bar, zone, label), counts in stays.items():
        for field, value in zip(ZoneCounts._fields, counts, strict=True):
            if value:
                add(place("zone", names.zones[zone], field), label, bar, value, is_objects=False)
    return sorted(place_counts)
