"""The rows of an export: one for each interval, source and label, with its footage."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from frametally.books.unanalysed import NO_MODEL
from frametally.process.reports import plural
from frametally.rules.known import OF_BARS, OF_TRACKS, REASONS, CountNumber, Missing, why_not_counted
from frametally.rules.times import local_time, utc
from frametally_web.charts import answers
from frametally_web.charts.answers import ShowsNothing
from frametally_web.charts.checked_counts import check_words
from frametally_web.charts.local_bars import Bars, touches
from frametally_web.charts.media_times import MediaTimes
from frametally_web.compare.differences import OtherSide, bar_at
from frametally_web.requests.query import ChartQuery

Kind = Literal["instant", "local", "text", "whole", "real"]
"""A time with its offset; local clock time, without one; a text; a whole number; any number."""


class Column(NamedTuple):
    """One column; null if nothing was filmed, or if the value was not measured."""

    name: str
    kind: Kind
    meaning: str


def _column(number: CountNumber) -> Column:
    return Column(number.name, "whole" if number.is_whole else "real", number.meaning)


_MEASURED = (
    Column(
        "coverage",
        "text",
        "footage; no footage; shows nothing (black, of one colour or frozen); or filmed, not analysed",
    ),
    Column("frames_analysed", "whole", "frames analysed that show something"),
    *map(_column, OF_BARS),
    Column(
        "objects_missing",
        "text",
        f"why objects are unknown: {', '.join(REASONS['objects'])}; or why all numbers are: "
        + ", ".join(REASONS["boxes"]),
    ),
)
_AT_LEAST = Column("objects_at_least", "whole", "where objects are known in part: those that are")
_TRACKED, *_LATER = map(_column, OF_TRACKS[1:])
_FILMED_S = Column("covered_s", "real", "seconds with footage, summed over sources")
_FILMED_PART = Column(
    "filmed_part", "real", "covered_s / seconds asked for, of all sources with film in the range"
)

COLUMNS = (
    Column("interval_start", "instant", "start of the interval, ISO 8601 with the offset from UTC"),
    Column("interval_end", "instant", "end of the interval, not included"),
    Column("source", "text", "slug of the source; several slugs that are added up are joined with ;"),
    Column("label", "text", "class name"),
    *_MEASURED,
    Column("time_source", "text", "file_time: the time is only a file's date"),
    _TRACKED,
    _FILMED_S,
    Column("start_local", "local", "start of the interval in local time of the time zone"),
    Column("end_local", "local", "end of the interval, not included"),
    Column("utc_offset", "text", "how far local time is ahead of UTC at the start"),
    Column("source_name", "text", "name of the source"),
    Column("shows_nothing", "text", "why footage is left out: black, one_colour or frozen, with its seconds"),
    _AT_LEAST,
    _LATER[0],
    _FILMED_PART,
    *_LATER[1:],
)

ZONE_COLUMN = Column("zone", "text", "name of the zone to which the counts are limited")
"""The additional column of counts within a zone."""

CHECK_COLUMNS = (
    Column("low", "real", "lower end of the interval for the true number of boxes or objects"),
    Column("high", "real", "upper end of that interval"),
    Column("estimate", "real", "the number without the model's errors, as estimated by the check"),
    Column("check", "text", "name of the accuracy check"),
    Column("check_details", "text", "confidence, people, day, number of units and model of that check"),
)
"""The additional columns of counts of which an accuracy check covers some."""

OTHER_COLUMNS = (
    Column("compared_with", "text", "what the row is compared with"),
    Column("other_start", "instant", "start of the compared interval"),
    Column("other_start_local", "local", "the same in local time of the time zone"),
    *(
        Column(f"other_{name}", kind, f"the same for the compared interval: {meaning}")
        for name, kind, meaning in _MEASURED
    ),
    Column("other_covered_s", "real", f"the same for the compared interval: {_FILMED_S.meaning}"),
    Column("other_objects_at_least", "whole", f"the same for the compared interval: {_AT_LEAST.meaning}"),
    *(
        Column(f"difference_{name}", kind, f"{name} here minus {name} there; null if one of them is null")
        for name, kind, _ in map(_column, OF_BARS)
    ),
)
"""The additional columns of a comparison."""

MOST_NAMED = 20
"""Maximum number of merged sources that each row names; further ones are only counted."""


Row = tuple[Any, ...]
"""The values of `COLUMNS`; times are datetimes, missing values are None."""

Measured = tuple[Any, ...]
"""The values from `coverage` to `objects_missing`."""


_ABSENT: Mapping[str, str] = {
    "no_footage": "no footage",
    "not_analysed": "filmed, not analysed",
    "shows_nothing": "shows nothing",
}
"""The value of `coverage` where no frame was counted, by reason."""


def _not_counted(reasons: Iterable[Missing] = ()) -> Measured:
    """Return the measures where no frame was counted."""
    reason = why_not_counted(reasons)
    return _ABSENT.get(reason, "filmed, not in the zone"), 0, None, None, None, None, reason


_NAMES = [column.name for column in COLUMNS]
_MEASURED_AT = slice(_NAMES.index("coverage"), _NAMES.index("objects_missing") + 1)
_DIFFERENCES_AT = [_NAMES[_MEASURED_AT].index(number.name) for number in OF_BARS]


class Measures:
    """The answer for an interval, a source (None for all together) and a label."""

    def __init__(self, counts: answers.Counts) -> None:
        self._buckets = {(bucket.start_ms, bucket.source, bucket.label): bucket for bucket in counts.buckets}
        self._covered = {(coverage.start_ms, coverage.source): coverage for coverage in counts.coverage}
        self._absent: defaultdict[tuple[int, str | None], list[Missing]] = defaultdict(list)
        for bar in counts.not_analysed or ():
            self._absent[bar.start_ms, bar.source].append("not_analysed")
        for outside in counts.not_within:
            self._absent[outside.start_ms, outside.source].append(outside.missing)
        self._nothing: dict[tuple[int, str | None], list[ShowsNothing]] = {}
        for part in counts.shows_nothing:
            self._nothing.setdefault((part.start_ms, part.source), []).append(part)
            self._absent[part.start_ms, part.source].append("shows_nothing")

    def measured(self, start_ms: int, source: str | None, label: str | None) -> Measured:
        """Return the measures: 0 if nothing was found, None if nothing was filmed or known."""
        coverage = self._covered.get((start_ms, source))
        bucket = self._buckets.get((start_ms, source, label or ""))
        if bucket is not None:
            frames = coverage.frames if coverage else 0
            return ("footage", frames, bucket.detections, bucket.mean_per_frame, bucket.peak, bucket.objects,
                    bucket.objects_missing)  # fmt: skip
        if coverage is not None:
            missing = coverage.objects_missing
            return "footage", coverage.frames, 0, 0.0, 0, None if missing else 0, missing
        return _not_counted(self._absent.get((start_ms, source), ()))

    def of_tracks(self, start_ms: int, source: str | None, label: str | None) -> list[int | None]:
        """Return the `OF_TRACKS` numbers except the objects."""
        bucket = self._buckets.get((start_ms, source, label or ""))
        if bucket is not None:
            return [getattr(bucket, number.name) for number in OF_TRACKS[1:]]
        coverage = self._covered.get((start_ms, source))
        nothing = None if coverage is None or coverage.objects_missing else 0
        return [number.add_up([nothing]) for number in OF_TRACKS[1:]]

    def at_least(self, start_ms: int, source: str | None, label: str | None) -> int | None:
        """Return the known objects, if they are known in part."""
        bucket = self._buckets.get((start_ms, source, label or ""))
        return None if bucket is None else bucket.measured_objects

    def shows_nothing(self, start_ms: int, source: str | None) -> str | None:
        """Return why footage is left out, with its seconds; None without such footage."""
        parts = self._nothing.get((start_ms, source), ())
        return ", ".join(f"{part.reason} {part.covered_s:g} s" for part in parts) or None

    def filmed(self, start_ms: int, source: str | None) -> tuple[float | None, float | None]:
        """Return the seconds with footage, and their share of the requested time."""
        coverage = self._covered.get((start_ms, source))
        return (None, None) if coverage is None else (coverage.covered_s, coverage.filmed_part)


def make_rows(counts: answers.Counts, query: ChartQuery, media: MediaTimes) -> Iterator[Row]:
    """Yield the rows, by interval, then source, then label in the answer's order."""
    return (row for row, _ in make_places(counts, query, media))


def make_places(
    counts: answers.Counts, query: ChartQuery, media: MediaTimes
) -> Iterator[tuple[Row, tuple[int, str | None, str | None]]]:
    """Yield each row, with its start, source and label."""
    zone = query.selection.zone.tzinfo
    measures = Measures(counts)
    sources: list[str | None] = [*counts.sources] if query.by_source else [None]
    slugs = {source: source or joined(counts.sources, str) for source in sources}
    names = {
        source: media.name(source) if source else joined(counts.sources, media.name) for source in sources
    }
    labels: list[str | None] = [*counts.labels]
    for start_ms, end_ms in bars_of(counts, query):
        start, end = local_time(start_ms, zone), local_time(end_ms, zone)
        local = (start.replace(tzinfo=None), end.replace(tzinfo=None), utc_offset(start))
        for source in sources:
            timed_by = _time_source(counts, start_ms, end_ms, source)
            filmed_s, filmed_part = measures.filmed(start_ms, source)
            # A row even if nothing was found: it shows what was filmed.
            for label in labels or [None]:
                tracked, from_start, *later = measures.of_tracks(start_ms, source, label)
                row = (
                    *(start, end, slugs[source], label),
                    *measures.measured(start_ms, source, label),
                    timed_by,
                    tracked,
                    filmed_s,
                    *local,
                    names[source],
                    measures.shows_nothing(start_ms, source),
                    measures.at_least(start_ms, source, label),
                    from_start,
                    filmed_part,
                    *later,
                )
                yield row, (start_ms, source, label)


def make_compared_rows(
    counts: answers.Counts,
    query: ChartQuery,
    media: MediaTimes,
    other_counts: answers.Counts,
    side: OtherSide,
) -> Iterator[Row]:
    """Yield the same rows with the other side and the differences added, for the labels of both sides."""
    zone = query.selection.zone.tzinfo
    labels = [*counts.labels, *(label for label in other_counts.labels if label not in counts.labels)]
    measures = Measures(other_counts)
    bars = sorted({(bar.start_ms, bar.end_ms) for bar in _with_footage(other_counts)})
    for row, (start_ms, source, label) in make_places(
        msgspec.structs.replace(counts, labels=labels), query, media
    ):
        beside_ms = side.beside_ms(start_ms)
        if bar := bar_at(bars, beside_ms):
            beside_ms = bar[0]
        other_measures = _not_counted() if beside_ms is None else measures.measured(beside_ms, source, label)
        start = None if beside_ms is None else local_time(beside_ms, zone)
        own_measures = row[_MEASURED_AT]
        yield (
            *row,
            side.name,
            start,
            start and start.replace(tzinfo=None),
            *other_measures,
            None if beside_ms is None else measures.filmed(beside_ms, source)[0],
            None if beside_ms is None else measures.at_least(beside_ms, source, label),
            *(
                None
                if own_measures[column] is None or other_measures[column] is None
                else own_measures[column] - other_measures[column]
                for column in _DIFFERENCES_AT
            ),
        )


def with_checks(rows: Iterator[Row], counts: answers.Counts, query: ChartQuery) -> Iterator[Row]:
    """Yield the same rows with `CHECK_COLUMNS`, null if no check covers them."""
    zone = query.selection.zone.tzinfo
    checks = {check.id: (check.name, check_words(check, zone)) for check in counts.checks or ()}
    checked: dict[tuple[int, str | None, str | None], Row] = {
        (bar.start_ms, bar.source, bar.label): (bar.low, bar.high, bar.estimate, *checks[bar.check])
        for bar in counts.buckets
        if bar.check is not None
    }
    for row in rows:
        start, _, slug, label, *_ = row
        place = round(start.timestamp() * 1000), slug if query.by_source else None, label
        yield (*row, *checked.get(place, [None] * len(CHECK_COLUMNS)))


def warnings_of(counts: answers.Counts, media: MediaTimes) -> list[str]:
    """Return a line for each source with footage in the range that is not in the counts."""
    if counts.from_ms is None or counts.to_ms is None:
        return []
    model = counts.model or NO_MODEL
    lines = []
    found_ms = media.unanalysed(model, counts.sources, counts.from_ms, counts.to_ms, None) or {}
    for source, spans in sorted(found_ms.items()):
        if spans:
            first, end = utc(spans[0][0]), utc(spans[-1][1])
            dead = media.dead_letters(model, source, counts.from_ms, counts.to_ms)
            letters = plural(dead, "of its frames is unreadable", "of its frames are unreadable")
            letters = f"; {letters} (see `frametally dead-letters`)"
            lines.append(
                f"{source}: footage from {first} to {end} is not in the counts{letters * bool(dead)}"
            )
    return lines


def utc_offset(moment: datetime.datetime) -> str:
    """Return `UTC+01:00`: a spreadsheet would take `+01:00` for a time, or for a formula."""
    offset = moment.strftime("%z")
    return f"UTC{offset[:3]}:{offset[3:5]}"


def joined(sources: Sequence[str], name: Callable[[str], str]) -> str:
    """Return the names of merged sources as one text."""
    first_names = [name(source) for source in sources[:MOST_NAMED]]
    more = len(sources) - len(first_names)
    return "; ".join([*first_names, f"and {more} more"] if more else first_names)


def _with_footage(
    counts: answers.Counts,
) -> Sequence[answers.FramesAnalysed | answers.NotAnalysed | answers.NotWithin | ShowsNothing]:
    return [*counts.coverage, *(counts.not_analysed or ()), *counts.shows_nothing, *counts.not_within]


def bars_of(counts: answers.Counts, query: ChartQuery) -> Iterator[tuple[int, int]]:
    """Yield the bars of the requested times; in an open range, from the first filmed to the last."""
    if counts.interval_s is None or counts.from_ms is None or counts.to_ms is None:
        return
    zone, from_ms, to_ms = query.selection.zone.tzinfo, query.selection.from_ms, query.selection.to_ms
    filmed = [(bar.start_ms, bar.end_ms) for bar in _with_footage(counts)]
    first_ms = min((start for start, _ in filmed), default=counts.to_ms)
    next_ms = max((end for _, end in filmed), default=counts.to_ms)
    bars = Bars(counts.interval_s, zone)
    chosen = (
        None
        if counts.asked is None
        else [(time_range.from_ms, time_range.to_ms) for time_range in counts.asked]
    )
    # Align bars with the chart, ignoring earlier footage.
    for start_ms, end_ms in ((from_ms, first_ms), (first_ms, next_ms), (next_ms, to_ms)):
        if start_ms is not None and end_ms is not None and start_ms < end_ms:
            yield from (bar for bar in bars.over(start_ms, end_ms) if touches(chosen, *bar))


def _time_source(counts: answers.Counts, start_ms: int, end_ms: int, source: str | None) -> str | None:
    for file_time in counts.file_times or ():
        if file_time.from_ms < end_ms and file_time.to_ms > start_ms and source in (None, file_time.source):
            return "file_time"
    return None
