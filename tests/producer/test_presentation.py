"""The times of frames by whole numbers are those that the plain formula gives in fractions."""

from __future__ import annotations

import math
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from frametally_producer.reading.presentation import PresentationTimes

TIME_BASES = st.sampled_from(
    [Fraction(1, 90_000), Fraction(1, 15_360), Fraction(1, 1_000), Fraction(7, 3)]
) | (st.fractions(min_value=Fraction(1, 10**9), max_value=Fraction(10)).filter(bool))
RATES = (
    st.none()
    | st.just(Fraction(0))
    | st.sampled_from([Fraction(25), Fraction(30_000, 1_001), Fraction(1, 7)])
    | st.fractions(min_value=Fraction(1, 1_000), max_value=Fraction(1_000))
)
TICKS = st.integers(min_value=-(2**62), max_value=2**62) | st.integers(min_value=-300, max_value=300)
FRAMES = st.lists(
    st.tuples(st.none() | TICKS, st.none() | st.just(0) | st.integers(1, 10_000)), min_size=1, max_size=12
)


def in_fractions(
    frames: list[tuple[int | None, int | None]],
    *,
    time_base: Fraction,
    start_ticks: int | None,
    rate: Fraction | None,
) -> list[tuple[int, Fraction, Fraction]]:
    """Of each frame: offset in ms, position and end in seconds."""
    times = []
    first: Fraction | None = None
    ticks = Fraction(0)
    next_ticks = Fraction(start_ticks or 0)
    for pts, duration in frames:
        ticks = Fraction(pts) if pts is not None and (first is None or pts > ticks) else next_ticks
        if first is None:
            first = ticks
        origin = first if start_ticks is None else Fraction(start_ticks)
        usual = 1 / (rate * time_base) if rate else Fraction(0)
        next_ticks = ticks + (Fraction(duration) if duration else usual)
        times.append(
            (
                math.floor((ticks - origin) * time_base * 1000),
                (ticks - first) * time_base,
                (next_ticks - first) * time_base,
            )
        )
    return times


def by_whole_numbers(
    frames: list[tuple[int | None, int | None]], times: PresentationTimes
) -> list[tuple[int, Fraction, Fraction | None]]:
    found = []
    for pts, duration in frames:
        times.pass_over(pts, duration)
        found.append((times.offset_ms, times.position_s, times.end_s))
    return found


@given(FRAMES, TIME_BASES, st.none() | TICKS, RATES)
def test_whole_numbers_give_the_times_of_the_plain_formula_whatever_base_rate_and_order(
    frames: list[tuple[int | None, int | None]],
    time_base: Fraction,
    start_ticks: int | None,
    rate: Fraction | None,
) -> None:
    times = PresentationTimes(time_base=time_base, start_ticks=start_ticks, rate=rate)
    assert times.end_s is None
    expected = in_fractions(frames, time_base=time_base, start_ticks=start_ticks, rate=rate)
    assert by_whole_numbers(frames, times) == expected
