"""An interval's coverage describes the objects that were counted at a place in it."""

from __future__ import annotations

import msgspec
import pytest
from tests.fakes.records import make_count, make_coverage
from tests.traffic.flow_days import DAY, MODEL, SOURCE, goer, path_files

from frametally.records import Coverage, IntervalCount
from frametally.rules.places import ZoneShape
from frametally.rules.times import HOUR_MS
from frametally_traffic.counting.place_records import PlaceRecords
from frametally_traffic.flows.day_flows import flows_of_day
from frametally_traffic.flows.shapes import LineShape, Shapes

CAR = goer("car", *((HOUR_MS + 400 * n, 200, 50 + 20 * n) for n in range(16)))
SHAPES = Shapes((LineShape("stop", ((0, 1000), (4000, 1000))),))
FILMED = make_coverage(DAY + HOUR_MS, 10, model=MODEL, interval_s=3600, objects=1, analysed_fps=5)


@pytest.mark.parametrize(
    ("coverage", "objects", "frames"),
    [
        ([FILMED], 1, 10),
        ([], 1, 0),  # tracked over an interval without a frame
        ([msgspec.structs.replace(FILMED, objects=None, covered_ms=0)], None, 10),  # too slow to follow
    ],
)
def test_objects_are_unknown_where_frames_were_too_few_to_follow_them(
    coverage: list[Coverage], objects: int | None, frames: int
) -> None:
    flows = flows_of_day(path_files([CAR]).values(), SHAPES, model=MODEL, source=SOURCE, day_start_ms=DAY)
    [line] = PlaceRecords(MODEL, 3600, flows, SHAPES, coverage).count_lines()
    count = msgspec.json.decode(line.partition(b"\t")[2], type=IntervalCount)
    assert (count.objects, count.frames, count.detections) == (objects, frames, 1)
    assert count.missing == (msgspec.UNSET if objects else "too_slow")


def test_objects_too_weak_to_follow_are_unknown_at_lines_and_in_zones() -> None:
    zone = ZoneShape("yard", ((0, 500), (4000, 500), (4000, 3000)))
    shapes = Shapes(SHAPES.lines, (zone,))
    flows = flows_of_day(path_files([CAR]).values(), shapes, model=MODEL, source=SOURCE, day_start_ms=DAY)
    filmed_hour = msgspec.structs.replace(FILMED, covered_ms=HOUR_MS)
    for tracked, known in ((10, True), (9, False)):
        count = make_count(
            DAY + HOUR_MS, "car", 20, model=MODEL, interval_s=3600, objects=1, tracked_detections=tracked
        )
        records = PlaceRecords(MODEL, 3600, flows, shapes, [filmed_hour], [count])
        line = next(line for line in records.count_lines() if b"/line/" in line)
        crossed = msgspec.json.decode(line.partition(b"\t")[2], type=IntervalCount)
        assert (crossed.detections, crossed.objects) == (1, 1 if known else None)
        assert crossed.missing == (msgspec.UNSET if known else "too_weak")
        for line, _ in records.coverage_lines():
            filmed = msgspec.json.decode(line.partition(b"\t")[2], type=Coverage)
            assert filmed.is_measured == known, filmed.source
