"""`aggregate` names a source most of whose boxes are in no track, with a remedy."""

from __future__ import annotations

import msgspec
import pytest
from tests.fakes.records import make_count, make_coverage
from tests.hadoop.conftest import Footage

from frametally.records import Coverage, Detection
from frametally.rules.times import HOUR_MS
from frametally_hadoop.publication.quality_checks import LinesWatched

NOON_MS = 1_767_268_800_000


@pytest.mark.parametrize(("weak_boxes", "is_named"), [(51, True), (50, False)])
def test_a_source_with_few_tracked_boxes_is_named_once_a_day_with_what_to_do(
    footage: Footage, weak_boxes: int, is_named: bool
) -> None:
    """Over two hours: one car that moves on, and boxes that are too weak to begin a track."""
    car, weak = (
        Detection(label="car", confidence=confidence, box=(left, 200.0, 60.0, 40.0))
        for confidence, left in ((0.9, 100.0), (0.3, 400.0))
    )
    times = range(NOON_MS + HOUR_MS - 5_000, NOON_MS + HOUR_MS + 5_000, 200)
    frames = [footage.frame(time_ms, index=number) for number, time_ms in enumerate(times)]
    boxes = [[car, *[weak] * (1 + (number < weak_boxes - 50))] for number in range(len(frames))]
    footage.segment(
        [
            msgspec.structs.replace(frame, detections=of_frame)
            for frame, of_frame in zip(frames, boxes, strict=True)
        ]
    )
    lines = [line for line in footage.aggregate(interval_s=3600).warnings if "in tracks" in line]
    assert len(lines) == is_named
    if is_named:
        assert lines[0].startswith("2026-01-01, gate: only 50 of 101 boxes")
        assert "5 frames per second" in lines[0] and "--sample-fps" in lines[0]


def weak_in(coverage: Coverage) -> list[str]:
    """The lines about a source with one box, which is in no track."""
    count = make_count(0, "car", objects=0, tracked_detections=0, evidence=[])
    lines = b'["count"]\t' + msgspec.json.encode(count), b'["coverage"]\t' + msgspec.json.encode(coverage)
    watched = LinesWatched()
    assert list(watched.watch(lines)) == list(lines)
    return list(watched.weak_sources())


def test_frozen_footage_is_not_reported_as_objects_that_are_too_fast() -> None:
    moving = make_coverage(0, detections=1, objects=0, analysed_fps=5)
    [line] = weak_in(moving)
    assert "objects may be too fast at 5 frames per second" in line
    assert weak_in(msgspec.structs.replace(moving, blank=[("frozen", 449, 89_800)])) == []
