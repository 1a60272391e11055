"""Turns a day's flows into counts and coverage of each place, as lines of part files for the count index."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from frametally.records import Coverage, IntervalCount, encode
from frametally.rules.places import Place, ZoneShape, parse_place
from frametally.rules.times import FIRST_MS, NEXT_MS
from frametally_hadoop.job.mapping import to_json
from frametally_traffic.flows.day_columns import FlowColumns
from frametally_traffic.flows.shapes import LineShape, Shapes
from frametally_traffic.flows.tallies import count_places, places_of

Span = tuple[int, int]

_ANY = "<any place>"
"""No place has such a name: those are escaped, and need no escapes in JSON."""


class PlaceRecords:
    """The counts and coverage of one source's places on a day."""

    def __init__(
        self, model: str, interval_s: int, flows: FlowColumns, shapes: Shapes, coverage: Iterable[Coverage]
    ) -> None:
        """Add up.

        `coverage`: of the source, in the run that it was counted from.
        """
        self._model = model
        self._interval_s = interval_s
        self._filmed = {record.interval_start_ms: record for record in coverage}
        self._spans = {place: _spans(parse_place(place), shapes) for place in places_of(flows)}
        self._counts = count_places(flows, interval_s)

    def count_lines(self) -> list[bytes]:
        """Return the lines of the counts, sorted bytewise."""
        lines = []
        for count in self._counts:
            filmed = self._filmed.get(count.interval_start_ms)
            objects = count.value if count.is_objects and (filmed is None or filmed.is_measured) else None
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
                evidence=[],
            )
            lines.append(_line(["count", count.place, count.label, count.interval_start_ms], record))
        return sorted(lines)

    def coverage_lines(self) -> list[tuple[bytes, int]]:
        """Return the lines of the coverage, sorted bytewise, each with its frames.

        A place has the coverage of its source while it is valid. An interval without a frame has no coverage,
        even if an object was tracked over it.
        """
        sums: defaultdict[str, Counter[int]] = defaultdict(Counter)
        for count in self._counts:
            sums[count.place][count.interval_start_ms] += count.value
        # Nearly all are of nothing, and differ by their place alone: 80,000 a day of a junction.
        of_nothing: dict[tuple[int, bool], tuple[bytes, int]] = {}
        lines = []
        for place, spans in self._spans.items():
            is_zone, name, values = parse_place(place).kind == "zone", place.encode(), sums[place]
            for start_ms in self._starts_of(spans) | values.keys():
                if start_ms in values:
                    record = self._coverage(place, start_ms, is_zone=is_zone, value=values[start_ms])
                    lines.append((_line(["coverage", place, start_ms], record), record.frames))
                    continue
                if (start_ms, is_zone) not in of_nothing:
                    record = self._coverage(_ANY, start_ms, is_zone=is_zone, value=0)
                    of_nothing[start_ms, is_zone] = _line(["coverage", _ANY, start_ms], record), record.frames
                line, frames = of_nothing[start_ms, is_zone]
                lines.append((line.replace(_ANY.encode(), name), frames))
        return sorted(lines)

    def _coverage(self, place: str, start_ms: int, *, is_zone: bool, value: int) -> Coverage:
        filmed = self._filmed.get(start_ms)
        is_measured = not is_zone and (filmed is None or filmed.is_measured)
        return Coverage(
            model=self._model,
            source=place,
            interval_start_ms=start_ms,
            interval_s=self._interval_s,
            frames=filmed.frames if filmed else 0,
            detections=value,
            objects=value if is_measured else None,
            analysed_fps=filmed.analysed_fps if filmed else None,
            covered_ms=filmed.covered_ms if filmed else 0,
        )

    def _starts_of(self, spans: Iterable[Span]) -> set[int]:
        """Return the intervals with footage in which there is such a place."""
        length_ms = self._interval_s * 1000
        return {
            start_ms
            for from_ms, to_ms in spans
            for start_ms in self._filmed
            if from_ms < start_ms + length_ms and to_ms > start_ms
        }


def by_source(coverage: Iterable[Coverage]) -> Mapping[str, Sequence[Coverage]]:
    """Return the coverage of each source."""
    records: defaultdict[str, list[Coverage]] = defaultdict(list)
    for record in coverage:
        records[record.source].append(record)
    return records


def _spans(place: Place, shapes: Shapes) -> list[Span]:
    """Return the times in which there is such a place."""
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
