"""The rows of an export: one for each interval, source and label, with what was filmed in it."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from frametally.books.unanalysed import NO_MODEL
from frametally.rules.times import local_time, utc
from frametally_web.charts import answers
from frametally_web.charts.bars import Bars, touches
from frametally_web.charts.beside import OtherSide, bar_at
from frametally_web.charts.media_times import MediaTimes
from frametally_web.exports.columns import COLUMNS, DIFFERENCES, MOST_NAMED
from frametally_web.requests.query import ChartQuery

Row = tuple[Any, ...]
"""The values of `COLUMNS`; moments are datetimes, what there is not is None."""

Measured = tuple[Any, ...]
"""The values from `coverage` to `objects_missing`."""


NO_FOOTAGE: Measured = ("no footage", 0, None, None, None, None, None)

_NAMES = [column.name for column in COLUMNS]
_MEASURED_AT = slice(_NAMES.index("coverage"), _NAMES.index("objects_missing") + 1)
_DIFFERENCES_AT = [_NAMES[_MEASURED_AT].index(name) for name in DIFFERENCES]


class Measures:
    """What an answer has of an interval, a source (None: all together) and a label."""

    def __init__(self, found: answers.Counts) -> None:
        """Take the answer whole."""
        self._buckets = {(one.start_ms, one.source, one.label): one for one in found.buckets}
        self._covered = {(one.start_ms, one.source): one for one in found.coverage}
        self._without = {(one.start_ms, one.source) for one in found.not_analysed or ()}

    def of(self, start_ms: int, source: str | None, label: str | None) -> Measured:
        """Return its measures: 0 where nothing was found, None where nothing was filmed or known."""
        here = self._covered.get((start_ms, source))
        bucket = self._buckets.get((start_ms, source, label or ""))
        if bucket is not None:
            frames = here.frames if here else 0
            return ("footage", frames, bucket.detections, bucket.mean_per_frame, bucket.peak, bucket.objects,
                    bucket.objects_missing)  # fmt: skip
        if here is not None:
            missing = here.objects_missing
            return "footage", here.frames, 0, 0.0, 0, None if missing else 0, missing
        is_waiting = (start_ms, source) in self._without
        return ("filmed, not analysed", *NO_FOOTAGE[1:]) if is_waiting else NO_FOOTAGE

    def tracked_detections(self, start_ms: int, source: str | None, label: str | None) -> int | None:
        """Return the boxes that lie in tracks."""
        bucket = self._buckets.get((start_ms, source, label or ""))
        if bucket is not None:
            return bucket.tracked_detections
        here = self._covered.get((start_ms, source))
        return None if here is None or here.objects_missing else 0

    def covered_s(self, start_ms: int, source: str | None) -> float | None:
        """Return the seconds with footage."""
        here = self._covered.get((start_ms, source))
        return None if here is None else here.covered_s


def make_rows(found: answers.Counts, query: ChartQuery, media: MediaTimes) -> Iterator[Row]:
    """Yield the rows, by interval, then source, then label as the answer has them."""
    return (row for row, _ in make_places(found, query, media))


def make_places(
    found: answers.Counts, query: ChartQuery, media: MediaTimes
) -> Iterator[tuple[Row, tuple[int, str | None, str | None]]]:
    """Yield each row, and of which start, source and label it is."""
    zone = query.selection.zone.tzinfo
    measures = Measures(found)
    sources: list[str | None] = [*found.sources] if query.by_source else [None]
    slugs = {source: source or joined(found.sources, str) for source in sources}
    names = {
        source: media.name(source) if source else joined(found.sources, media.name) for source in sources
    }
    labels: list[str | None] = [*found.labels]
    for start_ms, end_ms in bars_of(found, query):
        start, end = local_time(start_ms, zone), local_time(end_ms, zone)
        local = (start.replace(tzinfo=None), end.replace(tzinfo=None), _utc_offset(start))
        for source in sources:
            timed_by = _time_source(found, start_ms, end_ms, source)
            filmed_s = measures.covered_s(start_ms, source)
            # Where nothing was found: what was filmed is to be told all the same.
            for label in labels or [None]:
                row = (
                    *(start, end, slugs[source], label),
                    *measures.of(start_ms, source, label),
                    timed_by,
                    measures.tracked_detections(start_ms, source, label),
                    filmed_s,
                    *local,
                    names[source],
                )
                yield row, (start_ms, source, label)


def make_compared_rows(
    found: answers.Counts, query: ChartQuery, media: MediaTimes, other: answers.Counts, side: OtherSide
) -> Iterator[Row]:
    """Yield the same rows with the other side beside them, and the differences; labels are those of both."""
    zone = query.selection.zone.tzinfo
    labels = [*found.labels, *(label for label in other.labels if label not in found.labels)]
    measures = Measures(other)
    bars = sorted({(one.start_ms, one.end_ms) for one in (*other.coverage, *(other.not_analysed or ()))})
    for row, (start_ms, source, label) in make_places(
        msgspec.structs.replace(found, labels=labels), query, media
    ):
        beside_ms = side.beside_ms(start_ms)
        if bar := bar_at(bars, beside_ms):
            beside_ms = bar[0]
        there = measures.of(beside_ms, source, label) if beside_ms is not None else NO_FOOTAGE
        start = None if beside_ms is None else local_time(beside_ms, zone)
        here = row[_MEASURED_AT]
        yield (
            *row,
            side.name,
            start,
            start and start.replace(tzinfo=None),
            *there,
            None if beside_ms is None else measures.covered_s(beside_ms, source),
            *(
                None if here[at] is None or there[at] is None else here[at] - there[at]
                for at in _DIFFERENCES_AT
            ),
        )


def warnings_of(found: answers.Counts, media: MediaTimes) -> list[str]:
    """Return a line for each source with footage in the range that is not in the counts."""
    if found.from_ms is None or found.to_ms is None:
        return []
    model = found.model or NO_MODEL
    lines = []
    found_ms = media.unanalysed(model, found.sources, found.from_ms, found.to_ms, None) or {}
    for source, spans in sorted(found_ms.items()):
        if spans:
            first, end = utc(spans[0][0]), utc(spans[-1][1])
            dead = media.dead_letters(model, source, found.from_ms, found.to_ms)
            letters = f"; {dead} of its frames are dead letters (see `frametally dead-letters`)"
            lines.append(
                f"{source}: footage from {first} to {end} is not in the counts{letters * bool(dead)}"
            )
    return lines


def _utc_offset(moment: datetime.datetime) -> str:
    """Return `UTC+01:00`: a spreadsheet would take `+01:00` for a time, or for a formula."""
    offset = moment.strftime("%z")
    return f"UTC{offset[:3]}:{offset[3:5]}"


def joined(sources: Sequence[str], name: Callable[[str], str]) -> str:
    """Return the names of sources that are added up, as one text."""
    named = [name(source) for source in sources[:MOST_NAMED]]
    more = len(sources) - len(named)
    return "; ".join([*named, f"and {more} more"] if more else named)


def bars_of(found: answers.Counts, query: ChartQuery) -> Iterator[tuple[int, int]]:
    """Yield the bars of the times asked for; of an open range, from the first that was filmed to the last."""
    if found.interval_s is None or found.from_ms is None or found.to_ms is None:
        return
    zone, from_ms, to_ms = query.selection.zone.tzinfo, query.selection.from_ms, query.selection.to_ms
    filmed = [(one.start_ms, one.end_ms) for one in (*found.coverage, *(found.not_analysed or ()))]
    first_ms = min((start for start, _ in filmed), default=found.to_ms)
    next_ms = max((end for _, end in filmed), default=found.to_ms)
    bars = Bars(found.interval_s, zone)
    asked = None if found.asked is None else [(one.from_ms, one.to_ms) for one in found.asked]
    # Bars that were filmed begin where the chart has them begin, whatever lies before.
    for start_ms, end_ms in ((from_ms, first_ms), (first_ms, next_ms), (next_ms, to_ms)):
        if start_ms is not None and end_ms is not None and start_ms < end_ms:
            yield from (bar for bar in bars.over(start_ms, end_ms) if touches(asked, *bar))


def _time_source(found: answers.Counts, start_ms: int, end_ms: int, source: str | None) -> str | None:
    for one in found.file_times or ():
        if one.from_ms < end_ms and one.to_ms > start_ms and source in (None, one.source):
            return "file_time"
    return None
