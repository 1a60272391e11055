"""`frametally stream --booked` launches a booked stream, and that stream ends with the command."""

from __future__ import annotations

import os
import signal
import time
import uuid

import pytest
from tests.kit.waiting import until
from tests.live.test_stream_command import LEASE_S, NOBODY, OTHER, VIDEO, Run, beside, book, claimed, run

from frametally_live.book import LiveBook
from frametally_live.feed_records import Feed, FeedTold

__all__ = ["book", "run"]


def booked(book: LiveBook) -> Feed:
    asked = Feed(str(uuid.uuid4()), "video", "gate", "Gate 1", VIDEO.id, launch="booked")
    feed = book.start_stream(asked, most=9, launch_within_s=LEASE_S)
    assert book.claim_feed("worker", ["video"], lease_s=LEASE_S) is None
    return feed


def test_the_command_launches_the_booked_stream_and_ends_with_it(
    book: LiveBook, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    feed = booked(book)

    def ends() -> None:
        held = claimed(book)
        assert held.id == feed.id
        book.release_feed(held, FeedTold("ended", position_s=5.8, frames_announced=30))

    with beside(ends):
        assert run(VIDEO.id, "--booked", feed.id) == 0
    assert capsys.readouterr().out == "Gate 1: streamed up to 5.8 s, 30 frames announced.\n"
    assert [one.id for one in book.feeds()] == [feed.id]


@pytest.mark.thorough
def test_the_command_keeps_reporting_that_it_is_alive(
    book: LiveBook, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMETALLY_LEASE_S", "1")
    feed = booked(book)

    def looks() -> None:
        held = claimed(book)
        for _ in range(60):  # many times its lease; each check would notice a missing one
            assert book.claim_feed("another", ["video"], lease_s=0.2) is None
            assert book.renew_feed(held, FeedTold("running"), lease_s=LEASE_S) is not None
            time.sleep(0.1)
        book.release_feed(held, FeedTold("ended"))

    with beside(looks):
        assert run(VIDEO.id, "--booked", feed.id) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ending_the_command_ends_its_stream_as_failed(
    book: LiveBook, run: Run, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    feed = booked(book)

    def stops() -> None:
        held = claimed(book)
        os.kill(os.getpid(), number)
        until(lambda: book.renew_feed(held, FeedTold("running"), lease_s=LEASE_S) is None, "nobody ended it")

    with beside(stops):
        assert run(VIDEO.id, "--booked", feed.id) == 130
    assert capsys.readouterr().out == "stopped; the frames shown so far stay\n"
    told = book.feeds()[0].told
    assert (told.state, told.reason) == (
        "failed",
        "Airflow ended its run: check there for the reason, then start the stream again.",
    )


def test_a_stream_that_ended_before_its_run_is_reported_with_its_outcome(
    book: LiveBook, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped = booked(book)
    book.ask_feed(stopped.id, "stop")
    assert run(VIDEO.id, "--booked", stopped.id) == 0
    assert capsys.readouterr().out.startswith("Gate 1: streamed up to 0.0 s, 0 frames announced.")
    failed = booked(book)
    book.fail_launch(failed.id, "Airflow is away.")
    assert run(VIDEO.id, "--booked", failed.id) == 2
    assert capsys.readouterr().err == "error: Gate 1: Airflow is away.\n"


@pytest.mark.parametrize("stream_id", [NOBODY, "../x", "' OR 1"])
def test_an_id_that_is_not_a_booked_streams_gives_one_line(
    book: LiveBook, run: Run, capsys: pytest.CaptureFixture[str], stream_id: str
) -> None:
    assert run(VIDEO.id, "--booked", stream_id) == 2
    assert capsys.readouterr().err == (
        f"error: --booked: video {VIDEO.id} does not have a booked stream {stream_id}; start it again on "
        f"the video's "
        "page\n"
    )
    assert book.feeds() == []


def test_a_stream_of_another_video_is_not_launched(book: LiveBook, run: Run) -> None:
    assert run(OTHER.id, "--booked", booked(book).id) == 2
    assert book.feeds()[0].launch == "booked"
