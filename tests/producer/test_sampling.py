"""Frames are taken off a fixed grid of presentation times, the same ones every time."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from frametally_producer.reading.sampling import Sampler, denser, estimate_frames

steps = st.lists(st.fractions(min_value=0, max_value=3, max_denominator=90_000), max_size=60)
rates = st.sampled_from(["0.1", "0.333", "1", "2", "4", "5", "8", "29.97", "30", "1000"])


def positions(gaps: list[Fraction]) -> list[Fraction]:
    times = [Fraction(0)]
    for gap in gaps:
        times.append(times[-1] + gap)
    return times


def taken(times: list[Fraction], *samplings: str) -> list[int]:
    sampler = Sampler(*samplings)
    return [index for index, time in enumerate(times) if sampler.takes(time)]


@given(steps, rates)
def test_of_each_grid_time_the_first_frame_at_or_after_it_is_taken(gaps: list[Fraction], rate: str) -> None:
    times = positions(gaps)
    fps = Fraction(rate)
    wanted = set()
    for grid in range(int(times[-1] * fps) + 1):
        wanted.add(next(index for index, time in enumerate(times) if time >= grid / fps))
    assert taken(times, rate) == sorted(wanted)


@given(steps, rates, st.integers(1, 6))
def test_a_rate_that_is_a_multiple_takes_all_that_the_other_does(
    gaps: list[Fraction], rate: str, factor: int
) -> None:
    times = positions(gaps)
    multiple = str(Fraction(rate) * factor)
    assert set(taken(times, rate)) <= set(taken(times, multiple)) <= set(taken(times, "all"))


@given(steps, st.sets(rates, min_size=1))
def test_several_samplings_take_what_any_of_them_does(gaps: list[Fraction], samplings: set[str]) -> None:
    times = positions(gaps)
    assert set(taken(times, *samplings)) == {index for one in samplings for index in taken(times, one)}


def test_hours_of_ntsc_do_not_drift() -> None:
    times = [Fraction(1001 * index, 30_000) for index in range(200_000)]
    chosen = taken(times, "5")
    assert len(chosen) == int(times[-1] * 5) + 1
    for grid, index in enumerate(chosen):
        assert times[index - 1] < Fraction(grid, 5) <= times[index] or index == 0


def test_the_denser_of_two_samplings_has_more_frames_a_second() -> None:
    assert denser("5", "10") == denser("10", "5") == "10"
    assert denser("0.5", "all") == denser("all", "1000") == "all"
    assert denser("9", "10") == "10"


def test_an_estimate_is_no_more_than_the_frames_there_are() -> None:
    assert estimate_frames("5", frames=None, duration_s=Fraction(61, 10)) == 31
    assert estimate_frames("5", frames=10, duration_s=Fraction(61, 10)) == 10
    assert estimate_frames("all", frames=10, duration_s=None) == 10
    assert estimate_frames("5", frames=None, duration_s=None) is None
