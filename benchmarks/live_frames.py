"""Sends a camera's frames for `benchmarks/live.py`, ten a second, until killed.

    python benchmarks/live_frames.py results DATA_DIR     puts frames, and sends results as if detected
    python benchmarks/live_frames.py announced DATA_DIR   puts and announces frames by the producer's writer

The event time of each frame is when its pixels are available.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from live_viewers import FRAMES_PER_S, JPEG_BYTES

from frametally import keys
from frametally.files.demo_clip import ensure_demo_clip
from frametally.files.opencv import Pixels, cv2
from frametally.opening import open_frame_log, open_object_store
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.process.retrying import Patience
from frametally.records import Detection, FrameDetections
from frametally.segments.results import make_results_topic, result_message
from frametally.settings.loading import Settings, load_settings
from frametally_producer.writing.frames import FrameWriter, NewFrame

SOURCE, MEDIUM = "gate", "ab" * 32
_BOXES = [Detection(label="car", confidence=0.9, box=(10.0 * n, 20.0, 90.0, 60.0)) for n in range(8)]


def paced() -> Iterator[tuple[int, int]]:
    """Yield the number and the due time of each frame, when it is due."""
    begun_s = time.monotonic()
    number = 0
    while True:
        time.sleep(max(0.0, begun_s + number / FRAMES_PER_S - time.monotonic()))
        yield number, round(time.time() * 1000)
        number += 1


def tell_results(settings: Settings, store: ObjectStore, log: FrameLog) -> None:
    """Put frames of 46 kB, and send their results."""
    make_results_topic(log, settings)
    jpeg = b"\xff\xd8" + os.urandom(JPEG_BYTES - 2)
    for number, at_ms in paced():
        path = keys.image_key(SOURCE, at_ms, MEDIUM, number)
        store.put(path, jpeg, durable=False)
        result = FrameDetections(
            image_path=path,
            source=SOURCE,
            frame_index=number,
            captured_at_ms=at_ms,
            time_source="start_time",
            width_px=854,
            height_px=480,
            media=MEDIUM,
            model="none",
            detections=_BOXES,
        )
        log.publish(settings.results_topic, [result_message(result)])


def announce_frames(settings: Settings, store: ObjectStore, log: FrameLog) -> None:
    """Put and announce frames of the demo's clip, over and over."""
    log.create_topic(settings.live_topic, settings.log_partitions)
    pixels = frames_of(ensure_demo_clip(load_settings().models_dir.expanduser()))
    writer = FrameWriter(
        settings=settings,
        store=store,
        log=log,
        patience=Patience(print, lambda: False),
        topic=settings.live_topic,
        on_announced=lambda announcements: None,
    )
    with writer:
        for number, at_ms in paced():
            writer.add(
                NewFrame(
                    media=MEDIUM,
                    medium_hex=MEDIUM,
                    source=SOURCE,
                    frame_index=number,
                    captured_at_ms=at_ms,
                    time_source="start_time",
                    pixels=pixels[number % len(pixels)],
                    refused=print,
                )
            )
            writer.flush()


def frames_of(clip: Path, each: int = 3) -> list[Pixels]:
    """Return every third frame of a video."""
    video = cv2.VideoCapture(str(clip))
    frames: list[Pixels] = []
    while (read := video.read())[0]:
        frames.append(np.asarray(read[1], np.uint8))
    return frames[::each]


def main(how: str, folder: str) -> None:
    """Send frames until killed."""
    settings = load_settings(data_dir=Path(folder))
    with (
        closing(open_object_store(settings.store_url)) as store,
        closing(open_frame_log(settings.log_url)) as log,
    ):
        {"results": tell_results, "announced": announce_frames}[how](settings, store, log)


if __name__ == "__main__":
    main(*sys.argv[1:])
