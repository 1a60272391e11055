"""Times of frames match the plain formula, and frames are taken at a fixed grid of them."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frametally_producer.reading.sampling import (
    CameraSampler,
    PresentationTimes,
    Sampler,
    denser,
    estimate_frames,
)

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


def by_frame(
    frames: list[tuple[int | None, int | None]], times: PresentationTimes
) -> list[tuple[int, Fraction, Fraction]]:
    """Of each frame: offset in ms, position and end in seconds."""
    found = []
    for pts, duration in frames:
        times.pass_over(pts, duration)
        end_s = times.end_s
        assert end_s is not None
        found.append((times.offset_ms, times.position_s, end_s))
    return found


@given(FRAMES, TIME_BASES, st.none() | TICKS, RATES)
def test_times_only_rise_and_end_after_they_begin_whatever_the_file_states(
    frames: list[tuple[int | None, int | None]],
    time_base: Fraction,
    start_ticks: int | None,
    rate: Fraction | None,
) -> None:
    times = PresentationTimes(time_base=time_base, start_ticks=start_ticks, rate=rate)
    assert times.end_s is None
    found = by_frame(frames, times)
    assert found[0][1] == 0
    assert all(a[1] < b[1] and a[0] <= b[0] for a, b in itertools.pairwise(found))
    assert all(position <= end_s for _, position, end_s in found)


LENGTH = 200
STATED = st.lists(st.integers(0, 60), min_size=1, max_size=40).map(
    lambda slots: [slot * LENGTH // 2 for slot in slots]
)


@given(STATED, st.booleans())
def test_a_stated_time_is_used_wherever_stated_times_advance(stated: list[int], has_rate: bool) -> None:
    """A time that is a frame or more after all earlier ones, whatever repairs there were."""
    whole: list[int] = []
    for ms in stated:
        if not whole or whole[-1] - ms <= 1000:  # otherwise they would start again
            whole.append(ms)
    times = PresentationTimes(
        time_base=Fraction(1, 1000), start_ticks=0, rate=Fraction(1000, LENGTH) if has_rate else None
    )
    found = by_frame([(ms, None if has_rate else LENGTH) for ms in whole], times)
    given_ms = [int(position * 1000) + whole[0] for _, position, _ in found]
    for number, ms in enumerate(whole):
        if ms >= max(whole[:number], default=-LENGTH) + LENGTH:
            assert given_ms[number] == ms


@pytest.mark.parametrize(
    ("stated", "given_ms"),
    [
        ([0, 200, 200, 400, 600, 800], [0, 200, 300, 400, 600, 800]),  # doubled
        ([0, 200, 200, 200, 400, 600], [0, 200, 300, 350, 400, 600]),
        ([0, 200, 100, 400, 600], [0, 200, 300, 400, 600]),  # exchanged
        ([0, 0, 400, 400, 800, 800], [0, 100, 400, 500, 800, 900]),  # a clock of half the rate
        ([0, 200, None, 600], [0, 200, 400, 600]),
        (
            [0, 200, 1000, 200, 300, 400, 600, 800, 1000, 1200],
            [0, 200, 1000, 1100, 1150, 1175, 1187, 1193, 1196, 1200],
        ),
        ([5000, 5200, 0, 200, 400, 400, 600], [0, 200, 400, 600, 800, 900, 1000]),  # joined
    ],
)
def test_a_repaired_time_does_not_shift_later_ones(stated: list[int | None], given_ms: list[int]) -> None:
    times = PresentationTimes(time_base=Fraction(1, 1000), start_ticks=None, rate=Fraction(5))
    assert [offset for offset, *_ in by_frame([(ms, None) for ms in stated], times)] == given_ms


@pytest.mark.parametrize("doubled_every", [1, 2, 10])
def test_duplicate_times_do_not_lengthen_a_video(doubled_every: int) -> None:
    stated = [frame * 200 for frame in range(300) for _ in range(1 + (frame % doubled_every == 0))]
    times = PresentationTimes(time_base=Fraction(1, 1000), start_ticks=0, rate=Fraction(11, 2))
    given_ms = [offset for offset, *_ in by_frame([(ms, None) for ms in stated], times)]
    assert given_ms[-1] < 60_000
    assert set(stated) <= set(given_ms)


steps = st.lists(st.fractions(min_value=0, max_value=3, max_denominator=90_000), max_size=60)
rates = st.sampled_from(["0.1", "0.333", "1", "2", "4", "5", "8", "29.97", "30", "1000"])


def positions(gaps: list[Fraction]) -> list[Fraction]:
    times = [Fraction(0)]
    for gap in gaps:
        times.append(times[-1] + gap)
    return times


class Shown(NamedTuple):
    number: int
    position_s: Fraction


def taken(times: list[Fraction], *samplings: str) -> list[int]:
    frames = [Shown(index, time) for index, time in enumerate(times)]
    sifted = list(Sampler(*samplings).sift(frames))
    assert [frame for frame, _ in sifted] == frames
    return [frame.number for frame, is_taken in sifted if is_taken]


def firsts(times: list[Fraction], rate: str) -> set[int]:
    """The first frame at or after each time of the grid."""
    slots = [int(time * Fraction(rate)) for time in times]
    return {index for index, slot in enumerate(slots) if index == 0 or slot != slots[index - 1]}


@pytest.mark.thorough
@given(steps, rates)
def test_each_grid_time_takes_the_next_frame_and_an_empty_step_takes_a_skipped_one(
    gaps: list[Fraction], rate: str
) -> None:
    times = positions(gaps)
    fps = Fraction(rate)
    wanted = set()
    for grid in range(int(times[-1] * fps) + 1):
        wanted.add(next(index for index, time in enumerate(times) if time >= grid / fps))
    assert wanted == firsts(times, rate)
    chosen = taken(times, rate)
    assert wanted <= set(chosen)
    assert len(chosen) <= int(times[-1] * fps) + 1


def rounded(interval_s: Fraction, tick_s: Fraction, frames: int) -> list[Fraction]:
    return [round(index * interval_s / tick_s) * tick_s for index in range(frames)]


@pytest.mark.parametrize("fps", [5, 10, 24, 25, Fraction(30_000, 1001), 30, 50, 60])
@pytest.mark.parametrize("tick_s", [Fraction(1, 1000), Fraction(1, 90_000)])
def test_at_a_constant_rate_each_grid_time_takes_only_its_first_frame(
    fps: Fraction, tick_s: Fraction
) -> None:
    times = rounded(1 / Fraction(fps), tick_s, 3000)
    for rate in ("0.5", "2", "5"):
        assert set(taken(times, rate)) == firsts(times, rate)


def test_a_constant_rate_equal_to_the_samplings_loses_no_frame_to_rounded_times() -> None:
    """Matroska has milliseconds: 15 frames a second begin at 0, 67, 133 and 200 ms."""
    times = rounded(Fraction(1, 15), Fraction(1, 1000), 300)
    assert (len(firsts(times, "15")), len(taken(times, "15"))) == (200, 299)


@pytest.mark.parametrize("jitter_ms", [10, 20, 40, 80])
def test_a_variable_rate_equal_to_the_samplings_loses_hardly_a_frame(jitter_ms: int) -> None:
    chance = random.Random(7)  # noqa: S311 - no secret
    times = [Fraction(index * 200 + chance.randint(0, 2 * jitter_ms), 1000) for index in range(3000)]
    times = [time - times[0] for time in times]
    assert len(firsts(times, "5")) < 0.95 * len(times)
    assert len(taken(times, "5")) > 0.98 * len(times)


@pytest.mark.thorough
@given(steps, rates, st.integers(1, 6))
def test_a_multiple_of_a_rate_takes_every_frame_that_the_rate_takes(
    gaps: list[Fraction], rate: str, factor: int
) -> None:
    times = positions(gaps)
    multiple = str(Fraction(rate) * factor)
    assert set(taken(times, rate)) <= set(taken(times, multiple)) <= set(taken(times, "all"))


@pytest.mark.thorough
@given(steps, st.sets(rates, min_size=1))
def test_several_samplings_take_every_frame_that_any_of_them_takes(
    gaps: list[Fraction], samplings: set[str]
) -> None:
    times = positions(gaps)
    assert set(taken(times, *samplings)) == {index for one in samplings for index in taken(times, one)}


def camera_takes(times: list[Fraction], rate: str) -> list[int]:
    sampler = CameraSampler(rate)
    return [index for index, time in enumerate(times) if sampler.takes(time - times[0])]


jitters = st.lists(
    st.fractions(Fraction(-2, 5), Fraction(2, 5), max_denominator=1000), min_size=1, max_size=80
)


@pytest.mark.thorough
@given(jitters, rates, st.fractions(1, 2, max_denominator=50))
def test_a_jittering_camera_no_faster_than_the_sampling_loses_no_frame(
    offsets: list[Fraction], rate: str, slowness: Fraction
) -> None:
    """By up to 0.4 of a slot, early or late."""
    times = [(index * slowness + offset) / Fraction(rate) for index, offset in enumerate(offsets)]
    assert camera_takes(times, rate) == list(range(len(times)))


@pytest.mark.thorough
@given(steps, rates)
def test_no_camera_gives_more_frames_than_the_rate(gaps: list[Fraction], rate: str) -> None:
    times = positions(gaps)
    chosen = camera_takes(times, rate)
    for number, index in enumerate(chosen, 1):
        assert number <= times[index] * Fraction(rate) + Fraction(9, 5)


@pytest.mark.thorough
@given(jitters, rates, st.fractions(Fraction(1, 30), 1, max_denominator=50))
def test_a_faster_camera_gives_frames_at_the_rate(
    offsets: list[Fraction], rate: str, interval: Fraction
) -> None:
    times = [(index + offset) * interval / Fraction(rate) for index, offset in enumerate(offsets)]
    slots = (times[-1] - times[0]) * Fraction(rate)
    assert slots - 1 <= len(camera_takes(times, rate)) <= slots + Fraction(9, 5)


def test_a_camera_with_30_frames_a_second_gives_5_a_second_evenly() -> None:
    times = [Fraction(index, 30) for index in range(1800)]
    chosen = camera_takes(times, "5")
    assert len(chosen) == 301
    assert {late - early for early, late in itertools.pairwise(chosen[1:])} == {6}


def test_neither_a_camera_nor_a_file_loses_frames_at_slot_edges() -> None:
    """The measured case: 5 frames a second at 5 a second, each up to 14 ms late."""
    late = random.Random(7)  # noqa: S311 - no secret
    times = [Fraction(index * 200 + late.randint(0, 14), 1000) for index in range(300)]
    times = [time - times[0] for time in times]
    assert len(firsts(times, "5")) == 231
    # The duration of a file's last frame is not known.
    assert (len(taken(times, "5")), len(camera_takes(times, "5"))) == (299, 300)


@pytest.mark.thorough
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


def test_an_estimate_never_exceeds_the_number_of_frames() -> None:
    assert estimate_frames("5", frames=None, duration_s=Fraction(61, 10)) == 31
    assert estimate_frames("5", frames=10, duration_s=Fraction(61, 10)) == 10
    assert estimate_frames("all", frames=10, duration_s=None) == 10
    assert estimate_frames("5", frames=None, duration_s=None) is None
