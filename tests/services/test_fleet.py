"""Two hundred cameras and some uploads on real servers, while consumers start, stop and are killed.

The quick form has 40 frames a camera. `FLEET_FRAMES=600` takes some minutes; memory is judged then, and a
consumer is killed before half time, too. Kafka gives its partitions away after 3 s, a tenth of a quick run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pytest
from broker_queues import empty_broker
from postgres_schemas import fresh_schema
from s3_bucket import new_bucket_name, root_access
from serving.own import OwnServer
from serving.state import with_user
from tests.fakes.records import make_manifest
from tests.kit.clips import jpeg_of, noisy, write_clip
from tests.videos.video_records import upload_file

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_frame_log, open_object_store
from frametally.media.manifests import pictures_identity
from frametally.ports.count_index import CountQuery
from frametally.ports.frame_log import consumer_group
from frametally.process.retrying import Patience
from frametally.records import FrameAnnouncement, MediaManifest, encode
from frametally.segments.contents import list_segments, read_header, read_segment
from frametally.settings.environment import environment_of
from frametally.settings.loading import Settings, load_settings
from frametally_cli.bucket import set_up_store
from frametally_consumer.load import load_detector
from frametally_producer.writing.frames import FrameWriter, NewFrame
from frametally_producer.writing.manifest import picture_name
from frametally_videos.catalogue_by_url import open_video_catalogue

pytestmark = [pytest.mark.services, pytest.mark.timeout(1800)]

CAMERAS, PARTITIONS, UPLOADS = 200, 32, 2
FRAMES = int(os.environ.get("FLEET_FRAMES", "40"))  # of each camera
IS_LONG = FRAMES >= 200
START_MS, EVERY_MS = 1_767_225_600_000, 5000
# At half time, as a share of the mean: in the short run 20 frames, some of which are still in detection.
LEAST_SHARE, MOST_GROWTH = 0.8 if IS_LONG else 0.7, 1.1
PATIENCE_S = 150.0 + FRAMES


class Fleet:
    """Cameras, uploads and consumers on one Kafka, S3 store, PostgreSQL and RabbitMQ."""

    def __init__(self, folder: Path, broker: OwnServer, stack: ExitStack) -> None:
        url, sql = stack.enter_context(fresh_schema())
        queue_url, queue = stack.enter_context(empty_broker())
        s3, bucket = root_access(), f"s3://{new_bucket_name()}"
        set_up_store(bucket, s3)
        self.settings: Settings = load_settings(
            "consumer",
            data_dir=folder / "data",
            detector="pixels",
            sample_fps="all",
            count_objects=False,
            lease_s=3,
            batch_s=1,
            log_url=broker.values["URL"],
            log_partitions=PARTITIONS,
            store_url=bucket,
            store_endpoint=s3.endpoint,
            store_access_key=s3.access_key,
            store_secret_key=s3.secret_key,
            index_url=url,
            index_user=sql.user,
            index_password=sql.password,
            ledger_url=with_user(url, sql.user),
            catalogue_url=with_user(url, sql.user),
            ledger_password=sql.password,
            queue_url=with_user(queue_url, queue.user),
            queue_password=queue.password,
        )
        self.folder, self.processes = folder, dict[str, subprocess.Popen[bytes]]()
        self.store = stack.enter_context(closing(open_object_store(bucket, s3)))
        self.log = stack.enter_context(closing(open_frame_log(self.settings.log_url)))
        self.log.create_topic(self.settings.topic, PARTITIONS)
        self.group = consumer_group(load_detector(self.settings).model_id)
        stack.callback(self.kill_all)

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.txt").open("ab") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "frametally", *arguments],
                env=os.environ | environment_of(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        self.processes[name] = process
        return process

    def run(self, name: str, *arguments: str) -> str:
        """Run a command to its end; it must succeed; return its output."""
        code = self.start(name, *arguments).wait(PATIENCE_S)
        assert code == 0, self.said(name)
        return self.said(name)

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.txt").read_text()[-6000:]

    def kill_all(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()

    def film(self) -> None:
        """Store and announce one frame of each camera in turn, as if they filmed in parallel."""
        picture = np.zeros((48, 64, 3), np.uint8)
        picture[8:24, 8:24] = 255
        jpeg = jpeg_of(picture)
        names: dict[str, list[str]] = {source_of(number): [] for number in range(CAMERAS)}

        def note(announced: list[FrameAnnouncement]) -> None:
            for frame in announced:
                names[frame.source].append(picture_name(frame.image_path))

        patience = Patience(print, lambda: False)
        with FrameWriter(self.settings, self.store, self.log, patience, self.settings.topic, note) as writer:
            for number in range(FRAMES * CAMERAS):
                source, at_ms = source_of(number % CAMERAS), START_MS + number // CAMERAS * EVERY_MS
                writer.add(
                    NewFrame(
                        media=pictures_identity(source, keys.utc_day(at_ms)),
                        medium_hex=f"{number:032x}",
                        source=source,
                        frame_index=0,
                        captured_at_ms=at_ms,
                        time_source="file_name",
                        pixels=jpeg,
                        refused=pytest.fail,
                    )
                )
        for source, announced in names.items():
            manifest = manifest_of(source, announced)
            self.store.put(manifest.key, encode(manifest))

    def upload(self) -> None:
        """Upload videos, each with as many frames as a camera."""
        with closing(
            open_video_catalogue(self.settings.catalogue_url, self.settings.catalogue_access)
        ) as book:
            for number in range(UPLOADS):
                clip = write_clip(self.folder / f"upload-{number}.mp4", noisy(FRAMES, number))
                upload_file(clip, self.settings, self.store, book, start_time="2026-01-01T00:00:00Z")

    @property
    def done(self) -> int:
        return sum(self.log.committed(self.settings.topic, self.group).values())

    def until(self, holds: Callable[[], bool]) -> None:
        by_s = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < by_s, (self.done, {name: self.said(name) for name in self.processes})
            time.sleep(0.1)

    def until_done(self, share: float) -> None:
        self.until(lambda: self.done >= share * FRAMES * CAMERAS)

    def frames_by_source(self) -> Counter[str]:
        """Frames in segments so far, by source."""
        found: Counter[str] = Counter()
        for key in list_segments(self.store):
            for part in read_header(self.store, key)[0].sources:
                found[part.source] += part.frames
        return found


def source_of(camera: int) -> str:
    return f"camera-{camera:03}"


def manifest_of(source: str, names: list[str]) -> MediaManifest:
    return make_manifest(
        len(names),
        media=pictures_identity(source, keys.utc_day(START_MS)),
        source=source,
        name=f"pictures/{source}",
        source_name=source,
        kind="pictures",
        time_source="file_name",
        sampling="all",
        span_ms=(START_MS, START_MS + (len(names) - 1) * EVERY_MS),
        announced_pictures=sorted(names),
    )


def rss_bytes(process: subprocess.Popen[bytes]) -> int:
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with ExitStack() as stack:
        broker = stack.enter_context(OwnServer("kafka", tmp_path / "servers"))
        yield Fleet(tmp_path, broker, stack)


def test_a_fleets_books_balance_with_fair_shares_and_flat_memory_as_consumers_come_and_go(
    fleet: Fleet,
) -> None:
    fleet.upload()
    fleet.film()
    work = fleet.start("work", "work", "--until-done")
    staying = {name: fleet.start(name, "consume") for name in ("a", "b")}
    fleet.start("c", "consume")
    fleet.until_done(0.1)
    fleet.start("d", "consume")
    fleet.processes["c"].send_signal(signal.SIGKILL if IS_LONG else signal.SIGTERM)
    fleet.start("e", "consume")
    fleet.until_done(0.33)
    warm: Mapping[str, int] = {name: rss_bytes(process) for name, process in staying.items()}
    fleet.until_done(0.5)
    half = fleet.frames_by_source()
    fleet.processes["d"].kill()
    fleet.start("f", "consume")
    assert work.wait(PATIENCE_S) == 0, fleet.said("work")
    ends = fleet.log.end_offsets(fleet.settings.topic)
    fleet.until(lambda: fleet.log.committed(fleet.settings.topic, fleet.group) == ends)
    growth = {name: rss_bytes(process) / warm[name] for name, process in staying.items()}
    for name in ("a", "b", "e", "f"):
        fleet.processes[name].send_signal(signal.SIGTERM)
        assert fleet.processes[name].wait(PATIENCE_S) == 0, fleet.said(name)

    shares = [half[source_of(number)] for number in range(CAMERAS)]
    fairness = min(shares) / (sum(shares) / CAMERAS)
    print(f"slowest source at half time: {fairness:.2f} of the mean; memory grew to {growth}")
    assert fairness >= LEAST_SHARE
    if IS_LONG:
        assert max(growth.values()) <= MOST_GROWTH, (warm, growth)

    everyone: Counter[str] = Counter()
    reached = dict.fromkeys(range(PARTITIONS), 0)
    for key in list_segments(fleet.store):
        segment = read_segment(fleet.store, key)
        assert segment.header.first_offset == reached[segment.header.partition], f"gap or overlap at {key}"
        reached[segment.header.partition] = segment.header.next_offset
        assert not segment.header.dead_letters
        everyone.update(frame.image_path for frame in segment.frames())
    assert reached == ends
    assert set(everyone.values()) == {1}, "each frame is there once"
    assert len(everyone) == FRAMES * (CAMERAS + UPLOADS)

    fleet.run("aggregate", "aggregate")
    fleet.run("index", "index")
    assert "settled" in fleet.run("status", "status")
    with closing(open_count_index(fleet.settings.index_url, fleet.settings.index_access)) as index:
        model = load_detector(fleet.settings).model_id
        counted = index.histogram(
            CountQuery(model=model, base_interval_s=60, interval_s=3600, by_source=True)
        )
    assert {source_of(number) for number in range(CAMERAS)} <= {bar.source for bar in counted.buckets}
