"""The detector always has its next picture, and its own order of results is never visible."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
from tests.fakes.memory import MemoryLog, MemoryStore
from tests.fakes.records import make_announcement, make_frame
from tests.kit.clips import jpeg_of
from tests.kit.consuming import consume_all

from frametally import keys
from frametally.errors import Misconfigured
from frametally.files.opencv import Pixels
from frametally.records import Detection, encode
from frametally.segments.contents import list_segments, read_segment
from frametally.settings.loading import Settings, load_settings
from frametally_consumer.detectors.protocol import AsyncDetector
from frametally_consumer.supervisor import settings_of_each
from frametally_consumer.worker.loop import ConsumeReport
from frametally_consumer.worker.pipeline import _MOST_MESSAGES, CHUNK_MESSAGES

FRAMES = 100


class Waiting:
    """An asynchronous detector with one box per picture; the test decides when each result arrives."""

    model_id = "waiting-1"
    least_px = (64, 48)

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.under_way: list[tuple[Future[list[Detection]], list[Detection]]] = []
        self.started = self.most = 0
        self.shapes: set[tuple[int, ...]] = set()
        self.frame_px: set[tuple[int, int] | None] = set()

    def detect(self, images: Sequence[Pixels]) -> list[list[Detection]]:
        raise AssertionError("it can be started")

    def start(self, image: Pixels, *, frame_px: tuple[int, int] | None = None) -> Future[list[Detection]]:
        future: Future[list[Detection]] = Future()
        shade = round(float(image.mean()) / 255, 4)
        with self.lock:
            self.started += 1
            self.shapes.add(image.shape)
            self.frame_px.add(frame_px)
            self.under_way.append((future, [Detection(label="light", confidence=shade, box=(0, 0, 8, 8))]))
            self.most = max(self.most, len(self.under_way))
        return future

    def find(self, choose: Callable[[int], int]) -> bool:
        """Finish one of those in progress; False if there is none."""
        with self.lock:
            if not self.under_way:
                return False
            future, found = self.under_way.pop(choose(len(self.under_way)))
        future.set_result(found)
        return True


class Finding(Waiting):
    """Returns results in its own order, some time later, in a separate thread."""

    def __init__(self, seed: int, least_under_way: int = 1) -> None:
        super().__init__()
        self._rng = random.Random(seed)  # noqa: S311
        self.least, self.over = least_under_way, threading.Event()
        self._thread = threading.Thread(target=self._find, daemon=True)
        self._thread.start()

    def _find(self) -> None:
        give_up_at_s = time.monotonic() + 20
        while not self.over.is_set():
            # It waits until so many are in progress, or it is clear that they will not be.
            if self.most >= self.least or time.monotonic() > give_up_at_s:
                self.find(lambda count: self._rng.randrange(count))
            else:
                time.sleep(0.001)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path, batch_frames=7, batch_s=1000.0)


def filled(store: MemoryStore, partitions: int, size_px: tuple[int, int] = (64, 48)) -> MemoryLog:
    log = MemoryLog()
    log.create_topic("frames", partitions)
    log._topic("frames").log_id = "log-1"
    messages = []
    for number in range(FRAMES):
        picture = np.full((size_px[1], size_px[0], 3), number, np.uint8)
        data = jpeg_of(picture)
        path = keys.image_key("cam", 1_000 * number, "ab" * 32, number)
        store.put(path, data)
        frame = make_announcement(make_frame(1_000 * number, number, size_px=size_px), data)
        messages.append((str(number // 3).encode(), encode(frame)))
    log.publish("frames", messages)
    return log


def drain(settings: Settings, store: MemoryStore, log: MemoryLog, detector: AsyncDetector) -> ConsumeReport:
    return consume_all(settings, store, log, detector)


def test_the_detector_gets_the_next_chunks_pictures_before_the_last_one_is_done(settings: Settings) -> None:
    store, detector = MemoryStore(), Finding(1, least_under_way=CHUNK_MESSAGES + 4)
    report = drain(settings, store, filled(store, 1), detector)
    detector.over.set()
    assert report.frames == FRAMES
    assert detector.most >= CHUNK_MESSAGES + 4, "a chunk was waited for before the next one was begun"


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_results_in_any_order_are_written_to_the_same_bytes(settings: Settings, seed: int) -> None:
    def segments(detector: Finding) -> dict[str, bytes]:
        store = MemoryStore()
        drain(settings, store, filled(store, 2), detector)
        detector.over.set()
        # The borders of segments depend on timing; their content does not.
        lines = [line for key in list_segments(store) for line in read_segment(store, key).frame_lines]
        paths = sorted(lines)
        assert len(paths) == FRAMES
        return {str(number): bytes(line) for number, line in enumerate(paths)}

    in_order, shuffled = Finding(seed), Finding(seed, least_under_way=30)
    assert segments(shuffled) == segments(in_order)


@pytest.mark.thorough
def test_work_in_progress_is_limited_even_if_the_detector_accepts_everything(settings: Settings) -> None:
    store, detector = MemoryStore(), Finding(1, least_under_way=FRAMES)
    threading.Timer(1.0, lambda: setattr(detector, "least", 1)).start()
    report = drain(settings, store, filled(store, 3), detector)
    detector.over.set()
    assert report.frames == FRAMES
    assert CHUNK_MESSAGES < detector.most <= _MOST_MESSAGES


def test_a_late_error_ends_the_consumer_with_its_line(settings: Settings) -> None:
    class Broken(Waiting):
        def start(self, image: Pixels, *, frame_px: tuple[int, int] | None = None) -> Future[list[Detection]]:
            future = super().start(image, frame_px=frame_px)
            if self.started == 20:
                future.set_exception(Misconfigured("the network returned numbers that are not finite"))
            else:
                future.set_result([])
            return future

    store = MemoryStore()
    with pytest.raises(Misconfigured, match="not finite"):
        drain(settings, store, filled(store, 1), Broken())


def test_a_frame_is_decoded_no_larger_than_the_detector_needs(settings: Settings) -> None:
    store, detector = MemoryStore(), Finding(1)
    drain(settings, store, filled(store, 1, size_px=(200, 101)), detector)
    detector.over.set()
    assert detector.shapes == {(51, 100, 3)}, "a half of each side, rounded up"
    assert detector.frame_px == {(200, 101)}, "boxes are in pixels of the stored frame"


@pytest.mark.parametrize(
    ("cores", "workers", "threads"), [(2, 1, 2), (2, 2, 2), (2, 4, 1), (16, 4, 8), (16, 64, 1), (1, 3, 1)]
)
def test_workers_share_the_cores(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, cores: int, workers: int, threads: int
) -> None:
    monkeypatch.setattr("frametally_consumer.supervisor.cores", lambda: cores)
    assert settings_of_each(settings, workers).detector_threads == threads
    own = settings.model_copy(update={"detector_threads": 5})
    assert settings_of_each(own, workers).detector_threads == 5
