"""Zones in later rounds: hours without a new zone are kept, and the result equals a count from scratch."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.hadoop.conftest import Footage
from tests.hadoop.test_aggregate_kills import POINTS, published_whatever_is_killed
from tests.hadoop.test_hours import addresses, from_nothing, late, stands, three_hours
from tests.traffic.test_zone_counts import RIGHT, draw, zone

__all__ = ["three_hours"]


@pytest.mark.thorough
def test_a_kill_at_any_failpoint_with_a_zone_does_not_change_the_bytes_of_the_rerun(
    three_hours: Footage, tmp_path: Path
) -> None:
    draw(three_hours, zone())
    late(three_hours)
    expected = published_whatever_is_killed(tmp_path, POINTS)
    assert any(key.endswith("/zones-00000.gz") for key in expected)


def test_a_moved_zone_keeps_the_hours_of_other_sources_and_of_whole_pictures(three_hours: Footage) -> None:
    draw(three_hours, zone())
    draw(three_hours, zone(), source="yard")
    three_hours.aggregate()
    draw(three_hours, zone(points=RIGHT))
    report, read = addresses(three_hours)
    assert (report.hours_kept, report.hours_counted, len(read)) == (9, 3, 3)
    late(three_hours)
    report, read = addresses(three_hours)
    assert (report.hours_kept, len(read)) == (10, 2)
    assert stands(three_hours) == from_nothing(three_hours)
