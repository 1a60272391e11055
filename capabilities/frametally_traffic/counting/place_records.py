"""Turns a day's flows into counts and coverage by place, as lines of part files for the count index."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import product
from typing import NamedTuple, TypeVar

import numpy as np
from msgspec import UNSET

from frametally.records import Coverage, IntervalCount, encode
from frametally.rules.known import Basis, Missing, basis_of, why_unknown
from frametally.rules.places import Place, ZoneShape, parse_place
from frametally.rules.times import DAY_MS, FIRST_MS, NEXT_MS
from frametally_hadoop.job.lines import to_json
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
from frametally_traffic.flows.shapes import LineShape, Shapes
from frametally_traffic.geometry.zones import ZoneCounts


class PlaceCount(NamedTuple):
    """A count at a place (named as in keys) in an interval of event time.

    Attributes:
        value: Number of crossings or visits; for a zone, the value of its field.
        is_objects: Whether the value is a number of objects that passed; False for zones.
    """

    place: str
    label: str
    interval_start_ms: int
    value: int
    is_objects: bool


def places_of(flows: FlowColumns) -> list[str]:
    """Return every place drawn on that day, with or without counts, sorted."""
    places = [Place(flows.source, "line", way) for way in product(flows.lines, WAYS)]
    places += [Place(flows.source, "movement", way) for way in product(flows.legs, flows.legs)]
    places += [Place(flows.source, "visits", (outcome,)) for outcome in NO_MOVEMENTS if flows.legs]
    places += [Place(flows.source, "zone", way) for way in product(flows.zones, ZoneCounts._fields)]
    return sorted(map(str, places))


def count_places(flows: FlowColumns, interval_s: int) -> list[PlaceCount]:
    """Return the counts above 0 of a day, sorted by place, label and time.

    `interval_s`: length of the intervals; it divides a day.
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


Span = tuple[int, int]

_ANY = "<any place>"
"""Not the name of any place, as those are escaped; like theirs, it needs no escapes in JSON."""


class PlaceRecords:
    """The counts and coverage of one source's places on a day."""

    def __init__(
        self,
        model: str,
        interval_s: int,
        flows: FlowColumns,
        shapes: Shapes,
        coverage: Iterable[Coverage],
        counts: Iterable[IntervalCount] = (),
    ) -> None:
        """Add up the flows of a day.

        `coverage` and `counts`: the source's, in the run that the flows were counted from.
        """
        self._model = model
        self._interval_s = interval_s
        self._filmed = {record.interval_start_ms: record for record in coverage}
        rates = {start_ms: record.analysed_fps for start_ms, record in self._filmed.items()}
        self._unknown = {
            (count.interval_start_ms, count.label): missing
            for count in counts
            if (missing := why_unknown("passages", basis_of(count, rates.get(count.interval_start_ms))))
        }
        self._partial_starts = {start_ms for start_ms, _ in self._unknown}
        self._unfit = _unfit_of(flows)
        self._spans = {place: _spans(parse_place(place), shapes) for place in places_of(flows)}
        self._counts = count_places(flows, interval_s)

    def count_lines(self) -> list[bytes]:
        """Return the lines of the counts, sorted bytewise."""
        lines = []
        for count in self._counts:
            filmed = self._filmed.get(count.interval_start_ms)
            missing = self._why_unknown(count.place, count.interval_start_ms, count.label)
            objects = count.value if count.is_objects and missing is None else None
            record = IntervalCount(
                model=self._model,
                source=count.place,
                label=count.label,
                interval_start_ms=count.interval_start_ms,
                interval_s=self._interval_s,
                frames=filmed.frames if filmed else 0,
                detections=count.value,
                peak=count.value,
                objects=objects,
                tracked_detections=objects,
                missing=missing or UNSET,
                evidence=[],
            )
            lines.append(_line(["count", count.place, count.label, count.interval_start_ms], record))
        return sorted(lines)

    def coverage_lines(self) -> list[tuple[bytes, int]]:
        """Return the lines of the coverage, sorted bytewise, each with its number of frames.

        While a place is valid it has the coverage of its source. An interval without frames has no coverage,
        even if an object was tracked across it. `objects` is None if any label could not be followed.
        """
        sums: defaultdict[str, Counter[int]] = defaultdict(Counter)
        for count in self._counts:
            sums[count.place][count.interval_start_ms] += count.value
        # Nearly all lines count nothing and differ only in their place: 80,000 a day at a junction.
        of_nothing: dict[tuple[int, Missing | None], tuple[bytes, int]] = {}
        lines = []
        for place, spans in self._spans.items():
            is_zone, name, values = parse_place(place).kind == "zone", place.encode(), sums[place]
            for start_ms in self._starts_of(spans) | values.keys():
                missing = self._why_unknown(place, start_ms)
                if start_ms in values:
                    value = values[start_ms]
                    record = self._coverage(place, start_ms, missing, is_zone=is_zone, value=value)
                    lines.append((_line(["coverage", place, start_ms], record), record.frames))
                    continue
                if (start_ms, missing) not in of_nothing:
                    record = self._coverage(_ANY, start_ms, missing, is_zone=is_zone, value=0)
                    line = _line(["coverage", _ANY, start_ms], record)
                    of_nothing[start_ms, missing] = line, record.frames
                line, frames = of_nothing[start_ms, missing]
                lines.append((line.replace(_ANY.encode(), name), frames))
        return sorted(lines)

    def _coverage(
        self, place: str, start_ms: int, missing: Missing | None, *, is_zone: bool, value: int
    ) -> Coverage:
        filmed = self._filmed.get(start_ms)
        is_measured = missing is None and start_ms not in self._partial_starts
        return Coverage(
            model=self._model,
            source=place,
            interval_start_ms=start_ms,
            interval_s=self._interval_s,
            frames=filmed.frames if filmed else 0,
            detections=value,
            objects=(0 if is_zone else value) if is_measured else None,
            analysed_fps=filmed.analysed_fps if filmed else None,
            covered_ms=filmed.covered_ms if filmed else 0,
            missing=missing or UNSET,
        )

    def _why_unknown(self, place: str, start_ms: int, label: str | None = None) -> Missing | None:
        """Return why the numbers of a label, or without one those of all labels, are unknown at a place."""
        filmed = self._filmed.get(start_ms)
        if filmed is not None and not filmed.is_measured:
            return why_unknown("passages", Basis(None, slowest_fps=filmed.analysed_fps))
        of_label = None if label is None else self._unknown.get((start_ms, label))
        return of_label or ("other_size" if self._is_unfit(place, start_ms) else None)

    def _is_unfit(self, place: str, start_ms: int) -> bool:
        """Return whether pictures of an interval differ in shape from the one under a place's drawing."""
        end_ms = start_ms + self._interval_s * 1000
        return any(from_ms < end_ms and to_ms > start_ms for from_ms, to_ms in self._unfit.get(place, ()))

    def _starts_of(self, spans: Iterable[Span]) -> set[int]:
        """Return the starts of the intervals with footage that overlap any of the spans."""
        length_ms = self._interval_s * 1000
        return {
            start_ms
            for from_ms, to_ms in spans
            for start_ms in self._filmed
            if from_ms < start_ms + length_ms and to_ms > start_ms
        }


def _unfit_of(flows: FlowColumns) -> dict[str, list[Span]]:
    """Return when counts are unknown, by place; empty for nearly all days."""
    if not flows.unfit:
        return {}
    spans: defaultdict[str, list[Span]] = defaultdict(list)
    for text in places_of(flows):
        place = parse_place(text)
        names = flows.legs if place.kind == "visits" else place.names
        kind = "zone" if place.kind == "zone" else "line"
        for of_kind, name, from_ms, to_ms in flows.unfit:
            if of_kind == kind and name in names:
                spans[text].append((from_ms, to_ms))
    return spans


_RecordT = TypeVar("_RecordT", Coverage, IntervalCount)


def by_source(all_records: Iterable[_RecordT]) -> Mapping[str, Sequence[_RecordT]]:
    """Return the records that have frames, by source."""
    records: defaultdict[str, list[_RecordT]] = defaultdict(list)
    for record in all_records:
        if record.frames:
            records[record.source].append(record)
    return records


def _spans(place: Place, shapes: Shapes) -> list[Span]:
    """Return the times in which a place exists."""
    if place.kind == "zone":
        return [_span(zone) for zone in shapes.zones if zone.name == place.names[0]]
    if place.kind == "line":
        return [_span(line) for line in shapes.lines if line.name == place.names[0]]
    if place.kind == "visits":
        return [_span(line) for line in shapes.lines if line.inward]
    entries, exits = (
        [_span(line) for line in shapes.lines if line.inward and line.name == name] for name in place.names
    )
    return [(max(a, c), min(b, d)) for a, b in entries for c, d in exits if max(a, c) < min(b, d)]


def _span(shape: LineShape | ZoneShape) -> Span:
    from_ms, to_ms = shape.from_ms, shape.to_ms
    return FIRST_MS if from_ms is None else from_ms, NEXT_MS if to_ms is None else to_ms


def _line(key: list[object], record: IntervalCount | Coverage) -> bytes:
    return b"%s\t%s\n" % (to_json(key), encode(record))
