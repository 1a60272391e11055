"""Judges which days of a count index are up to date, and reads the settings that they were counted with.

A number's proof uses the settings that its run records.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from frametally import keys
from frametally.ports.count_index import NO_LABEL, CountedDay, CountIndex, CountQuery, SourceSummary
from frametally.records import Run
from frametally.rules.counted_boxes import CountedBoxes
from frametally.rules.overlaps import OverlapWinner
from frametally.rules.times import DAY_S, is_ahead, is_day_in_range


def counted_day(run: Run, published: int) -> CountedDay:
    """Return a run as a `CountedDay`: the inputs for judging whether it is up to date, and its settings."""
    settings = msgspec.json.encode(run.settings).decode() if run.settings else ""
    return CountedDay(
        base_interval_s=run.interval_s,
        day_ms=keys.day_start_ms(run.day),
        frames=run.frames,
        published=published,
        footage_sha256=run.footage_sha256,
        params=run.params,
        settings=settings,
    )


def outdated_numbers(runs: Iterable[tuple[int, Run]]) -> set[int]:
    """Return the numbers of runs that no query reads (see `outdated`); `runs` are pairs of number and run."""
    of_model: defaultdict[str, list[CountedDay]] = defaultdict(list)
    for published, run in runs:
        of_model[run.model].append(counted_day(run, published))
    return {day.published for days in of_model.values() for day in outdated(days)}


def outdated(days: Iterable[CountedDay]) -> set[CountedDay]:
    """Return the days of a model whose footage has changed since they were counted.

    No query reads them. After `frametally retime`, for example, they have the same frames at other times.
    """
    days = [*days]
    newest: dict[int, CountedDay] = {}
    for run in sorted(days, key=lambda run: run.published):
        newest[run.day_ms] = run
    return {run for run in days if run.footage_sha256 != newest[run.day_ms].footage_sha256}


def up_to_date(
    index: CountIndex, model: str, base_intervals_s: Sequence[int], from_ms: int | None, to_ms: int | None
) -> list[int]:
    """Return the base intervals of a model that have all the footage of the UTC days of a range.

    Each count uses one interval and leaves the runs of the others as they were. So the run published last
    defines a day's footage, and a run of the same footage with as many frames is complete too. If no interval
    is complete on all days, return the one whose complete days have the most frames.
    """
    if len(base_intervals_s) < 2:
        return [*base_intervals_s]
    days = [run for run in index.counted_days(model) if is_day_in_range(run.day_ms, from_ms, to_ms)]
    outdated_runs = outdated(days)
    of_day: dict[int, dict[int, CountedDay]] = defaultdict(dict)
    for run in days:
        of_day[run.day_ms][run.base_interval_s] = run._replace(frames=0) if run in outdated_runs else run
    frames = dict.fromkeys(base_intervals_s, 0)
    lacking: set[int] = set()
    for runs in of_day.values():
        newest = max(runs.values(), key=lambda run: run.published)
        for base_s in frames:
            if newest.frames == (runs[base_s].frames if base_s in runs else 0):
                frames[base_s] += newest.frames
            else:
                lacking.add(base_s)
    usable_s = [base_s for base_s in base_intervals_s if base_s not in lacking]
    return usable_s or [max(base_intervals_s, key=lambda base_s: (frames[base_s], base_s))]


def present_end_ms(
    index: CountIndex,
    model: str,
    base_intervals_s: Sequence[int],
    summaries: Sequence[SourceSummary],
    now_ms: int,
) -> int | None:
    """Return where the footage of some sources ends, in ms, without footage dated in the future.

    One clip with a wrong date would stretch every default range. Return None if there is no other footage.
    """
    end_ms = max((summary.next_interval_ms for summary in summaries), default=None)
    if end_ms is None or not is_ahead(end_ms, now_ms):
        return end_ms
    base_s = up_to_date(index, model, base_intervals_s, None, now_ms)[0]
    sources = [summary.source for summary in summaries if summary.first_interval_ms <= now_ms]
    from_ms = None
    for bar_s in (DAY_S, base_s) if sources else ():  # the last day, and then its last interval
        query = CountQuery(model, base_s, bar_s, sources, NO_LABEL, from_ms, now_ms)
        starts_ms = [bucket.start_ms for bucket in index.histogram(query).coverage]
        if not starts_ms:
            return None
        from_ms = max(starts_ms)
    return None if from_ms is None else from_ms + base_s * 1000


def open_end_ms(
    index: CountIndex,
    model: str,
    base_intervals_s: Sequence[int],
    summaries: Sequence[SourceSummary],
    waiting: Collection[tuple[int, int]],
    from_ms: int,
) -> int:
    """Return where footage ends, ignoring future dates unless no other footage ends after `from_ms`."""
    now_ms = int(time.time() * 1000)
    counted_ms = present_end_ms(index, model, base_intervals_s, summaries, now_ms)
    ends_ms = [
        min(end_ms, now_ms) if is_ahead(end_ms, now_ms) else end_ms
        for first_ms, end_ms in waiting
        if not is_ahead(first_ms, now_ms)
    ]
    end_ms = max([*ends_ms, *([] if counted_ms is None else [counted_ms])], default=from_ms)
    if end_ms > from_ms:
        return end_ms
    return max([summary.next_interval_ms for summary in summaries] + [end for _, end in waiting])


class CountedWith(NamedTuple):
    """Settings that days were counted with: their hash, and their values or None if no run recorded them."""

    params: str
    settings: dict[str, Any] | None

    @property
    def words(self) -> str:
        """The settings on one line."""
        if self.settings is None:
            return f"not recorded (hash {self.params})"
        return "; ".join(_words(name, value) for name, value in self.settings.items())

    def counted_boxes(self) -> CountedBoxes | None:
        """Return which boxes were counted, or None if that was not recorded."""
        if self.settings is None or "min_confidence" not in self.settings:
            return None
        return CountedBoxes.from_limits(
            min_confidence=self.settings["min_confidence"],
            min_side_px=self.settings["min_box_side_px"],
            labels=",".join(self.settings["labels"]),
        )


class SettingsByDay:
    """The settings that the days of a model and a stored interval were counted with."""

    def __init__(self, index: CountIndex, model: str, base_interval_s: int) -> None:
        self._days = [day for day in index.counted_days(model) if day.base_interval_s == base_interval_s]

    def between(self, from_ms: int | None, to_ms: int | None) -> list[CountedWith]:
        """Return the distinct settings of the UTC days that `[from_ms, to_ms)` touches, by day."""
        days = sorted([day for day in self._days if is_day_in_range(day.day_ms, from_ms, to_ms)])
        return [_read(*settings) for settings in dict.fromkeys((day.params, day.settings) for day in days)]

    def counted_boxes_at(self, time_ms: int, otherwise: CountedBoxes) -> CountedBoxes:
        """Return which boxes were counted on the UTC day of a time; `otherwise` if that was not recorded."""
        boxes = [day.counted_boxes() for day in self.between(time_ms, time_ms + 1)]
        return next(filter(None, boxes), otherwise)

    def overlaps_at(self, time_ms: int, otherwise: OverlapWinner) -> OverlapWinner:
        """Return which of overlapping media counted on that day, or `otherwise` if that was not recorded."""
        for day in self.between(time_ms, time_ms + 1):
            recorded: OverlapWinner | None = (day.settings or {}).get("overlaps")
            return recorded or otherwise
        return otherwise

    def track_gap_ms_at(self, time_ms: int) -> int | None:
        """Return how many ms a track lived on without a box on that day; None if that was not recorded."""
        for counted in self.between(time_ms, time_ms + 1):
            tracking = (counted.settings or {}).get("tracking")
            return round(tracking["gap_s"] * 1000) if tracking else None
        return None


def _read(params: str, settings: str) -> CountedWith:
    return CountedWith(params, msgspec.json.decode(settings) if settings else None)


def counted_with(params: str, settings: Mapping[str, Any]) -> CountedWith:
    """Return a run's settings, given its `Run.params` and `Run.settings`."""
    return CountedWith(params, dict(settings) or None)


def _words(name: str, value: Any) -> str:
    if isinstance(value, dict) and value:
        return f"{name} (" + ", ".join(_words(*item) for item in value.items()) + ")"
    if isinstance(value, list | dict):
        # An empty list of labels means all labels; any other empty list or mapping means none.
        return f"{name} " + ("+".join(map(str, value)) or ("all" if name == "labels" else "none"))
    return f"{name} {_value(value)}"


def _value(value: Any) -> str:
    return "off" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
