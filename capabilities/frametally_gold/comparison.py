"""Compares the sums of each day in the gold tables with the count index."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from frametally import keys
from frametally.books.counted_days import outdated
from frametally.errors import Misconfigured
from frametally.ports.count_index import CountIndex, CountQuery
from frametally.process.reports import Progress, plural
from frametally.rules.places import is_of_places
from frametally.rules.times import DAY_MS, DAY_S, is_day_in_range
from frametally_gold.gold_records import DaySums, GoldDay, LabelSums
from frametally_gold.loading import gold_day

if TYPE_CHECKING:
    from frametally_gold.book import Gold

_BEHIND = "run `frametally gold` and `frametally index`"


class GoldCheck(NamedTuple):
    """The result of a comparison: the number of days, and the first difference as a line, if any."""

    days: int
    difference: str | None


def check_gold(
    *,
    index: CountIndex,
    gold: Gold,
    progress: Progress,
    videos: Collection[str] = (),
    from_ms: int | None = None,
    to_ms: int | None = None,
) -> GoldCheck:
    """Compare the days of `[from_ms, to_ms)` in order, up to the first that differs.

    The rows of days and videos must equal the loaded rows, the counts of a day must add up to those of the
    index, and each of `videos` (IDs) must have rows.

    Raises:
        Retryable: The index or the database is not available.
        IndexDamaged: The counts in the index were changed after writing.
    """
    loads = gold.loads()
    indexed = {gold_day(run): run for run in index.current_runs()}
    for day in _unread(index, {day.model for day in indexed}):
        del indexed[day]
    days = [
        day
        for day in sorted(loads.keys() | indexed.keys(), key=lambda day: (day.day, day.model, day.interval_s))
        if is_day_in_range(keys.day_start_ms(day.day), from_ms, to_ms)
    ]
    for number, day in enumerate(days):
        progress.update(number, len(days), day.day)
        difference: str | None
        if day not in loads:
            difference = "in the index, missing in gold"
        elif day not in indexed:
            difference = "in gold, missing in the index"
        elif loads[day].run_id != indexed[day].run_id:
            difference = f"gold has run {loads[day].run_id}, the index has run {indexed[day].run_id}"
        else:
            difference = _rows_differ(gold, index, day)
        if difference is not None:
            return GoldCheck(
                number + 1, f"gold, {day.day} ({day.model}, {day.interval_s} s): {difference}; {_BEHIND}"
            )
    progress.update(len(days), len(days), "compared")
    return GoldCheck(len(days), _strays(gold) or _videos_differ(gold, videos))


def _rows_differ(gold: Gold, index: CountIndex, day: GoldDay) -> str | None:
    try:
        changed_tables = gold.changed_tables(day)
        if changed_tables:
            return f"the rows of {' and '.join(changed_tables)} were changed after loading"
        sums = gold.day_sums(day)
    except Misconfigured as error:
        return f"cannot be read: {error}"
    return _differs(sums, _index_sums(index, day))


def _strays(gold: Gold) -> str | None:
    try:
        names = gold.strays()
    except Misconfigured as error:
        return f"gold: cannot be read: {error}"
    return (
        f"gold: {' and '.join(names)} has rows of days that were never loaded; {_BEHIND}" if names else None
    )


def _videos_differ(gold: Gold, videos: Collection[str]) -> str | None:
    try:
        changed_videos = gold.changed_videos()
        missing = sorted(set(videos) - gold.video_marks().keys())
    except Misconfigured as error:
        return f"gold, videos: cannot be read: {error}"
    for video_id, names in changed_videos.items():
        return (
            f"gold, video {video_id}: the rows of {' and '.join(names)} were changed after loading; {_BEHIND}"
        )
    if missing:
        return f"gold, video {missing[0]}: missing in gold; {_BEHIND}"
    return None


def _unread(index: CountIndex, models: Iterable[str]) -> Iterator[GoldDay]:
    """Yield the days that queries do not read, since their footage changed after counting."""
    for model in models:
        for day in outdated(index.counted_days(model)):
            yield GoldDay(model, day.base_interval_s, keys.utc_day(day.day_ms))


def _index_sums(index: CountIndex, day: GoldDay) -> DaySums:
    start_ms = keys.day_start_ms(day.day)
    query = CountQuery(
        day.model, day.interval_s, DAY_S, from_ms=start_ms, to_ms=start_ms + DAY_MS, by_source=True
    )
    histogram = index.histogram(query)
    labels = {
        (bar.source or "", bar.label): LabelSums(bar.detections, bar.peak, bar.objects)
        for bar in histogram.buckets
    }
    # A place has its source's coverage, not rows of coverage itself.
    filmed = () if is_of_places(day.model) else histogram.coverage
    return DaySums(labels, {bar.source or "": bar.frames for bar in filmed})


def _differs(gold: DaySums, index: DaySums) -> str | None:
    """Return the first difference, or None if there is none."""
    for source in sorted(gold.frames.keys() | index.frames.keys()):
        ours, theirs = gold.frames.get(source, 0), index.frames.get(source, 0)
        if ours != theirs:
            return f"{source}: gold has {plural(ours, 'frame')}, the index has {theirs}"
    nothing = LabelSums(0, 0, 0)
    for place in sorted(gold.labels.keys() | index.labels.keys()):
        mine, index_sums = gold.labels.get(place, nothing), index.labels.get(place, nothing)
        if mine != index_sums:
            return f"{place[0]}, {place[1]}: gold has {_words(mine)}, the index has {_words(index_sums)}"
    return None


def _words(sums: LabelSums) -> str:
    objects = "objects not measured" if sums.objects is None else plural(sums.objects, "object")
    return f"{sums.detections} boxes, a peak of {sums.peak}, {objects}"
