"""Live frames on a real Kafka of three partitions: results at once, next to a batch of the same model."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient
from serving.needs import server
from spark_connector import connector_jars
from tests.consumer.test_live import made
from tests.kit.messages import records_on

from frametally import keys
from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.ports.frame_log import FrameLog, LogRecord, consumer_group
from frametally.ports.object_store import ObjectStore
from frametally.records import FrameDetections, decode, encode
from frametally.segments.contents import list_segments, read_segment

pytestmark = [pytest.mark.services, pytest.mark.timeout(240)]

FRAMES = 60


class Place:
    """A store, and three unique topics on the cluster."""

    def __init__(self, url: str, folder: Path) -> None:
        name = f"test-{uuid.uuid4().hex[:12]}"
        self.data_dir = folder / "data"
        self.batch, self.live, self.results = f"{name}-batch", f"video-{name}", f"processed-{name}"
        self.environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "FRAMETALLY_LOG_URL": url,
            "FRAMETALLY_TOPIC": self.batch,
            "FRAMETALLY_LIVE_TOPIC": self.live,
            "FRAMETALLY_LOG_PARTITIONS": "3",
            "FRAMETALLY_DETECTOR": "pixels",
        }
        self.store: ObjectStore = open_object_store(f"file://{self.data_dir}/store")
        self.log: FrameLog = open_frame_log(url)

    def announce(self, topic: str, first: int) -> None:
        self.log.create_topic(topic, 3)
        frames = [made(self.store, first + number) for number in range(FRAMES)]
        self.log.publish(
            topic, [(keys.frame_log_key(one.source, one.captured_at_ms), encode(one)) for one in frames]
        )

    def start(self, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "frametally", "consume", *options, "--data-dir", str(self.data_dir)],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def use_spark(self) -> None:
        jars = ",".join(map(str, connector_jars()))
        self.environment["PYSPARK_SUBMIT_ARGS"] = f"--jars {jars} pyspark-shell"
        self.environment["FRAMETALLY_SPARK_MASTER"] = "local[2]"
        self.environment["FRAMETALLY_STREAM_ENGINE"] = "spark"

    def told(self) -> list[LogRecord]:
        return records_on(self.log, self.results)

    def model(self) -> str:
        return read_segment(self.store, next(list_segments(self.store))).header.model

    def lines(self, topic: str) -> list[bytes]:
        segments = (read_segment(self.store, key) for key in list_segments(self.store))
        return [line for one in segments if one.header.topic == topic for line in one.frame_lines]


@pytest.fixture
def kafka() -> Mapping[str, str]:
    return server("kafka")


@pytest.fixture
def place(kafka: Mapping[str, str], tmp_path: Path) -> Iterator[Place]:
    place = Place(kafka["URL"], tmp_path)
    with closing(place.log), closing(place.store):
        yield place
    with closing(KafkaAdminClient(bootstrap_servers=kafka["URL"].removeprefix("kafka://"))) as admin:
        topics = {place.batch, place.live, place.results} & set(admin.list_topics())
        admin.delete_topics(sorted(topics))


@pytest.fixture(params=["consumer", pytest.param("spark", marks=pytest.mark.spark)])
def engine(request: pytest.FixtureRequest, place: Place) -> str:
    """The detector; PySpark is in a separate environment, where `make test-spark` runs this."""
    if request.param == "spark":
        place.use_spark()
    return str(request.param)


def test_results_have_the_segments_bytes_in_order_while_a_batch_of_the_same_model_runs(
    place: Place, engine: str
) -> None:
    del engine
    place.announce(place.batch, 1_000)
    batch = place.start()
    try:
        place.announce(place.live, 0)
        live = place.start("--live", "--until-caught-up")
        said, _ = live.communicate(timeout=200)
        assert live.returncode == 0, said
    finally:
        batch.send_signal(signal.SIGTERM)
        batch.communicate(timeout=60)
    told, lines = place.told(), place.lines(place.live)
    assert len(lines) == FRAMES
    assert sorted(record.value for record in told) == sorted(lines)
    by_partition: dict[int, list[LogRecord]] = {}
    for record in told:
        by_partition.setdefault(record.partition, []).append(record)
    assert len(by_partition) == 3
    for records in by_partition.values():
        frames = [decode(record.value, FrameDetections) for record in records]
        for source in {frame.source for frame in frames}:
            times = [frame.captured_at_ms for frame in frames if frame.source == source]
            assert times == sorted(times), "a source's results are in the order of its frames"


@pytest.mark.spark
def test_a_killed_and_restarted_spark_gives_the_consumers_bytes(
    kafka: Mapping[str, str], place: Place, tmp_path: Path
) -> None:
    ours = Place(kafka["URL"], tmp_path / "ours")
    with closing(ours.log), closing(ours.store):
        ours.announce(ours.live, 0)
        said, _ = ours.start("--live", "--until-caught-up").communicate(timeout=200)
        expected = sorted(ours.lines(ours.live))
        assert len(expected) == FRAMES, said
    place.use_spark()
    place.announce(place.live, 0)
    place.log.create_topic(place.results, 3)
    with place.start("--live") as killed:
        while not any(place.log.end_offsets(place.results).values()):
            assert killed.poll() is None, killed.communicate()[0]
            time.sleep(0.05)
        killed.kill()
    live = place.start("--live", "--until-caught-up")
    said, _ = live.communicate(timeout=200)
    assert live.returncode == 0, said
    assert sorted(place.lines(place.live)) == expected
    # Waiting results of a killed process are lost with it: their frames are in its segments.
    assert {record.value for record in place.told()} <= set(expected)
    committed = place.log.committed(place.live, consumer_group(place.model(), live=True))
    assert committed == place.log.end_offsets(place.live)
