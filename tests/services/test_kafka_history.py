"""Unexpected changes of a log: it stops answering, loses messages, is recreated, or is another one."""

import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from kafka.admin import KafkaAdminClient
from kafka.structs import TopicPartition
from serving.needs import server
from serving.own import OwnServer
from tests.kit.clips import jpeg_of

from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.process.retrying import Patience
from frametally.segments.contents import list_segments, read_segment
from frametally.settings.access import LogAccess

pytestmark = [pytest.mark.services, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    """A second cluster, which tests may stop."""
    with OwnServer("kafka", tmp_path_factory.mktemp("servers"), session_ms="2000") as broker:
        yield broker


# The idempotent producer.

_MESSAGES = 3000
T = TypeVar("T")


def patiently(action: Callable[[], T]) -> T:
    return Patience(print, lambda: False).until_done("Kafka", action)


def published_while_the_broker_sleeps(own: OwnServer, folder: Path, *, idempotent: bool) -> Counter[bytes]:
    """Return the log's values afterwards. The broker sleeps for longer than a request may take."""
    properties = folder / "client.properties"
    properties.write_text(f"request.timeout.ms=1000\nenable.idempotence={str(idempotent).lower()}\n")
    topic = f"idempotent-{idempotent}-{uuid.uuid4().hex[:6]}"
    with ExitStack() as stack:
        log = stack.enter_context(
            closing(open_frame_log(own.values["URL"], LogAccess(client_properties=properties)))
        )
        log.create_topic(topic, 1)
        nap = threading.Timer(2.5, own.signal, (signal.SIGCONT,))

        def messages() -> Iterator[tuple[bytes, bytes]]:
            for number in range(_MESSAGES):
                if (
                    number == _MESSAGES // 2
                ):  # messages sent now are accepted when the broker wakes up, and too late
                    own.signal(signal.SIGSTOP)
                    nap.start()
                yield b"", b"%d" % number

        log.publish(topic, messages())
        nap.join()
        # The broker takes a moment to recover.
        end = patiently(lambda: log.end_offsets(topic))[0]
        member = stack.enter_context(
            closing(
                patiently(
                    lambda: log.subscribe(topic, topic, on_assigned=lambda _: None, on_revoked=lambda _: None)
                )
            )
        )
        found: list[bytes] = []
        while len(found) < end:
            found += [record.value for record in patiently(lambda: member.poll(timeout_s=30))]
    return Counter(found)


def test_a_message_resent_after_a_lost_answer_is_in_the_log_once(own: OwnServer, tmp_path: Path) -> None:
    expected = {b"%d" % number for number in range(_MESSAGES)}
    kept = published_while_the_broker_sleeps(own, tmp_path, idempotent=True)
    assert kept == Counter(expected)
    # Without it, the same pause duplicates some of them, so the test can detect it.
    kept = published_while_the_broker_sleeps(own, tmp_path, idempotent=False)
    assert set(kept) == expected
    assert max(kept.values()) > 1


# Footage through the command line.


class Deployment:
    """A store, and commands on it with different logs."""

    def __init__(self, folder: Path, topic: str) -> None:
        self.folder, self.topic = folder, topic
        self.pictures = 0

    def run(self, url: str, *arguments: object, codes: tuple[int, ...] = (0,)) -> tuple[str, str]:
        """Its output, and its standard error."""
        settings = {
            "FRAMETALLY_LOG_URL": url,
            "FRAMETALLY_TOPIC": self.topic,
            "FRAMETALLY_DETECTOR": "pixels",
            "FRAMETALLY_BATCH_FRAMES": "5",
            "COLUMNS": "300",
        }
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "frametally",
                *map(str, arguments),
                "--data-dir",
                str(self.folder / "data"),
            ],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode in codes, done.stdout + done.stderr
        return done.stdout, done.stderr

    def produce(self, url: str, source: str, count: int) -> None:
        """Add this many new pictures."""
        folder = self.folder / f"pictures-{self.pictures}" / source
        folder.mkdir(parents=True)
        for _ in range(count):
            self.pictures += 1
            picture = np.zeros((48, 64, 3), np.uint8)
            picture[8:16, 8 : 8 + self.pictures % 40, 2] = 255
            name = f"cam_20260501_08{self.pictures // 60:02d}{self.pictures % 60:02d}.jpg"
            (folder / name).write_bytes(jpeg_of(picture))
        self.run(url, "produce", "--time-pattern", "cam_%Y%m%d_%H%M%S", folder)

    def consume(self, url: str, *, code: int = 0) -> str:
        return self.run(url, "consume", "--until-caught-up", codes=(code,))[1]

    def lost(self, url: str) -> int:
        """Messages that `frametally status` calls lost."""
        books = json.loads(self.run(url, "status", "--json", codes=(0, 3, 4))[0])
        return sum(row["messages"] for row in books["lost"])

    def chains(self) -> dict[str, tuple[int, int]]:
        """Per log: frames, and offsets without a line. Segments of a partition have no gap or overlap."""
        found: dict[str, tuple[int, int]] = {}
        ends: Counter[tuple[str, int]] = Counter()
        with closing(open_object_store(f"file://{self.folder}/data/store")) as store:
            for key in list_segments(store):
                header = read_segment(store, key).header
                assert header.first_offset == ends[header.log_id, header.partition], key
                ends[header.log_id, header.partition] = header.next_offset
                frames, missing = found.get(header.log_id, (0, 0))
                covered = header.next_offset - header.first_offset
                found[header.log_id] = (frames + header.frames, missing + covered - header.frames)
        return found


@pytest.fixture
def kafka() -> Mapping[str, str]:
    return server("kafka")


@pytest.fixture
def admin(kafka: Mapping[str, str]) -> Iterator[KafkaAdminClient]:
    with closing(KafkaAdminClient(bootstrap_servers=kafka["URL"].removeprefix("kafka://"))) as client:
        yield client


@pytest.fixture
def deployment(admin: KafkaAdminClient, tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(tmp_path, f"test-{uuid.uuid4().hex[:12]}")
    yield made
    if made.topic in admin.list_topics():
        admin.delete_topics([made.topic])


def log_id(url: str, topic: str) -> str:
    with closing(open_frame_log(url)) as log:
        return log.log_id(topic)


def test_a_topic_deleted_and_made_again_starts_its_own_chain(
    kafka: Mapping[str, str], admin: KafkaAdminClient, deployment: Deployment
) -> None:
    url = kafka["URL"]
    deployment.produce(url, "gate", 12)
    deployment.consume(url)
    before = log_id(url, deployment.topic)
    admin.delete_topics([deployment.topic])
    deployment.produce(url, "gate", 7)
    after = log_id(url, deployment.topic)
    said = deployment.consume(url)
    assert f"this log is new ({after})" in said
    assert deployment.chains() == {before: (12, 0), after: (7, 0)}


def test_two_clusters_on_one_store_keep_their_chains_apart(
    kafka: Mapping[str, str], own: OwnServer, deployment: Deployment
) -> None:
    one, other = kafka["URL"], own.values["URL"]
    for _ in range(2):
        deployment.produce(one, "gate", 8)
        deployment.produce(other, "yard", 5)
        deployment.consume(other)
        deployment.consume(one)
    assert deployment.chains() == {
        log_id(one, deployment.topic): (16, 0),
        log_id(other, deployment.topic): (10, 0),
    }


def test_messages_that_the_log_dropped_before_they_were_read_are_counted_and_reported(
    kafka: Mapping[str, str], admin: KafkaAdminClient, deployment: Deployment
) -> None:
    url = kafka["URL"]
    deployment.produce(url, "gate", 10)
    deployment.consume(url)
    deployment.produce(url, "gate", 30)
    with closing(open_frame_log(url)) as log:
        ends = log.end_offsets(deployment.topic)
    # As with retention: old messages go, read or not.
    admin.delete_records({TopicPartition(deployment.topic, p): end - 1 for p, end in ends.items() if end > 1})
    lost = deployment.lost(url)
    assert lost > 0
    said = deployment.consume(url, code=6)
    assert "to detect their frames, and raise FRAMETALLY_LOG_RETENTION_H" in said
    assert deployment.chains() == {log_id(url, deployment.topic): (40 - lost, lost)}
    assert deployment.lost(url) == lost
