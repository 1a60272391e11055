"""The part files are the same at any speed of footage, with any detector, after any repeated
announcements."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from tests.fakes.memory import MemoryLog
from tests.family.footage import make_video
from tests.kit.consuming import consume_all
from tests.kit.messages import records_on
from tests.kit.stand_ins import Around
from tests.kit.waiting import until
from tests.pipeline.conftest import Counted, part_files

from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.ports.frame_log import consumer_group
from frametally.process.reports import NoProgress
from frametally.settings.loading import Settings, load_settings
from frametally_consumer.load import is_installed
from frametally_hadoop.driver import aggregate
from frametally_models.prepare import prepare_detector
from frametally_producer.produce import produce
from frametally_producer.writing.production import ProduceCall

START_TIME = "2026-01-01T08:00:00Z"
SHUFFLES = max(1, int(os.environ.get("FAULTS_REAL_KILLS", "1")) // 2)
SEED = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
"""The seed of the back-ends' orders; printed, and set as for the tests that kill (`make soak`)."""
FRAMES, SLOWED = 120, 15  # 24 s become 360 s: with keys of 5 s, 72 of them


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated clip with its presentation times stretched, packet by packet."""
    folder = tmp_path_factory.mktemp("long")
    short, path = make_video(folder / "short.mp4", frames=FRAMES), folder / "long.mp4"
    with av.open(str(short)) as clip, av.open(str(path), "w") as stretched:
        stream = clip.streams.video[0]
        out = stretched.add_stream_from_template(stream)
        for packet in clip.demux(stream):
            if packet.dts is None:
                continue
            packet.pts, packet.dts = packet.pts * SLOWED, packet.dts * SLOWED
            packet.duration = (packet.duration or 0) * SLOWED
            packet.stream = out
            stretched.mux(packet)
    return path


pytestmark = pytest.mark.thorough


def settings_in(folder: Path, **changes: Any) -> Settings:
    """Every frame of the generated clip, or every tenth of the traffic's; a small network."""
    fixed: dict[str, Any] = {"sample_fps": str(float(Fraction(1, 3))), "input_size_px": "224x224"}
    return load_settings(data_dir=folder, **(fixed | {"interval_s": 60, "batch_s": 0.5} | changes))


class PacedLog(Around):
    """The log with a limited publishing rate: an option of this test, not of the product."""

    def __init__(self, log: Any, pause_s: float) -> None:
        super().__init__(log)
        self._pause_s = pause_s

    def publish(self, topic: str, messages: Any) -> None:
        for message in messages:
            self.inner.publish(topic, [message])
            time.sleep(self._pause_s)


def start_consumer(settings: Settings, batch_frames: int) -> subprocess.Popen[str]:
    env = os.environ | {
        "FRAMETALLY_DETECTOR": settings.detector,
        "FRAMETALLY_BATCH_FRAMES": str(batch_frames),
        "FRAMETALLY_BATCH_S": str(settings.batch_s),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "frametally", "consume", "--data-dir", str(settings.data_dir)],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def shares(settings: Settings) -> list[int]:
    """The number of partitions per consumer (read from the log's file: the port does not offer it)."""
    try:
        with closing(sqlite3.connect(settings.log_url.removeprefix("sqlite:///"))) as db:
            rows = db.execute("SELECT count(*) FROM assignment WHERE member IS NOT NULL GROUP BY member")
            return [count for (count,) in rows]
    except sqlite3.OperationalError:
        return []


def produced_at(pace_s: float, consumers: int, clip: Path, folder: Path, batch_frames: int) -> list[int]:
    """Produce at a pace with running consumers; return the number of segments that each of them wrote."""
    settings = settings_in(folder, detector="pixels", sample_fps="all")
    detector = prepare_detector(settings, NoProgress())
    running = [start_consumer(settings, batch_frames) for _ in range(consumers)]
    try:
        until(lambda: shares(settings) == [6 // consumers] * consumers, "each has its share")
        with (
            closing(open_object_store(settings.store_url)) as store,
            closing(open_frame_log(settings.log_url)) as log,
        ):
            produce(
                ProduceCall(paths=[clip], settings=settings, source="Traffic", start_time=START_TIME),
                store=store,
                log=PacedLog(log, pace_s),
                progress=NoProgress(),
            )
            group = consumer_group(detector.model_id)
            ends = log.end_offsets(settings.topic)
            assert len(ends) == 6
            assert sum(ends.values()) == FRAMES
            until(lambda: log.committed(settings.topic, group) == ends, "the log is drained")
            assert len({key for key, _ in messages_on(log, settings.topic)}) >= 60
        for process in running:
            process.send_signal(signal.SIGTERM)
        printed = [process.communicate(timeout=30) for process in running]
        assert [process.returncode for process in running] == [0] * consumers, printed
        with closing(open_object_store(settings.store_url)) as store:
            assert aggregate(settings=settings, store=store, progress=NoProgress()).frames == FRAMES
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
                process.communicate()
    return [int(re.search(r"in (\d+) segments", out)[1]) for out, _ in printed]


def test_three_speeds_and_two_consumers_give_the_same_part_files(long_clip: Path, tmp_path: Path) -> None:
    produced_at(0.0, 1, long_clip, tmp_path / "at-once", batch_frames=500)
    produced_at(0.02, 1, long_clip, tmp_path / "paced", batch_frames=7)
    written = produced_at(0.05, 2, long_clip, tmp_path / "slow-and-shared", batch_frames=3)
    assert min(written) >= 0.2 * sum(written), "one worker did it all: that proves nothing"
    expected = part_files(tmp_path / "at-once")
    assert expected
    assert all(data.count(b'"label":"white"') > 5 for data in expected.values())
    assert part_files(tmp_path / "paced") == expected
    assert part_files(tmp_path / "slow-and-shared") == expected


def messages_on(log: Any, topic: str) -> list[tuple[bytes, bytes]]:
    return [(record.key, record.value) for record in records_on(log, topic)]


def test_every_announcement_twice_and_shuffled_gives_the_same_part_files(
    counted_clip: Counted, tmp_path: Path
) -> None:
    settings = load_settings(data_dir=tmp_path / "again", interval_s=1, batch_frames=13)
    shutil.copytree(counted_clip.data_dir / "store/images", settings.data_dir / "store/images")
    with closing(open_frame_log(f"sqlite:///{counted_clip.data_dir}/log.sqlite")) as log:
        messages = messages_on(log, settings.topic) * 2
    assert len(messages) == 120
    random.Random(2).shuffle(messages)  # noqa: S311
    again = MemoryLog()
    again.create_topic(settings.topic, 4)
    again.publish(settings.topic, messages)
    with closing(open_object_store(settings.store_url)) as store:
        consume_all(settings, store, again, prepare_detector(settings, NoProgress()))
        report = aggregate(settings=settings, store=store, progress=NoProgress())
    assert (report.frames, report.duplicates_dropped) == (60, 60)
    assert part_files(settings.data_dir) == part_files(counted_clip.data_dir)


@pytest.mark.timeout(120 + 30 * SHUFFLES)
@pytest.mark.parametrize("backend", ["opencv", "openvino", "onnxruntime"])
def test_any_back_end_order_and_batches_give_the_same_part_files(
    counted_clip: Counted, tmp_path: Path, backend: str
) -> None:
    if not is_installed(backend):
        pytest.skip(f"{backend} is not installed")
    print(f"FAULTS_SEED={SEED}")
    rng = random.Random(SEED)  # noqa: S311
    with closing(open_frame_log(f"sqlite:///{counted_clip.data_dir}/log.sqlite")) as log:
        messages = messages_on(log, "frames")

    def counted(name: str, messages: list[tuple[bytes, bytes]], **changes: Any) -> dict[str, bytes]:
        settings = settings_in(tmp_path / name, interval_s=1, detector=backend, **changes)
        shutil.copytree(counted_clip.data_dir / "store/images", settings.data_dir / "store/images")
        log = MemoryLog()
        log.create_topic(settings.topic, settings.log_partitions)
        log.publish(settings.topic, messages)
        with closing(open_object_store(settings.store_url)) as store:
            report = consume_all(settings, store, log, prepare_detector(settings, NoProgress()))
            assert report.frames == len(messages)
            assert aggregate(settings=settings, store=store, progress=NoProgress()).frames == 60
        return part_files(settings.data_dir)

    quiet = counted("quiet", messages, log_partitions=1)
    assert quiet
    for number in range(SHUFFLES):
        shuffled = messages * 2
        rng.shuffle(shuffled)
        changes: dict[str, Any] = {
            "log_partitions": rng.randint(2, 5),
            "batch_frames": rng.randint(1, 20),
            "detector_threads": rng.randint(1, 3),
        }
        assert counted(f"shuffled-{number}", shuffled, **changes) == quiet, changes
