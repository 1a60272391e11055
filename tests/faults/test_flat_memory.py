"""A consumer uses as much memory after thousands of frames as after hundreds."""

import os
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from tests.fakes.records import make_announcement, make_frame
from tests.kit.clips import jpeg_of
from tests.kit.consuming import consume_all
from tests.kit.processes import run_program

pytestmark = pytest.mark.thorough

FRAMES, FIRST_LOOK = 5_000, 500
MOST_GROWTH = 1.1


def rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def consume_many(folder: Path) -> None:
    """Consume small frames, and print the memory in use after 500 of them and at the end."""
    import numpy as np

    from frametally import keys
    from frametally.adapters_by_url import open_frame_log, open_object_store
    from frametally.files.opencv import Pixels
    from frametally.records import Detection, encode
    from frametally.settings.loading import load_settings
    from frametally_consumer.load import load_detector

    settings = load_settings(data_dir=folder, detector="pixels", batch_frames=50)
    detector = load_detector(settings)
    looks: list[int] = []

    class Looking:
        model_id = detector.model_id
        frames = 0

        def detect(self, images: Sequence[Pixels]) -> list[list[Detection]]:
            for _ in images:
                self.frames += 1
                if self.frames in (FIRST_LOOK, FRAMES):
                    looks.append(rss_bytes())
            return detector.detect(images)

    picture = np.zeros((48, 64, 3), np.uint8)
    picture[8:24, 8:24] = 255
    data = jpeg_of(picture)
    with (
        closing(open_object_store(settings.store_url)) as store,
        closing(open_frame_log(settings.log_url)) as log,
    ):
        log.create_topic(settings.topic, 3)
        messages = []
        for number in range(FRAMES):
            at_ms = 1_000 * number
            path = keys.image_key("cam", at_ms, "ab" * 32, number)
            store.put(path, data, durable=False)
            frame = make_announcement(make_frame(at_ms, number), data)
            messages.append((keys.frame_log_key("cam", at_ms), encode(frame)))
        log.publish(settings.topic, messages)
        report = consume_all(settings, store, log, Looking())
    assert report.frames == FRAMES
    print(*looks)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc to tell the memory taken")
def test_memory_stays_flat_over_thousands_of_frames(tmp_path: Path) -> None:
    ended = run_program(
        [sys.executable, "-m", "tests.faults.test_flat_memory", str(tmp_path)],
        cwd=Path(__file__).resolve().parents[2],
        timeout=240,
    )
    after_500, at_the_end = map(int, ended.stdout.split())
    print(f"{after_500 / 1e6:.1f} MB after {FIRST_LOOK} frames, {at_the_end / 1e6:.1f} MB after {FRAMES}")
    assert at_the_end <= MOST_GROWTH * after_500


if __name__ == "__main__":
    consume_many(Path(sys.argv[1]))
