"""20,000 frames through a real Kafka: consumers join, leave, sleep and wake up, the broker is killed."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from serving.own import OwnServer
from tests.fakes.records import make_announcement, make_frame
from tests.kit.clips import jpeg_of

from frametally import keys
from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.errors import Retryable
from frametally.ports.frame_log import consumer_group
from frametally.records import FrameAnnouncement, encode
from frametally.segments.contents import list_segments, read_segment
from frametally.settings.loading import load_settings
from frametally_consumer.load import load_detector

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

FRAMES = int(os.environ.get("KAFKA_CHAOS_FRAMES", "20000"))
TOPIC, PARTITIONS, LEASE_S = "frames", 6, 3.0
_START_MS = 1_767_225_600_000


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[OwnServer]:
    with OwnServer("kafka", tmp_path / "servers", session_ms="2000") as own:
        yield own


def announcements(store_folder: Path, count: int) -> list[FrameAnnouncement]:
    """The number of frames of four cameras, which all share one picture."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[8:16, 8:16, 2] = 255
    data = jpeg_of(picture)
    sha256 = hashlib.sha256(data).hexdigest()
    original = store_folder.parent / "picture.jpg"
    original.parent.mkdir(parents=True)
    original.write_bytes(data)
    made = []
    for number in range(count):
        source = f"gate-{number % 4}"
        at_ms = _START_MS + number // 4 * 1000
        path = keys.image_key(source, at_ms, sha256, 0)
        link = store_folder / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.hardlink_to(original)
        made.append(
            make_announcement(make_frame(at_ms, source=source, media=sha256, time_source="file_name"), data)
        )
    return made


class Pipeline:
    """Consumers as users start them, on one log and one store, and their progress."""

    def __init__(self, folder: Path, url: str) -> None:
        self.data_dir, self.folder, self.url = folder / "data", folder, url
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.log = open_frame_log(url)
        self.admin = KafkaAdminClient(bootstrap_servers=url.removeprefix("kafka://"))
        self.group = consumer_group(load_detector(load_settings("consumer", detector="pixels")).model_id)

    def start(self, name: str) -> None:
        settings = {
            "FRAMETALLY_LOG_URL": self.url,
            "FRAMETALLY_DETECTOR": "pixels",
            "FRAMETALLY_LEASE_S": str(LEASE_S),
            "FRAMETALLY_BATCH_FRAMES": "100",
            "FRAMETALLY_BATCH_S": "1",
        }
        with (self.folder / f"{name}.txt").open("ab") as output:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "frametally", "consume", "--data-dir", str(self.data_dir)],
                env={**os.environ, **settings},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def send(self, name: str, number: signal.Signals) -> None:
        self.running[name].send_signal(number)

    def leave(self, name: str) -> None:
        """Stop it like Ctrl-C or a service manager."""
        self.send(name, signal.SIGTERM)
        assert self.running[name].wait(60) == 0, self.said(name)

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.txt").read_text()[-3000:]

    def publish(self, frames: Sequence[FrameAnnouncement]) -> None:
        """Like a producer: retry messages that Kafka does not accept for now."""
        for first in range(0, len(frames), 500):
            batch = [
                (keys.frame_log_key(f.source, f.captured_at_ms), encode(f))
                for f in frames[first : first + 500]
            ]
            while True:
                try:
                    self.log.publish(TOPIC, batch)
                    break
                except Retryable:
                    time.sleep(0.2)

    def committed(self) -> int:
        try:
            return sum(self.log.committed(TOPIC, self.group).values())
        except Retryable:
            return -1

    def members(self) -> int:
        try:
            found = self.admin.describe_groups([self.group])[self.group]
        except KafkaError:
            return -1
        return len(found["members"])

    def until(self, reached: Callable[[], bool], what: str) -> None:
        by_s = time.monotonic() + 120
        while not reached():
            for name, process in self.running.items():
                assert process.poll() in (None, 0), f"{name} ended: {self.said(name)}"
            assert time.monotonic() < by_s, f"still waiting: {what}; {self.committed()} committed"
            time.sleep(0.1)

    def close(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()
        self.admin.close()
        self.log.close()


def test_20000_frames_are_one_chain_per_partition_whichever_member_joins_leaves_sleeps_or_dies(
    broker: OwnServer, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    frames = announcements(work / "data" / "store", FRAMES)

    def part(first: float, following: float) -> list[FrameAnnouncement]:
        return frames[int(first * FRAMES) : int(following * FRAMES)]

    with closing(Pipeline(work, broker.values["URL"])) as pipeline:
        pipeline.log.create_topic(TOPIC, PARTITIONS)
        pipeline.publish(part(0, 0.25))
        pipeline.start("first")
        pipeline.until(lambda: pipeline.committed() > 0, "the first has begun")

        pipeline.start("second")  # joins in the middle
        pipeline.publish(part(0.25, 0.45))
        pipeline.until(lambda: pipeline.members() == 2, "the second has joined")

        pipeline.send("first", signal.SIGSTOP)  # sleeps past its poll interval, with unfinished work
        pipeline.publish(part(0.45, 0.6))
        pipeline.until(lambda: pipeline.members() == 1, "the first counts as dead")
        pipeline.until(lambda: pipeline.committed() >= 0.5 * FRAMES, "the second has gone on")
        pipeline.send("first", signal.SIGCONT)  # wakes up, and still believes that it holds its partitions
        pipeline.until(lambda: pipeline.members() == 2, "the first has joined again")

        pipeline.publish(part(0.6, 0.75))
        broker.signal(signal.SIGKILL)
        broker.up()
        pipeline.publish(part(0.75, 0.9))
        pipeline.until(lambda: pipeline.committed() >= 0.7 * FRAMES, "they have found the broker again")

        pipeline.leave("second")
        pipeline.start("third")
        pipeline.publish(part(0.9, 1))
        ends = pipeline.log.end_offsets(TOPIC)
        pipeline.until(lambda: pipeline.log.committed(TOPIC, pipeline.group) == ends, "all is committed")
        pipeline.leave("first")
        pipeline.leave("third")

    with closing(open_object_store(f"file://{work}/data/store")) as store:
        reached = dict.fromkeys(range(PARTITIONS), 0)
        found: list[str] = []
        for key in list_segments(store):
            segment = read_segment(store, key)
            header = segment.header
            assert header.first_offset == reached[header.partition], f"gap or overlap at {key}"
            assert (header.frames, header.dead_letters) == (header.next_offset - header.first_offset, 0)
            reached[header.partition] = header.next_offset
            found += [frame.image_path for frame in segment.frames()]
    assert reached == ends
    assert set(found) == {frame.image_path for frame in frames}
    assert len(found) == sum(ends.values())
