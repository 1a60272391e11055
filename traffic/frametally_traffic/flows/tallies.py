"""Adds up a day's flows by place and interval, as its series has them. Standard library only."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from frametally.rules.places import Place
from frametally.rules.times import DAY_MS
from frametally_traffic.flows.day_columns import (
    CAME,
    CROSSING_COLUMNS,
    DIRECTIONS,
    NO_MOVEMENTS,
    STAY_COLUMNS,
    VISIT_COLUMNS,
    WENT,
    FlowColumns,
)
from frametally_traffic.geometry.zones import Stay, ZoneCounts, count_stays

NOT_MEASURED = "not_measured"
"""Stands where a direction does, for crossings whose direction is not counted."""


class PlaceCount(NamedTuple):
    """What happened at a place in an interval.

    Attributes:
        place: As it stands in keys.
        label: Of the visits.
        interval_start_ms: Start of the interval, event time.
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
    found = [Place(flows.source, "line", way) for way in product(flows.lines, (*DIRECTIONS, NOT_MEASURED))]
    found += [Place(flows.source, "movement", way) for way in product(flows.legs, flows.legs)]
    found += [Place(flows.source, "visits", (outcome,)) for outcome in NO_MOVEMENTS if flows.legs]
    found += [Place(flows.source, "zone", way) for way in product(flows.zones, ZoneCounts._fields)]
    return sorted(map(str, found))


def count_places(flows: FlowColumns, interval_s: int) -> list[PlaceCount]:
    """Return the counts of a day that are above 0, by place, label and time.

    Args:
        flows: Of the day.
        interval_s: Length of the intervals; a day is a multiple of it.
    """
    interval_ms = interval_s * 1000
    found: Counter[tuple[Place, str, int]] = Counter()
    for place, label, time_ms in _happenings(flows):
        found[place, label, time_ms - time_ms % interval_ms] += 1
    counts = [
        PlaceCount(str(place), label, flows.day_start_ms + start_ms, value, is_objects=True)
        for (place, label, start_ms), value in found.items()
    ]
    return sorted([*counts, *_zones(flows, interval_ms)])


def _happenings(flows: FlowColumns) -> Iterator[tuple[Place, str, int]]:
    """Yield place, label and time since the day began of each crossing, and of visits if there are legs."""
    columns = flows.columns
    crossings = zip(*(columns[name] for name in CROSSING_COLUMNS[:5]), strict=True)
    for time_ms, line, label, direction, missing in crossings:
        way = NOT_MEASURED if missing else DIRECTIONS[direction]
        yield Place(flows.source, "line", (flows.lines[line], way)), flows.labels[label], time_ms
    visits = zip(*(columns[name] for name in VISIT_COLUMNS[:7]), strict=True)
    for time_ms, _, _, label, from_leg, to_leg, outcome in visits if flows.legs else ():
        if outcome:
            place = Place(flows.source, "visits", (NO_MOVEMENTS[outcome - 1],))
        else:
            place = Place(flows.source, "movement", (flows.lines[from_leg], flows.lines[to_leg]))
        yield place, flows.labels[label], time_ms


def _zones(flows: FlowColumns, interval_ms: int) -> Iterator[PlaceCount]:
    stays: defaultdict[tuple[int, int], list[tuple[int, Stay]]] = defaultdict(list)
    rows = zip(*(flows.columns[name] for name in STAY_COLUMNS), strict=True)
    for number, (from_ms, to_ms, zone, label, came, went, _, _) in enumerate(rows):
        # What lies further off than the interval before and behind is not counted here: not gone through.
        stay = Stay(max(from_ms, -1), min(to_ms, DAY_MS), CAME[came], WENT[went])
        stays[zone, label].append((number, stay))
    for zone, label in sorted(stays):
        counts = count_stays(stays[zone, label], interval_ms)
        for start_ms in sorted(start_ms for start_ms in counts if 0 <= start_ms < DAY_MS):
            for field, value in counts[start_ms]._asdict().items():
                if value:
                    place = Place(flows.source, "zone", (flows.zones[zone], field))
                    at_ms = flows.day_start_ms + start_ms
                    yield PlaceCount(str(place), flows.labels[label], at_ms, value, is_objects=False)
