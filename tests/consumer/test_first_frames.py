"""A new model that detects nothing is reported: in the run, and in the books."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
from tests.fakes.memory import MemoryLog, MemoryStore
from tests.fakes.records import make_announcement, make_frame
from tests.fakes.said import Said
from tests.kit.clips import jpeg_of
from tests.kit.consuming import consume_all

from frametally.books.quality_reports import QualityReport
from frametally.records import Detection, encode
from frametally.rules.counted_boxes import FRAMES_FOR_A_DETECTION, CountedBoxes
from frametally.settings.loading import load_settings
from frametally_cli.commands.status_report import quality_lines
from frametally_consumer.worker.first_frames import FirstFrames

BOX = Detection(label="car", confidence=0.5, box=(0.0, 0.0, 8.0, 8.0))
FAINT = Detection(label="car", confidence=0.2, box=(0.0, 0.0, 8.0, 8.0))


class Finding:
    """Detects a box only in the pictures with the given numbers."""

    model_id = "finding-1"

    def __init__(self, *numbers: int) -> None:
        self.numbers, self.seen = numbers, 0

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
        found = []
        for _ in images:
            found.append([BOX] if self.seen in self.numbers else [])
            self.seen += 1
        return found


def warnings(
    folder: Path, store: MemoryStore, log: MemoryLog, *, frames: int, grey: int, found: int = -1
) -> int:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, 32:] = grey
    data = jpeg_of(picture)
    before = sum(log.end_offsets("frames").values())
    messages = []
    for number in range(before, before + frames):
        announcement = make_announcement(make_frame(1_000 * number, number), data)
        store.put(announcement.image_path, data, if_absent=True)
        messages.append((b"cam", encode(announcement)))
    log.publish("frames", messages)
    said = Said()
    consume_all(load_settings(data_dir=folder), store, log, Finding(found), progress=said)
    return sum(
        "finding-1 has found nothing that counts in the first 100 frames" in line for line in said.lines
    )


@pytest.fixture
def log() -> MemoryLog:
    log = MemoryLog()
    log.create_topic("frames", 1)
    return log


def test_a_model_that_finds_nothing_in_its_first_frames_is_reported_once(
    tmp_path: Path, store: MemoryStore, log: MemoryLog
) -> None:
    assert warnings(tmp_path, store, log, frames=2 * FRAMES_FOR_A_DETECTION + 10, grey=120) == 1
    # These are not the first frames: an empty street at night is not the model's fault.
    assert warnings(tmp_path, store, log, frames=FRAMES_FOR_A_DETECTION + 10, grey=120) == 0


@pytest.mark.parametrize(
    ("frames", "grey", "found"),
    [(FRAMES_FOR_A_DETECTION - 1, 120, -1), (150, 0, -1), (150, 120, 90)],
    ids=["too few", "black", "a box in the 91st"],
)
def test_few_or_black_frames_and_a_model_that_finds_something_are_not_reported(
    tmp_path: Path, store: MemoryStore, log: MemoryLog, frames: int, grey: int, found: int
) -> None:
    assert warnings(tmp_path, store, log, frames=frames, grey=grey, found=found) == 0


def found(*boxes: Detection) -> Future[list[Detection]]:
    future: Future[list[Detection]] = Future()
    future.set_result(list(boxes))
    return future


def test_only_counted_boxes_matter_and_each_source_has_its_own_frames() -> None:
    said: list[str] = []
    counts = CountedBoxes.from_limits(min_confidence=0.25, min_side_px=0, labels="").rule()
    first = FirstFrames("m", said.append, counts, is_new=True)
    for _ in range(2 * FRAMES_FOR_A_DETECTION):
        first.watch("empty", found(FAINT))
        first.watch("full", found(BOX))
    assert [line.split(" that show")[0] for line in said] == [
        "m has found nothing that counts in the first 100 frames of empty"
    ]


def test_a_model_is_tested_again_after_100_frames_of_each_source() -> None:
    tested: list[str] = []
    first = FirstFrames("m", print, lambda _: True, is_new=False, test_again=tested.append)
    for number in range(FRAMES_FOR_A_DETECTION + 1):
        first.watch("a", found())
        assert tested == (["a"] if number >= FRAMES_FOR_A_DETECTION - 1 else [])
    for _ in range(FRAMES_FOR_A_DETECTION):
        first.watch("b", found())
    assert tested == ["a", "b"]


@pytest.mark.parametrize(
    ("model", "frames", "detections", "is_said"),
    [
        ("m-1", FRAMES_FOR_A_DETECTION, 0, True),
        ("m-1", FRAMES_FOR_A_DETECTION - 1, 0, False),
        ("m-1", FRAMES_FOR_A_DETECTION, 1, False),
        ("m-1~zones", FRAMES_FOR_A_DETECTION, 0, False),
    ],
)
def test_quality_and_status_name_a_day_of_many_frames_without_any_detection(
    model: str, frames: int, detections: int, is_said: bool
) -> None:
    report = QualityReport(
        run_id="r",
        model=model,
        params="p",
        interval_s=60,
        day="2026-01-01",
        frames=frames,
        detections=detections,
        duplicates_dropped=0,
        lines_dead=0,
        set_aside=[],
        checks=[],
    )
    said = [line for line in quality_lines(report) if "nothing was detected" in line]
    assert bool(said) is is_said
