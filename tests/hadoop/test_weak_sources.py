"""`aggregate` names a source most of whose boxes are in no track, with a remedy."""

from __future__ import annotations

import pytest
from tests.fakes.memory import MemoryStore
from tests.fakes.records import DAY_MS, make_count, make_coverage, make_run, put_run

from frametally.rules.times import HOUR_MS
from frametally_cli.stages.aggregate import weak_days


@pytest.mark.parametrize(("tracked", "is_named"), [(9, True), (10, False), (None, False)])
def test_a_source_with_few_boxes_in_tracks_is_named_once_a_day_with_what_to_do(
    tracked: int | None, is_named: bool
) -> None:
    store = MemoryStore()
    starts = [DAY_MS, DAY_MS + HOUR_MS]
    counts = [
        make_count(at_ms, "car", 10, interval_s=3600, objects=0, tracked_detections=tracked and tracked // 2)
        for at_ms in starts
    ]
    coverage = [
        make_coverage(at_ms, 50, interval_s=3600, detections=10, objects=0, analysed_fps=5.0, covered_ms=1)
        for at_ms in starts
    ]
    run = make_run(1, interval_s=3600, frames=100)
    put_run(store, run, counts, coverage)
    lines = [*weak_days(store, run)]
    assert len(lines) == is_named
    if is_named:
        assert "only 8 of 20 boxes" in lines[0]
        assert "5 frames per second" in lines[0] and "--sample-fps" in lines[0]
