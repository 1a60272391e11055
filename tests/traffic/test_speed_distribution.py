"""Median and 85th percentile of speeds: those of the visits, however they were split, ordered or repeated."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.traffic.flow_rule import GroundSpeed, speeds_of

from frametally_traffic.geometry.speed import NotMeasured
from frametally_traffic.geometry.speed_distribution import SpeedDistribution, speeds_together

speeds = st.builds(
    GroundSpeed, st.floats(0, 5000, allow_subnormal=False), st.floats(0, 10, allow_subnormal=False)
)
visits = st.dictionaries(
    st.integers(0, 99).map(str), speeds | st.sampled_from(get_args(NotMeasured)), max_size=40
)


def km_h(*values: float) -> dict[str, GroundSpeed | NotMeasured]:
    return {str(at): GroundSpeed((value / 3.6) ** 2, 0.25) for at, value in enumerate(values)}


@pytest.mark.thorough
@given(visits, st.data())
def test_split_order_and_repetition_of_visits_change_nothing(
    found: dict[str, GroundSpeed | NotMeasured], data: st.DataObject
) -> None:
    whole = speeds_of(found)
    order = data.draw(st.permutations([*found.items(), *[*found.items()][:3]]))
    assert speeds_of(dict(order)) == whole
    parts: list[dict[str, GroundSpeed | NotMeasured]] = [{}, {}, {}]
    for visit, speed in found.items():
        parts[data.draw(st.integers(0, 2))][visit] = speed
    assert speeds_together(map(speeds_of, parts)) == whole
    nested = speeds_together(
        [speeds_together([speeds_of(parts[2]), speeds_of(parts[0])]), speeds_of(parts[1])]
    )
    assert nested == whole


@given(st.lists(st.integers(0, 2500), min_size=1, max_size=60), st.integers(1, 100))
def test_a_percentile_is_the_lowest_speed_that_enough_visits_do_not_exceed(
    tenths: list[int], percent: int
) -> None:
    found = speeds_of(km_h(*(tenth / 10 for tenth in tenths))).percentile_km_h(percent)
    assert found is not None
    assert round(found * 10) in tenths
    assert 100 * sum(tenth <= round(found * 10) for tenth in tenths) >= percent * len(tenths)
    assert 100 * sum(tenth < round(found * 10) for tenth in tenths) < percent * len(tenths)


def test_a_hundred_visits_have_the_median_and_p85_that_one_counts_by_hand() -> None:
    found = speeds_of(km_h(*range(1, 101)))
    assert (found.measured, found.median_km_h, found.p85_km_h) == (100, 50.0, 85.0)
    assert found.error_km_h == pytest.approx(3.6 * 0.5)


def test_what_is_not_measured_is_counted_by_its_reason_and_is_no_speed() -> None:
    found = speeds_of({"a": "too_short", "b": "too_short", "c": "out_of_reach"})
    assert found == SpeedDistribution((), 0, (("out_of_reach", 1), ("too_short", 2)))
    assert (found.measured, found.median_km_h, found.p85_km_h, found.error_km_h) == (0, None, None, None)


def test_nothing_is_a_distribution_too() -> None:
    assert speeds_together([]) == speeds_of({}) == SpeedDistribution()
