"""Zones and what a round keeps: hours without a new zone are kept, and all is as if counted from nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from tests.examples import examples
from tests.hadoop.conftest import Footage
from tests.hadoop.test_hours import (
    addresses,
    assert_counted_as_from_nothing,
    drives,
    from_nothing,
    late,
    stands,
    three_hours,
)
from tests.traffic.test_zone_counts import RIGHT, draw, zone

from frametally.ports.object_store import ObjectStore

__all__ = ["three_hours"]


@pytest.mark.thorough
@settings(max_examples=examples(10))
@given(*drives)
def test_rounds_with_a_zone_give_the_bytes_of_one_count_from_nothing(
    rounds: Sequence[Any], with_objects: bool, interval_s: int
) -> None:
    assert_counted_as_from_nothing(rounds, with_objects, interval_s, lambda footage: draw(footage, zone()))


def test_a_moved_zone_leaves_the_hours_of_other_sources_and_whole_pictures_as_they_are(
    three_hours: Footage, watched: Callable[..., ObjectStore]
) -> None:
    draw(three_hours, zone())
    draw(three_hours, zone(), source="yard")
    three_hours.aggregate()
    draw(three_hours, zone(points=RIGHT))
    report, read = addresses(three_hours, watched)
    assert (report.hours_kept, report.hours_counted, len(read)) == (9, 3, 3)
    late(three_hours)
    report, read = addresses(three_hours, watched)
    assert (report.hours_kept, len(read)) == (10, 2)
    assert stands(three_hours) == from_nothing(three_hours)
