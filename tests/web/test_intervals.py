"""The stored interval that a query reads, and the length of its bars."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frametally.actions.problems import Problem
from frametally_web.charts import local_bars
from frametally_web.requests.query import ChosenTimes

DIVISORS_OF_A_DAY = [n for n in range(1, 86_401) if 86_400 % n == 0]
moments_ms = st.integers(-62_135_596_800_000, 253_402_300_799_000)
bases = st.lists(st.sampled_from(DIVISORS_OF_A_DAY), min_size=1, max_size=4, unique=True)


@given(bases, moments_ms, moments_ms, st.integers(0, 500))
def test_a_chosen_interval_is_a_multiple_of_a_stored_one_and_gives_few_bars(
    stored_s: list[int], one_ms: int, other_ms: int, max_bars: int
) -> None:
    from_ms, to_ms = min(one_ms, other_ms), max(one_ms, other_ms) + 1
    for interval_s in local_bars.bar_choices(stored_s, from_ms, to_ms, max_bars=max_bars):
        assert any(interval_s % base == 0 for base in stored_s)
        count = local_bars.bar_count(from_ms, to_ms, interval_s)
        assert count <= max_bars or interval_s * 1000 >= to_ms - from_ms
    chosen_s = local_bars.default_intervals(stored_s, from_ms, to_ms, max_bars=max_bars)[0]
    assert local_bars.bar_count(from_ms, to_ms, chosen_s) <= max(local_bars.DEFAULT_BARS, 2)


@given(moments_ms, st.integers(1, 10**9), st.integers(1, 10**6))
def test_bars_counts_the_intervals_that_a_range_touches(
    from_ms: int, length_ms: int, interval_s: int
) -> None:
    to_ms = from_ms + length_ms
    first, last = from_ms // (interval_s * 1000), (to_ms - 1) // (interval_s * 1000)
    assert local_bars.bar_count(from_ms, to_ms, interval_s) == last - first + 1


@pytest.mark.parametrize(
    ("from_s", "to_s", "chosen_s"),
    [
        (0, 12, 1),  # the demo's clip
        (0, 600, 1),
        (0, 601, 10),
        (0, 3600, 30),
        (0, 86_400, 900),
        (0, 30 * 86_400, 21_600),
        (0, 10 * 365 * 86_400, 56 * 86_400),
    ],
)
def test_by_default_ten_minutes_have_seconds_and_longer_ranges_at_most_120_bars_of_a_common_length(
    from_s: int, to_s: int, chosen_s: int
) -> None:
    assert local_bars.default_intervals([1], from_s * 1000, to_s * 1000, max_bars=5000)[0] == chosen_s


@pytest.mark.parametrize(
    ("hours", "days", "chosen_s"),
    [
        ((420, 540), 5, 3600),  # 7 to 9 by the hour: bars of two hours would begin at 6
        ((420, 540), 30, 86_400),
        ((450, 540), 1, 900),
        ((480, 1200), 10, 7200),
        ((1320, 360), 5, 3600),
    ],
)
def test_bars_divide_the_chosen_hours(hours: tuple[int, int], days: int, chosen_s: int) -> None:
    times = ChosenTimes(hours)
    to_ms = days * 86_400_000
    found = local_bars.default_intervals([1], 0, to_ms, max_bars=5000, times=times)[0]
    assert found == chosen_s
    assert found >= 86_400 or all(minute * 60 % found == 0 for minute in hours)


def test_the_coarsest_stored_interval_that_divides_the_chosen_one_is_read() -> None:
    assert local_bars.base_of([1, 60, 900], 3600, 0, 7_200_000) == 900
    assert local_bars.base_of([1, 60, 900], 120, 0, 7_200_000) == 60
    # The border is not on a quarter of an hour: a coarser base would split it elsewhere.
    assert local_bars.base_of([1, 60, 900], 3600, 60_000, 7_200_000) == 60
    assert local_bars.base_of([60, 900], 3600, 1_000, 7_200_000) == 60


def test_an_interval_that_no_stored_one_divides_is_refused_with_the_choices() -> None:
    with pytest.raises(Problem) as refused:
        local_bars.base_of([900, 60], 90, None, None)
    assert refused.value.parameter == "interval"
    assert "60, 900" in refused.value.remedy


def test_a_refusal_names_the_intervals_that_lack_footage_and_how_to_count_them() -> None:
    with pytest.raises(Problem, match="that has all footage of this range") as refused:
        local_bars.base_of([60], 30, None, None, lacking_s=[1])
    assert "frametally aggregate --interval 1" in refused.value.remedy
    with pytest.raises(Problem) as refused:
        local_bars.base_of([3600], 3600, None, None, {19_800_000}, "Asia/Kolkata", lacking_s=[900])
    assert refused.value.parameter == "timezone"
    assert "frametally aggregate --interval 900" in refused.value.remedy
