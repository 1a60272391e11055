"""The rules by which a segment's lines are counted for its header."""

from __future__ import annotations

from typing import NamedTuple

from frametally.records import Detection
from frametally.rules.counted_boxes import CountedBoxes
from frametally.rules.segment_counts import SegmentCounting, count_source, hits_by_label

COUNTING = SegmentCounting(60, 2500, 0)
CAR = Detection(label="car", confidence=0.9, box=(1.0, 2.0, 30.0, 20.0))
BUS = Detection(label="bus", confidence=0.8, box=(5.0, 6.0, 70.0, 40.0))


class Frame(NamedTuple):
    image_path: str
    source: str
    captured_at_ms: int
    detections: tuple[Detection, ...]


def frame(captured_at_ms: int, day: str, *detections: Detection) -> tuple[bytes, Frame]:
    path = f"images/gate/{day}/{captured_at_ms}-abababababab-7.jpg"
    return path.encode(), Frame(path, "gate", captured_at_ms, detections)


def test_a_frame_is_one_hit_of_each_label_that_it_shows_with_all_its_boxes() -> None:
    _, seen = frame(5, "1970-01-01", CAR, BUS, CAR)
    hits, detections = hits_by_label([seen], CountedBoxes(2500, 0))
    assert hits == {"car": [(-2, 5, seen.image_path)], "bus": [(-1, 5, seen.image_path)]}
    assert detections == 3


def test_an_interval_whose_frames_lie_in_two_folders_has_no_counts() -> None:
    assert count_source([frame(5, "1970-01-01", CAR), frame(6, "1970-01-02", CAR)], COUNTING) is None


def test_frames_from_before_1970_are_counted_as_any() -> None:
    counts = count_source([frame(-5, "1969-12-31", CAR)], COUNTING)
    [[start_ms, frames, repeated, folder, labels]] = counts["cells"]
    assert (start_ms, frames, repeated, folder) == (-60_000, 1, 0, "images/gate/1969-12-31")
    assert labels["car"][0] == 1
