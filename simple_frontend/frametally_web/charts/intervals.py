"""Which stored interval a query reads, how long its bars are, and how often a source has a picture."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from statistics import median_low

from frametally.rules.times import DAY_S, HOUR_S, WEEK_S
from frametally_web.charts.measures import Reader
from frametally_web.charts.seconds import MOST_MS, SECOND_S
from frametally_web.requests.problems import bad_parameter
from frametally_web.requests.query import ALL_TIMES, ChosenTimes

DEFAULT_BARS = 120
_BARS_BY_SECOND = MOST_MS // 1000 + 1  # both ends may cut one

_COMMON_S = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(HOUR_S, 7200, 10_800, 21_600, 43_200, DAY_S, 2 * DAY_S, WEEK_S, 2 * WEEK_S, 4 * WEEK_S),
)


def bars(from_ms: int, to_ms: int, interval_s: int) -> int:
    """Return how many intervals `[from_ms, to_ms)` touches; intervals start at multiples since the epoch."""
    interval_ms = interval_s * 1000
    return -(-to_ms // interval_ms) - from_ms // interval_ms


def choices(base_intervals_s: Sequence[int], from_ms: int, to_ms: int, *, max_bars: int) -> list[int]:
    """Return sensible bar lengths in seconds, shortest first: multiples of a stored base, at most `max_bars`.

    They end with the first that is as long as the range, which is there whatever `max_bars` says.
    """
    intervals_s: list[int] = []
    for interval_s in _candidates(base_intervals_s):
        as_long_as_the_range = interval_s * 1000 >= to_ms - from_ms
        if as_long_as_the_range or bars(from_ms, to_ms, interval_s) <= max_bars:
            intervals_s.append(interval_s)
        if as_long_as_the_range:
            break
    return intervals_s


def default_interval(
    base_intervals_s: Sequence[int],
    from_ms: int,
    to_ms: int,
    *,
    max_bars: int,
    least_s: float = 0,
    times: ChosenTimes = ALL_TIMES,
) -> int:
    """Return the shortest sensible bar length in seconds that gives at most `DEFAULT_BARS` bars.

    Ten minutes or less have bars of a second, if a base is as short. A bar is not shorter than `least_s`,
    unless the range is. It divides the hours of `times`, or is whole days.
    """
    is_by_second = SECOND_S in base_intervals_s and to_ms - from_ms <= MOST_MS
    most = _BARS_BY_SECOND if is_by_second else DEFAULT_BARS
    intervals_s = choices(base_intervals_s, from_ms, to_ms, max_bars=min(most, max_bars))
    borders_s = [minute * 60 for minute in times.hours or ()]
    intervals_s = [
        interval_s
        for interval_s in intervals_s
        if interval_s >= DAY_S or all(border % interval_s == 0 for border in borders_s)
    ] or intervals_s
    return next((interval_s for interval_s in intervals_s if interval_s >= least_s), intervals_s[-1])


def base_of(
    base_intervals_s: Sequence[int],
    interval_s: int | None,
    from_ms: int | None,
    to_ms: int | None,
    offsets_ms: Collection[int] = (),
    zone: str = "UTC",
    *,
    lacking_s: Sequence[int] = (),
    times: ChosenTimes = ALL_TIMES,
    times_ms: Collection[int] = (),
) -> int:
    """Return the stored base interval to read: the coarsest that divides the request.

    That is the interval and the zone's offsets, and the borders too. Where no base lies on the borders it is
    the finest that divides the rest: then the range ends where the caller says, as nearly as the index can.

    None for `interval_s` is any bar, for `from_ms` or `to_ms` an end left to the data. `offsets_ms` are those
    of the zone from UTC in the range; `lacking_s` are stored bases not read, as they lack footage of it;
    `times` are counted, which begin and end at `times_ms` of the week.

    Raises:
        Problem: 400, if no base divides the interval, the offsets or the times; it lists the existing bases.
    """
    dividing = [base for base in base_intervals_s if interval_s is None or interval_s % base == 0]
    bases_text = ", ".join(str(base) for base in sorted(base_intervals_s))
    whole = " that has all footage of this range" if lacking_s else ""
    again = "".join(
        f" For {base} run `frametally aggregate --interval {base}` and `frametally index`."
        for base in lacking_s
    )
    if not dividing:
        raise bad_parameter(
            "interval",
            f"interval={interval_s} is not a multiple of a stored interval{whole}.",
            remedy=f"Choose a multiple of one of these (seconds): {bases_text}.{again}",
            instead=[str(min(-(-(interval_s or 0) // base) * base for base in base_intervals_s))],
        )
    in_zone = [base for base in dividing if all(offset % (base * 1000) == 0 for offset in offsets_ms)]
    if not in_zone:
        raise bad_parameter(
            "timezone",
            f"In {zone}, bars would not begin on the boundaries of the stored intervals ({bases_text} "
            "seconds).",
            remedy="Choose timezone=UTC or a zone that is whole hours from it, or count with an "
            f"interval of 900 seconds or less.{again}",
        )
    in_zone = [base for base in in_zone if all(border % (base * 1000) == 0 for border in times_ms)]
    if not in_zone:
        raise bad_parameter(
            times.parameter,
            f"The chosen times are not on the boundaries of the stored intervals{whole} ({bases_text} "
            "seconds).",
            remedy=f"Choose times on these boundaries, such as whole hours.{again}",
        )
    borders_ms = [border for border in (from_ms, to_ms) if border is not None]
    on_borders = [base for base in in_zone if all(border % (base * 1000) == 0 for border in borders_ms)]
    return max(on_borders) if on_borders else min(in_zone)


def _candidates(base_intervals_s: Sequence[int]) -> Iterator[int]:
    uncommon = set(base_intervals_s).difference(_COMMON_S)
    multiples = {base * factor for base in uncommon for factor in (1, 2, 5, 10)}
    for interval_s in sorted(multiples.union(_COMMON_S)):
        if any(interval_s % base == 0 for base in base_intervals_s):
            yield interval_s
    # Every base divides a day, so whole weeks go on for ever.
    weeks = 8
    while True:
        yield weeks * WEEK_S
        weeks *= 2


_LEAST_FRAMES = 3  # two frames are no rhythm
_MOST_SOURCES = 100
"""Most sources to examine: the ones with fewest frames."""


def longest_step_s(reader: Reader, interval_s: int) -> float:
    """Return the longest of the sources' own steps in seconds, as far as it is longer than `interval_s`.

    The step of a source is the median from one of its frames to the next, as nearly as the stored interval
    tells: holes do not matter, and neither do bursts. 0 where all have more frames than bars.
    """
    if not reader.spans:
        return 0
    bars = (reader.spans[-1].to_ms - reader.spans[0].from_ms) / (interval_s * 1000)
    of_sources = reader.filmed()
    # The mean step, holes and all, is no shorter than the median of as many frames as bars can be.
    seldom = [coverage for coverage in of_sources if _LEAST_FRAMES <= coverage.frames <= bars + 1]
    fewest = heapq.nsmallest(_MOST_SOURCES, seldom, key=lambda coverage: coverage.frames)
    if not fewest:
        return 0
    steps_ms: dict[str | None, list[int]] = defaultdict(list)
    last_ms: dict[str | None, int] = {}
    base_s = reader.query.base_interval_s
    names = [coverage.source for coverage in fewest]
    for bucket in reader.filmed(base_s, sources=names):
        if bucket.source in last_ms:
            steps_ms[bucket.source].append(bucket.start_ms - last_ms[bucket.source])
        steps_ms[bucket.source] += [0] * (bucket.frames - 1)
        last_ms[bucket.source] = bucket.start_ms
    return max((median_low(steps) for steps in steps_ms.values() if steps), default=0) / 1000
