"""The queries that every count index refuses, and its intervals that are up to date.

The page and its users get the same bounds and the same words, whichever index answers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from frametally.errors import Misconfigured
from frametally.ports.count_index import CountedDay, CountIndex, CountQuery
from frametally.rules.times import is_day_in_range

MAX_BUCKETS = 200_000
_MAX_NAMES = 1_000


def check_interval(query: CountQuery) -> None:
    """Raise `Misconfigured` if the bars are not a multiple of the stored interval."""
    base_s = query.base_interval_s
    if query.bar_s < 1 or base_s < 1 or query.bar_s % base_s:
        raise Misconfigured(
            f"interval {query.bar_s} s is not a multiple of the stored {base_s} s; use "
            f"{base_s}, {2 * base_s}, {3 * base_s} or another multiple of it"
        )


def check_offset(query: CountQuery) -> None:
    """Raise `Misconfigured` if the offset is not a multiple of the stored interval."""
    if query.offset_ms % (query.base_interval_s * 1000):
        raise Misconfigured(
            f"an offset of {query.offset_ms} ms is not a multiple of the stored {query.base_interval_s} s"
        )


def check_week_parts(query: CountQuery) -> None:
    """Raise `Misconfigured` if the parts of the week are not whole stored intervals."""
    for border_ms in (border_ms for part in query.week_parts for border_ms in part):
        if border_ms % (query.base_interval_s * 1000):
            raise Misconfigured(
                f"a part of the week that begins or ends {border_ms} ms after Monday is not a multiple of "
                f"the stored {query.base_interval_s} s"
            )


def check_names(query: CountQuery) -> None:
    """Raise `Misconfigured` if one query names too many."""
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
