"""What of an index a query reads: the queries that are refused, the intervals up to date, the stored steps.

The page and its users get the same bounds and the same words, whichever index answers. An index may keep sums
of longer steps beside its base intervals. A step serves a query if it divides the bars and their offset; the
ends of the range, where a step would reach beyond it, are read by shorter ones.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from frametally.errors import Misconfigured
from frametally.ports.count_index import NO_LABEL, CountedDay, CountIndex, CountQuery, SourceSummary
from frametally.rules.times import DAY_S, HOUR_S, is_ahead, is_day_in_range
from frametally.rules.week_parts import WeekParts

MAX_BUCKETS = 200_000
_MAX_NAMES = 1_000


def check_query(query: CountQuery) -> None:
    """Raise `Misconfigured` if bars or times are not whole stored intervals, or there are too many names."""
    base_s = query.base_interval_s
    bar_s = base_s if query.interval_s is None else query.interval_s
    if bar_s < 1 or base_s < 1 or bar_s % base_s:
        raise Misconfigured(
            f"interval {bar_s} s is not a multiple of the stored {base_s} s; use "
            f"{base_s}, {2 * base_s}, {3 * base_s} or another multiple of it"
        )
    if query.offset_ms % (base_s * 1000):
        raise Misconfigured(f"an offset of {query.offset_ms} ms is not a multiple of the stored {base_s} s")
    for part in query.week_parts:
        for border_ms in part:
            if border_ms % (base_s * 1000):
                raise Misconfigured(
                    f"a part of the week that begins or ends {border_ms} ms after Monday is not a multiple "
                    f"of the stored {base_s} s"
                )
    names_of = {"sources": query.sources, "labels": query.labels, "labels apart": query.apart or ()}
    for kind, names in names_of.items():
        if len(names) > _MAX_NAMES:
            raise Misconfigured(
                f"{len(names)} {kind} in one query is too many; give at most {_MAX_NAMES}, or none for all"
            )


def outdated(days: Iterable[CountedDay]) -> set[CountedDay]:
    """Return those of a model's days whose footage has changed since the last count.

    Nobody reads them: after `frametally retime`, say, they have as many frames as before at other times.
    """
    days = [*days]
    newest: dict[int, CountedDay] = {}
    for run in sorted(days, key=lambda run: run.published):
        newest[run.day_ms] = run
    return {run for run in days if run.footage_sha256 != newest[run.day_ms].footage_sha256}


def up_to_date(
    index: CountIndex, model: str, base_intervals_s: Sequence[int], from_ms: int | None, to_ms: int | None
) -> list[int]:
    """Return those of a model's base intervals that have all the footage of the UTC days of a range.

    Footage is counted with one interval at a time; what was counted with another stays as it was. So of each
    day the run that was published last says what there is, and those of the same footage and as many frames
    have it, too. Where no interval has it on all days, it is the one that has it for most frames.
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
    """Return where the footage of some sources ends, without what is dated in the future, in ms.

    One clip with a wrong date would stretch every default range. `None` if there is no other footage.
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
    """Return where footage ends, without what is dated in the future; after `from_ms` where there is some."""
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


ROLLED_STEPS_S = (900, HOUR_S, DAY_S)
"""Quarters of an hour (every zone's offset is a multiple of one), hours and days; the longest is a run's."""


class Piece(NamedTuple):
    """A part of a range and the step that it is read by; None leaves that end open."""

    step_s: int
    from_ms: int | None
    to_ms: int | None


def rolled_steps(base_interval_s: int) -> list[int]:
    """Return the steps that are kept beside a base interval, shortest first, in seconds."""
    return [step for step in ROLLED_STEPS_S if step > base_interval_s and step % base_interval_s == 0]


def usable_steps(
    base_interval_s: int, interval_s: int, offset_ms: int = 0, week_parts: WeekParts = ()
) -> list[int]:
    """Return the base interval and its steps that divide bars, their offset and the parts of the week."""
    rolled = [
        step
        for step in rolled_steps(base_interval_s)
        if interval_s % step == 0
        and offset_ms % (step * 1000) == 0
        and all(border_ms % (step * 1000) == 0 for part in week_parts for border_ms in part)
    ]
    return [base_interval_s, *rolled]


def pieces(steps_s: Sequence[int], from_ms: int | None, to_ms: int | None) -> list[Piece]:
    """Cut `[from_ms, to_ms)` into pieces, in order, together the whole of it and nothing twice.

    The steps are given shortest first, each a multiple of the one before; the first reads any range.
    """
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        return []
    *shorter, step_s = steps_s
    if not shorter:
        return [Piece(step_s, from_ms, to_ms)]
    step_ms = step_s * 1000
    first_ms = None if from_ms is None else -(-from_ms // step_ms) * step_ms
    next_ms = None if to_ms is None else to_ms // step_ms * step_ms
    if first_ms is not None and next_ms is not None and first_ms >= next_ms:
        return pieces(shorter, from_ms, to_ms)
    before = [] if first_ms == from_ms else pieces(shorter, from_ms, first_ms)
    after = [] if next_ms == to_ms else pieces(shorter, next_ms, to_ms)
    return [*before, Piece(step_s, first_ms, next_ms), *after]
