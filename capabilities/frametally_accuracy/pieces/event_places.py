"""Finds the metrics that can be checked, and the line of a check of crossings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from frametally.errors import Misconfigured, Poison
from frametally.ports.object_store import ObjectStore
from frametally.ports.picture_places import CHECKED_METRICS, CheckedMetric, EventPlace, picture_places
from frametally_accuracy.records import AccuracyCheck
from frametally_accuracy.staleness import LINE_CHANGED


def metrics() -> list[CheckedMetric]:
    """Return the metrics that can be checked here."""
    return [one for one in CHECKED_METRICS if one != "crossings" or picture_places()]


def places(store: ObjectStore) -> list[EventPlace]:
    """Return all lines, by source and name. Raises `Poison`."""
    drawn = picture_places()
    return [] if drawn is None else [*drawn.event_places(store)]


def find_place(
    store: ObjectStore, metric: CheckedMetric, *, line: str, direction: str, sources: Sequence[str]
) -> EventPlace | None:
    """Return the line of a check with its directions, or None if the check is about whole pictures.

    `direction`: `to_right`, `to_left`, or its name on the line; empty for both.

    Raises:
        Misconfigured: There is no such line, several have this name, or the drawing is damaged.
    """
    if metric not in metrics():
        raise Misconfigured(f"{metric} cannot be checked here; choose {' or '.join(metrics())}")
    if metric != "crossings":
        if line or direction:
            raise Misconfigured(f"a check of {metric} does not have a line; leave out line and direction")
        return None
    try:
        there = [one for one in places(store) if one.source in sources]
    except Poison as error:
        raise Misconfigured(str(error)) from error
    found = [one for one in there if one.name == line]
    if not found:
        names = ", ".join(f"{one.name} ({one.source})" for one in there) or "none; draw one first"
        fault = f"there is no line named {line!r}" if line else "give a line"
        raise Misconfigured(f"{fault}; lines: {names}")
    if len(found) > 1:
        names = ", ".join(one.source for one in found)
        raise Misconfigured(f"several sources have a line named {line!r}; choose one source of {names}")
    (place,) = found
    if not direction:
        return place
    ways = {way: name for way, name in place.directions.items() if direction in (way, name)}
    if len(ways) != 1:
        names = " and ".join(place.directions.values())
        raise Misconfigured(f"line {line!r} has the directions {names}, not {direction!r}")
    return msgspec.structs.replace(place, directions=ways)


def why_line_changed(check: AccuracyCheck, store: ObjectStore) -> Iterator[str]:
    """Yield a sentence if the line of a check has changed or is gone."""
    if check.place is None:
        return
    try:
        place = find_place(
            store, check.metric, line=check.place.name, direction="", sources=[check.place.source]
        )
    except Misconfigured as error:
        yield f"The line no longer exists: {error}."
        return
    if place is not None and place.shapes != check.place.shapes:
        yield LINE_CHANGED
