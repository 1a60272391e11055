"""Frames are announced in the order of their addition, in batches, by a bounded number of steps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.producer.conftest import Bench

from frametally.files.opencv import cv2
from frametally.process.retrying import Patience
from frametally.records import FrameAnnouncement
from frametally_producer.reading.pixels import encode_jpeg
from frametally_producer.writing import frames
from frametally_producer.writing.frames import FrameWriter, NewFrame

SHA256 = "ab" * 32


def new_frame(index: int, refused: Callable[[str], None] = pytest.fail) -> NewFrame:
    return NewFrame(
        media=SHA256,
        medium_hex=SHA256,
        source="cam",
        frame_index=index,
        captured_at_ms=index * 100,
        time_source="exif",
        pixels=np.full((48, 64, 3), index % 256, np.uint8),
        refused=refused,
    )


class Writing:
    def __init__(self, bench: Bench) -> None:
        self.noted: list[list[int]] = []
        bench.log.create_topic("frames", 2)
        self.writer = FrameWriter(
            settings=bench.settings(),
            store=bench.store,
            log=bench.log,
            patience=Patience(bench.progress.say, lambda: False),
            topic="frames",
            on_announced=self.note,
        )

    def note(self, announcements: list[FrameAnnouncement]) -> None:
        self.noted.append([announcement.frame_index for announcement in announcements])


def test_a_frame_that_cannot_be_encoded_is_left_out_with_a_notice_and_the_others_are_announced(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_one(extension: str, image: np.ndarray, options: list[int]) -> tuple[bool, np.ndarray]:
        return (False, np.empty(0, np.uint8)) if image[0, 0, 0] == 3 else encode(extension, image, options)

    encode = cv2.imencode
    monkeypatch.setattr(cv2, "imencode", refuse_one)
    refused: list[str] = []
    with Writing(bench).writer as writer:
        for index in range(10):
            writer.add(new_frame(index, refused.append))
    assert bench.announced() == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert refused == ["cannot be encoded as a JPEG of 64x48 pixels; convert it"]


def test_large_frames_are_queued_by_size_and_the_largest_goes_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame_bytes = new_frame(0).pixels.nbytes
    for most_bytes, most_frames in [(frame_bytes - 1, 0), (2 * frame_bytes, 2), (100 * frame_bytes, 4)]:
        monkeypatch.setattr(frames, "_IN_FLIGHT_BYTES", most_bytes)
        with Writing(bench).writer as writer:
            for index in range(10):
                writer.add(new_frame(index))
                assert len(writer._putting) == min(index + 1, most_frames)


def test_announcements_keep_the_order_of_the_frames(bench: Bench) -> None:
    writing = Writing(bench)
    with writing.writer as writer:
        for index in range(250):
            writer.add(new_frame(index))
    assert bench.announced() == [index for batch in writing.noted for index in batch] == list(range(250))
    assert len(writing.noted) >= 3


def test_a_batch_does_not_wait_forever_to_be_full(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_ANNOUNCE_S", 0.0)
    writing = Writing(bench)
    with writing.writer as writer:
        for index in range(10):
            writer.add(new_frame(index))
        assert writing.noted, "nothing was announced before the end"


def test_memory_holds_a_limited_number_of_frames_when_the_store_is_slow(bench: Bench) -> None:
    released = threading.Semaphore(0)
    started: list[str] = []
    whole_put = bench.store.put

    def slow_put(key: str, data: bytes, **options: bool) -> bool:
        started.append(key)
        released.acquire()
        return whole_put(key, data, **options)

    bench.store.put = slow_put
    added: list[int] = []
    writing = Writing(bench)

    def add_all() -> None:
        with writing.writer as writer:
            for index in range(50):
                writer.add(new_frame(index))
                added.append(index)

    adding = threading.Thread(target=add_all)
    adding.start()
    adding.join(timeout=0.5)
    assert len(added) <= frames._IN_FLIGHT
    assert len(started) <= frames._WORKERS
    released.release(50)
    adding.join()
    assert bench.announced() == list(range(50))


def test_after_an_error_nothing_more_is_announced(bench: Bench) -> None:
    writing = Writing(bench)
    with pytest.raises(KeyboardInterrupt), writing.writer as writer:
        writer.add(new_frame(0))
        raise KeyboardInterrupt
    assert bench.announced() == []


def test_the_same_pixels_give_the_same_bytes() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    assert len({encode_jpeg(picture.copy(), 90) for _ in range(5)}) == 1


def test_manifests_must_be_durable_but_frames_need_not_be(bench: Bench, tmp_path: Path) -> None:
    durable: dict[str, bool] = {}
    whole_put = bench.store.put

    def put(
        key: str, data: bytes, *, if_absent: bool = False, durable: bool = True, seen: Any = durable
    ) -> bool:
        seen[key.partition("/")[0]] = durable
        return whole_put(key, data, if_absent=if_absent)

    bench.store.put = put
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    bench.produce(tmp_path / "a.jpg")
    assert durable == {"media": True, "images": False}


def test_pictures_are_on_disk_before_they_are_announced(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    effects = bench.store.effects
    monkeypatch.setattr(bench.store, "sync", lambda: effects.append(("sync", "")))
    with Writing(bench).writer as writer:
        for index in range(250):
            writer.add(new_frame(index))
    waiting: set[str] = set()
    on_disk: set[str] = set()
    for step, key in effects:
        if step == "put":
            waiting.add(key)
        elif step == "sync":
            on_disk |= waiting
        else:
            assert key in on_disk
    assert len(on_disk) == 250
