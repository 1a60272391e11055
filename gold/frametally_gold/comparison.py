"""The gold tables beside the count index: whether each day adds up to the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from frametally import keys
from frametally.errors import Misconfigured
from frametally.ports.count_index import CountIndex, CountQuery
from frametally.ports.count_questions import outdated
from frametally.process.reports import Progress
from frametally.rules.places import is_of_places
from frametally.rules.times import DAY_MS, DAY_S, is_day_in_range
from frametally_gold.gold_records import DaySums, GoldDay, LabelSums
from frametally_gold.loading import gold_day

if TYPE_CHECKING:
    from frametally_gold.book import Gold

_BEHIND = "run `frametally gold`, and `frametally index`"


class GoldCheck(NamedTuple):
    """What a comparison has found: days compared, and the first that differs, as a line; None: none does."""

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
    """Compare the days of `[from_ms, to_ms)`, by day, up to the first that differs.

    The rows of a day must be those that were loaded, and those of its counts add up to the index's. Videos'
    rows must be those that were loaded, and each of `videos`, by its id, must have some.

    Raises:
        Retryable: The index or the database is away for now.
        IndexDamaged: The index holds other counts than were written.
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
    for done, day in enumerate(days):
        progress.update(done, len(days), day.day)
        what: str | None
        if day not in loads:
            what = "the index has it, and gold does not"
        elif day not in indexed:
            what = "gold has it, and the index does not"
        elif loads[day].run_id != indexed[day].run_id:
            what = f"gold has run {loads[day].run_id}, the index {indexed[day].run_id}"
        else:
            what = _rows_differ(gold, index, day)
        if what is not None:
            return GoldCheck(
                done + 1, f"gold, {day.day} ({day.model}, {day.interval_s} s): {what}; {_BEHIND}"
            )
    progress.update(len(days), len(days), "compared")
    return GoldCheck(len(days), _strays(gold) or _videos_differ(gold, videos))


def _rows_differ(gold: Gold, index: CountIndex, day: GoldDay) -> str | None:
    try:
        changed = gold.changed(day)
        if changed:
            return f"{' and '.join(changed)} has other rows than were loaded"
        sums = gold.day_sums(day)
    except Misconfigured as error:
        return f"it cannot be read: {error}"
    return _differs(sums, _index_sums(index, day))


def _strays(gold: Gold) -> str | None:
    try:
        names = gold.strays()
    except Misconfigured as error:
        return f"gold: it cannot be read: {error}"
    return f"gold: {' and '.join(names)} has rows of no day that was loaded; {_BEHIND}" if names else None


def _videos_differ(gold: Gold, videos: Collection[str]) -> str | None:
    try:
        changed = gold.changed_videos()
        missing = sorted(set(videos) - gold.video_marks().keys())
    except Misconfigured as error:
        return f"gold, videos: they cannot be read: {error}"
    for video_id, names in changed.items():
        return f"gold, video {video_id}: {' and '.join(names)} has other rows than were loaded; {_BEHIND}"
    if missing:
        return f"gold, video {missing[0]}: gold does not have it; {_BEHIND}"
    return None


def _unread(index: CountIndex, models: Iterable[str]) -> Iterator[GoldDay]:
    """Give the days that no query reads: their footage is not what it was when they were counted."""
    for model in models:
        for day in outdated(index.counted_days(model)):
            yield GoldDay(model, day.base_interval_s, keys.utc_day(day.day_ms))


def _index_sums(index: CountIndex, day: GoldDay) -> DaySums:
    start_ms = keys.day_start_ms(day.day)
    query = CountQuery(
        day.model, day.interval_s, DAY_S, from_ms=start_ms, to_ms=start_ms + DAY_MS, by_source=True
    )
    found = index.histogram(query)
    labels = {
        (bar.source or "", bar.label): LabelSums(bar.detections, bar.peak, bar.objects)
        for bar in found.buckets
    }
    # A place has the coverage of its source, and no rows of its own.
    filmed = () if is_of_places(day.model) else found.coverage
    return DaySums(labels, {one.source or "": one.frames for one in filmed})


def _differs(gold: DaySums, index: DaySums) -> str | None:
    """Return what differs first; None where nothing does."""
    for source in sorted(gold.frames.keys() | index.frames.keys()):
        ours, theirs = gold.frames.get(source, 0), index.frames.get(source, 0)
        if ours != theirs:
            return f"of {source} gold has {ours} frames, the index {theirs}"
    nothing = LabelSums(0, 0, 0)
    for place in sorted(gold.labels.keys() | index.labels.keys()):
        mine, its = gold.labels.get(place, nothing), index.labels.get(place, nothing)
        if mine != its:
            return f"of {place[0]}, {place[1]}, gold has {_words(mine)}, the index {_words(its)}"
    return None


def _words(sums: LabelSums) -> str:
    objects = "objects not measured" if sums.objects is None else f"{sums.objects} objects"
    return f"{sums.detections} boxes, a peak of {sums.peak}, {objects}"
