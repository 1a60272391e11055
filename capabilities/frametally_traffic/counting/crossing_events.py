"""Lists single crossings for accuracy checks: where they are counted, and when each happened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from frametally.keys import day_start_ms
from frametally.ports.object_store import ObjectStore
from frametally.ports.picture_places import (
    CountedEvent,
    EventFootage,
    EventPlace,
    EventShape,
    directed_label,
)
from frametally.rules.times import is_day_in_range
from frametally_traffic.counting.published_days import FLOWS_FOLDER, flows_for
from frametally_traffic.drawings.revisions import list_drawings
from frametally_traffic.flows.day_columns import DIRECTIONS
from frametally_traffic.records import Drawing, DrawnLine


def lines_of(drawing: Drawing) -> list[EventPlace]:
    """Return the lines of a source by name, each with every shape ever drawn under that name."""
    by_name: defaultdict[str, list[DrawnLine]] = defaultdict(list)
    for line in drawing.lines:
        by_name[line.name].append(line)
    return [
        EventPlace(
            source=drawing.source,
            name=name,
            directions={"to_right": lines[-1].to_right, "to_left": lines[-1].to_left},
            shapes=tuple(
                EventShape(
                    points=line.points,
                    width_px=line.width_px,
                    height_px=line.height_px,
                    from_ms=line.from_ms,
                    to_ms=line.to_ms,
                )
                for line in lines
            ),
        )
        for name, lines in sorted(by_name.items())
    ]


def event_places(store: ObjectStore) -> Iterator[EventPlace]:
    """Yield all lines, by source and name. Raises `Poison`."""
    for drawing in list_drawings(store):
        yield from lines_of(drawing)


def read_events(
    footage: EventFootage,
    place: EventPlace,
    *,
    model: str,
    base_interval_s: int,
    from_ms: int,
    to_ms: int,
) -> Iterator[CountedEvent]:
    """Yield the measured crossings of a line, as the charts count them. Raises like `flows_for`."""
    days = [
        run.day
        for run in footage.runs
        if (run.model, run.interval_s) == (model, base_interval_s)
        and is_day_in_range(day_start_ms(run.day), from_ms, to_ms)
    ]
    for flows in flows_for(
        footage.store,
        model,
        base_interval_s,
        place.source,
        sorted(days),
        runs=footage.runs,
        folder=footage.settings.data_dir / FLOWS_FOLDER,
    ):
        names = ("time", "line", "label", "direction", "missing")
        columns = (flows.columns[f"crossing_{name}"] for name in names)
        for time_ms, line, label, direction, missing in zip(*columns, strict=True):
            at_ms, way = flows.day_start_ms + time_ms, DIRECTIONS[direction]
            if (
                not missing
                and flows.lines[line] == place.name
                and way in place.directions
                and from_ms <= at_ms < to_ms
            ):
                yield CountedEvent(place.source, at_ms, directed_label(flows.labels[label], way))
