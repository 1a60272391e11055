"""Frames of a batch and of a stream in one set of books: each counts once, and all that waits is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.consumer.test_redetect_books import FRAMES, Archive

from frametally.books.verdict import BEHIND, SETTLED
from frametally.segments.dead_letters import list_dead_letters
from frametally_cli import main as cli

LIVE = "video-frames"


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Six frames, announced for a batch; the topic of what is live is empty."""
    archive = Archive(tmp_path)
    archive.log.create_topic(LIVE, 2)
    with closing(archive.log), closing(archive.store), closing(archive.index), closing(archive.ledger):
        yield archive


@pytest.mark.parametrize("order", [["frames", LIVE], [LIVE, "frames"]])
def test_frames_announced_on_both_topics_count_once_and_are_settled_when_both_are_detected(
    archive: Archive, order: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    archive.publish(LIVE)
    archive.drain(order[0])
    archive.count()
    half = archive.status()
    assert half.exit_code == BEHIND
    other = "the log" if order[1] == "frames" else f"the log, topic {LIVE}"
    command = "frametally consume" + (" --live" if order[1] == LIVE else "")
    assert half.behind == [f"{other}: {FRAMES} messages to detect; run `{command}`"]
    assert [line.command for line in half.stages if line.stage == "consume"] == [command]
    archive.drain(order[1])
    archive.count()
    status = archive.status()
    assert (status.behind, status.broken, status.lost) == ([], [], [])
    assert status.exit_code == SETTLED
    assert (status.log_messages, status.log_committed) == (2 * FRAMES, 2 * FRAMES)
    [books] = status.sources
    assert [books.expected, books.announced, books.detected, books.counted, books.indexed] == [FRAMES] * 5
    bar = ("--source", "cam", "--label", "white", "--interval-start", "1970-01-01T00:00:00Z")
    capsys.readouterr()
    assert cli.main(["explain", *bar, "--json", "--data-dir", str(archive.settings.data_dir)]) == 0
    proved = json.loads(capsys.readouterr().out)
    assert [frame["image_path"] for frame in proved["frames"]] == [
        one.image_path for one in archive.announcements
    ], "each frame is behind the bar once"


def test_frames_that_were_announced_live_alone_are_behind_until_they_are_detected(tmp_path: Path) -> None:
    archive = Archive(tmp_path, topic=LIVE)
    with closing(archive.log), closing(archive.store), closing(archive.index), closing(archive.ledger):
        status = archive.status()
        assert (status.exit_code, status.broken) == (BEHIND, [])
        assert status.behind[0] == (
            f"the log, topic {LIVE}: {FRAMES} messages to detect; run `frametally consume --live`"
        )
        archive.drain(LIVE)
        archive.count()
        assert archive.status().exit_code == SETTLED


def test_what_waits_for_a_batch_is_behind_though_the_model_was_only_used_on_what_is_live(
    archive: Archive,
) -> None:
    archive.publish(LIVE)
    archive.drain(LIVE)
    archive.count()
    assert archive.status().behind == [f"the log: {FRAMES} messages to detect; run `frametally consume`"]


def test_a_model_that_was_only_used_on_frames_announced_again_owes_nothing_live(archive: Archive) -> None:
    archive.publish(LIVE)
    archive.drain(archive.announce_again())
    archive.count()
    status = archive.status()
    assert (status.exit_code, status.behind) == (SETTLED, [])


def test_a_live_frame_that_is_detected_on_the_other_topic_has_no_dead_letter_that_waits(
    archive: Archive,
) -> None:
    archive.drain("frames")
    archive.store.delete(archive.announcements[2].image_path)
    archive.log.publish(LIVE, [(b"cam/0", b"no message")])
    archive.publish(LIVE)
    archive.drain(LIVE)
    archive.count()
    status = archive.status()
    assert status.exit_code == SETTLED
    assert {entry.header.topic for entry in list_dead_letters(archive.store)} == {LIVE}
    assert sorted(entry.state for entry in list_dead_letters(archive.store)) == ["detected", "waiting"]
    assert (status.unidentified_dead_letters, sum(status.dead_letters.values())) == (1, 1)


def test_a_dead_letter_of_what_is_live_goes_back_to_its_topic_with_the_command_that_detects_it(
    archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = archive.announcements[2].image_path
    archive.store.delete(lost)
    archive.publish(LIVE)
    archive.drain(LIVE)
    archive.store.put(lost, archive.jpeg)
    assert cli.main(["dead-letters", "replay", "--data-dir", str(archive.settings.data_dir)]) == 0
    assert f"those of topic {LIVE}: frametally consume --live\n" in capsys.readouterr().out
    archive.drain(LIVE)
    (entry,) = list_dead_letters(archive.store)
    assert (entry.header.topic, entry.state) == (LIVE, "detected")


def test_doctor_looks_at_both_topics_of_what_is_live(
    archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    def rows() -> dict[str, str]:
        cli.main(["doctor", "--data-dir", str(archive.settings.data_dir), "--json"])
        rows = json.loads(capsys.readouterr().out)["rows"]
        return {row["name"]: row["value"] for row in rows if row["area"] == "log"}

    archive.publish(LIVE)
    found = rows()
    assert found[f"topic {LIVE}"] == f"{FRAMES} messages"
    assert "topic processed-frames" not in found
    archive.log.create_topic("processed-frames", 2)
    assert rows()["topic processed-frames"] == "0 messages"
