"""`aggregate` names a source most of whose boxes are in no track, with a remedy."""

from __future__ import annotations

import msgspec
import pytest
from tests.hadoop.conftest import Footage

from frametally.records import Detection
from frametally.rules.times import HOUR_MS

NOON_MS = 1_767_268_800_000


@pytest.mark.parametrize(("weak_boxes", "is_named"), [(51, True), (50, False)])
def test_a_source_with_few_boxes_in_tracks_is_named_once_a_day_with_what_to_do(
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
