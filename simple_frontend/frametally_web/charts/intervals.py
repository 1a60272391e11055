"""Which stored base interval a query reads, and how long its bars are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from frametally.rules.times import DAY_S, HOUR_S, WEEK_S
from frametally_web.requests.chosen_times import ALL_TIMES, ChosenTimes
from frametally_web.requests.problems import bad_parameter

DEFAULT_BARS = 120

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
    found: list[int] = []
    for interval_s in _candidates(base_intervals_s):
        as_long_as_the_range = interval_s * 1000 >= to_ms - from_ms
        if as_long_as_the_range or bars(from_ms, to_ms, interval_s) <= max_bars:
            found.append(interval_s)
        if as_long_as_the_range:
            break
    return found


def default_interval(
    base_intervals_s: Sequence[int], from_ms: int, to_ms: int, *, max_bars: int, least_s: float = 0
) -> int:
    """Return the shortest sensible bar length in seconds that gives at most `DEFAULT_BARS` bars.

    It is no shorter than `least_s`, unless the range is.
    """
    found = choices(base_intervals_s, from_ms, to_ms, max_bars=min(DEFAULT_BARS, max_bars))
    return next((interval_s for interval_s in found if interval_s >= least_s), found[-1])


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
    """Return the stored base interval to read: the coarsest that divides what is asked for.

    That is the interval and the zone's offsets, and the borders too. Where no base lies on the borders it is
    the finest that divides the rest: then the range ends where the caller says, as nearly as the index can.

    None for `interval_s` is any bar, for `from_ms` or `to_ms` an end left to the data. `offsets_ms` are those
    of the zone from UTC in the range; `lacking_s` are stored bases not read, as they lack footage of it;
    `times` are counted, which begin and end at `times_ms` of the week.

    Raises:
        Problem: 400, if no base divides the interval, the offsets or the times, with those that there are.
    """
    dividing = [base for base in base_intervals_s if interval_s is None or interval_s % base == 0]
    stored = ", ".join(str(base) for base in sorted(base_intervals_s))
    whole = " that has all footage of this range" if lacking_s else ""
    again = "".join(
        f" For {base} run `frametally aggregate --interval {base}` and `frametally index`."
        for base in lacking_s
    )
    if not dividing:
        raise bad_parameter(
            "interval",
            f"interval={interval_s} is not a multiple of a stored interval{whole}.",
            remedy=f"Ask for a multiple of one of these (seconds): {stored}.{again}",
            instead=[str(min(-(-(interval_s or 0) // base) * base for base in base_intervals_s))],
        )
    in_zone = [base for base in dividing if all(offset % (base * 1000) == 0 for offset in offsets_ms)]
    if not in_zone:
        raise bad_parameter(
            "timezone",
            f"The clocks of {zone} do not begin their bars where the stored intervals ({stored} seconds) do.",
            remedy="Choose timezone=UTC or a zone that is whole hours from it, or count with an interval of "
            f"900 seconds or less.{again}",
        )
    in_zone = [base for base in in_zone if all(border % (base * 1000) == 0 for border in times_ms)]
    if not in_zone:
        raise bad_parameter(
            times.parameter,
            f"The stored intervals{whole} ({stored} seconds) do not begin and end with the chosen times.",
            remedy=f"Choose times that begin and end with them, such as whole hours.{again}",
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
