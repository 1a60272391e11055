"""What is announced again for one model is in its books: status, dead letters and doctor see that topic."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from frametally import keys
from frametally.books.offsets import read_logs
from frametally.books.status import Status, read_status
from frametally.books.verdict import BEHIND, SETTLED
from frametally.files.opencv import cv2
from frametally.media.stored_images import bitmap_of
from frametally.opening import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally.ports.frame_log import consumer_group
from frametally.process.reports import NoProgress
from frametally.records import FrameAnnouncement, MediaManifest, encode
from frametally.segments.dead_letters import list_dead_letters
from frametally.segments.redetect import redetect
from frametally.settings.loading import Settings, load_settings
from frametally_cli import main as cli
from frametally_consumer.load import load_detector
from frametally_consumer.worker.loop import consume
from frametally_hadoop.driver import aggregate
from frametally_search.indexer import index_runs

VIDEO = "ab" * 32
FRAMES = 6


class Archive:
    """Six stored frames that the log once announced, on the embedded parts; no model has seen them."""

    def __init__(self, folder: Path, topic: str = "frames") -> None:
        self.settings: Settings = load_settings(data_dir=folder, detector="pixels", log_partitions=2)
        self.store = open_object_store(self.settings.store_url)
        self.log = open_frame_log(self.settings.log_url)
        self.index = open_count_index(self.settings.index_url)
        self.ledger = open_ledger(self.settings.ledger_url)
        self.model = load_detector(self.settings).model_id
        self.log.create_topic(topic, 2)
        picture = np.zeros((24, 32, 3), np.uint8)
        picture[4:16, 6:20] = 255
        self.jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
        self.announcements = [self.frame(number) for number in range(FRAMES)]
        manifest = MediaManifest(
            sha256=VIDEO,
            name="film.mp4",
            source="cam",
            source_name="cam",
            kind="video",
            time_source="start_time",
            sampling="all",
            start_ms=0,
            first_captured_at_ms=0,
            last_captured_at_ms=1_000 * (FRAMES - 1),
            frames_expected=FRAMES,
            frames_put=FRAMES,
            frames_announced=FRAMES,
            state="complete",
            announced_frames=bitmap_of(range(FRAMES)),
        )
        self.store.put(keys.media_key(VIDEO), encode(manifest))
        self.publish(topic)

    def frame(self, number: int) -> FrameAnnouncement:
        path = keys.image_key("cam", 1_000 * number, VIDEO, number)
        self.store.put(path, self.jpeg)
        return FrameAnnouncement(
            image_path=path,
            source="cam",
            frame_index=number,
            captured_at_ms=1_000 * number,
            time_source="start_time",
            width_px=32,
            height_px=24,
            bytes=len(self.jpeg),
            sha256=hashlib.sha256(self.jpeg).hexdigest(),
            media=VIDEO,
        )

    def publish(self, topic: str) -> None:
        many = [
            (keys.frame_log_key(one.source, one.captured_at_ms), encode(one)) for one in self.announcements
        ]
        self.log.publish(topic, many)

    def announce_again(self) -> str:
        return redetect(
            settings=self.settings, store=self.store, log=self.log, model=self.model, progress=NoProgress()
        ).topic

    def drain(self, topic: str) -> None:
        consume(
            settings=self.settings.model_copy(update={"topic": topic}),
            store=self.store,
            log=self.log,
            detector=load_detector(self.settings),
            progress=NoProgress(),
            until_caught_up=True,
        )

    def count(self) -> None:
        aggregate(settings=self.settings, store=self.store, progress=NoProgress())
        index_runs(store=self.store, index=self.index, progress=NoProgress())

    def status(self) -> Status:
        return read_status(
            settings=self.settings,
            store=self.store,
            log=self.log,
            index=self.index,
            ledger=self.ledger,
            model=self.model,
        )


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = Archive(tmp_path)
    with closing(archive.log), closing(archive.store), closing(archive.index), closing(archive.ledger):
        yield archive


def test_the_command_chooses_by_source_and_time_and_says_how_to_detect_what_it_announced(
    archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    data_dir = ["--data-dir", str(archive.settings.data_dir)]
    times = ["--from", "1970-01-01T00:00:02Z", "--to", "1970-01-01T00:00:05Z"]
    chosen = ["redetect", "--model", archive.model, "--source", "cam", *times, *data_dir]
    assert cli.main(chosen) == 0
    said = capsys.readouterr().out
    assert f"frames: 3 announced for {archive.model}, 0 it has already" in said
    topic = f"redetect-{archive.model}"
    assert f"frametally consume --until-caught-up --topic {topic}" in said
    assert sum(archive.log.end_offsets(topic).values()) == 3
    assert cli.main(["redetect", "--model", archive.model, "--source", "yard", *data_dir]) == 2
    assert "no medium of source 'yard'" in capsys.readouterr().err


def test_what_waits_on_the_models_own_topic_is_behind_with_the_command_that_drains_it(
    archive: Archive,
) -> None:
    topic = archive.announce_again()
    status = archive.status()
    assert status.exit_code == BEHIND
    assert (status.log_messages, status.log_committed) == (FRAMES, 0)
    assert status.behind[0] == (
        f"the log, topic {topic}: {FRAMES} messages to detect; run `frametally consume --until-caught-up "
        f"--topic {topic}`"
    )


def test_a_model_used_on_the_archive_alone_is_settled_once_that_is_counted(archive: Archive) -> None:
    archive.drain(archive.announce_again())
    archive.count()
    status = archive.status()
    assert (status.behind, status.broken, status.lost) == ([], [], [])
    assert status.exit_code == SETTLED
    assert (status.log_messages, status.log_committed) == (FRAMES, FRAMES)


def test_frames_that_such_a_model_has_not_seen_are_behind_not_broken(archive: Archive) -> None:
    redetect(
        settings=archive.settings,
        store=archive.store,
        log=archive.log,
        model=archive.model,
        progress=NoProgress(),
        to_ms=2_000,
    )
    archive.drain(keys.redetect_topic("frames", archive.model))
    archive.count()
    status = archive.status()
    assert status.broken == []
    assert status.behind == [f"cam: 4 frames to detect; run `frametally redetect --model {archive.model}`"]


def test_a_model_that_reads_both_topics_has_both_in_its_books(archive: Archive) -> None:
    archive.drain("frames")
    topic = archive.announce_again()
    archive.publish(topic)
    archive.drain(topic)
    archive.publish("frames")
    status = archive.status()
    assert (status.log_messages, status.log_committed) == (3 * FRAMES, 2 * FRAMES)
    assert status.behind[0] == f"the log: {FRAMES} messages to detect; run `frametally consume`"


def test_a_dead_letter_goes_back_to_the_topic_that_it_came_from(
    archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = archive.announcements[2].image_path
    topic = archive.announce_again()
    archive.store.delete(lost)
    archive.drain(topic)
    (entry,) = list_dead_letters(archive.store)
    assert entry.header.topic == topic
    archive.store.put(lost, archive.jpeg)
    data_dir = ("--data-dir", str(archive.settings.data_dir))
    assert cli.main(["dead-letters", "replay", *data_dir]) == 0
    assert f"frametally consume --until-caught-up --topic {topic}" in capsys.readouterr().out
    archive.drain(topic)
    (entry,) = list_dead_letters(archive.store)
    assert entry.state == "detected"
    archive.count()
    assert archive.status().exit_code == SETTLED


def test_doctor_shows_the_models_topic(archive: Archive, capsys: pytest.CaptureFixture[str]) -> None:
    archive.drain("frames")
    archive.status()  # the ledger learns of the model
    topic = archive.announce_again()
    archive.log.create_topic(topic, 2)
    archive.publish(topic)
    cli.main(["doctor", "--data-dir", str(archive.settings.data_dir), "--json"])
    printed = capsys.readouterr().out
    assert f"topic {topic}" in printed
    assert f"{FRAMES} messages" in printed


def test_two_deployments_on_one_log_announce_again_on_topics_of_their_own(
    archive: Archive,
) -> None:
    theirs = archive.settings.model_copy(update={"topic": "harbour"})
    topics = [
        redetect(
            settings=settings,
            store=archive.store,
            log=archive.log,
            model=archive.model,
            progress=NoProgress(),
        ).topic
        for settings in (archive.settings, theirs)
    ]
    assert topics == [f"redetect-{archive.model}", f"redetect-harbour-{archive.model}"]
    archive.drain(topics[0])
    assert archive.log.committed(topics[1], consumer_group(archive.model)) == {}
    for settings, topic in zip((archive.settings, theirs), topics, strict=True):
        positions, _ = read_logs(archive.log, settings, archive.model, [])
        assert [position.topic for position in positions] == [topic]
