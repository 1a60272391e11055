"""`frametally stream`: its messages, and its exit; the test plays the stream's worker."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.kit.waiting import until
from tests.videos.video_records import make_facts, make_video

from frametally.settings.loading import load_settings
from frametally_cli import main as cli
from frametally_live.book import LiveBook
from frametally_live.commands import stream as command
from frametally_live.feed_records import Feed, FeedTold
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.records import VideoRecord

LEASE_S, PATIENCE_S = 600.0, 60.0
NOBODY = "00000000-0000-4000-8000-000000000000"
VIDEO, OTHER = make_video(1), make_video(2)
Run = Callable[..., int]


def put(book: LiveBook, video: VideoRecord) -> None:
    with closing(open_video_catalogue(book.url)) as catalogue:
        catalogue.put_video(video, "1")


@pytest.fixture
def book(tmp_path: Path) -> Iterator[LiveBook]:
    settings = load_settings("producer", data_dir=tmp_path)
    with closing(open_video_catalogue(settings.catalogue_url)) as catalogue:
        for video in (VIDEO, OTHER):
            catalogue.put_video(video, "1")
    with closing(LiveBook(settings.catalogue_url)) as feeds:
        yield feeds


@pytest.fixture
def run(book: LiveBook, tmp_path: Path) -> Run:
    def stream(*arguments: str) -> int:
        return cli.main(["stream", *arguments, "--data-dir", str(tmp_path)])

    return stream


def streamed(book: LiveBook, video_id: str = VIDEO.id) -> Feed:
    return book.start_stream(Feed(NOBODY, "video", "gate", "Gate 1", video_id), most=9)


def claimed(book: LiveBook) -> Feed:
    """The requested stream, once it exists."""
    feed = until(lambda: book.claim_feed("worker", ["video"], lease_s=LEASE_S), "nobody started a stream")
    assert feed is not None
    return feed


@contextmanager
def beside(what: Callable[[], object]) -> Iterator[None]:
    """Does something while the block runs; a failure fails the test."""
    failed: list[BaseException] = []

    def do() -> None:
        try:
            what()
        except BaseException as error:  # it is raised below
            failed.append(error)

    thread = threading.Thread(target=do)
    thread.start()
    try:
        yield
    finally:
        thread.join(PATIENCE_S)
    for error in failed:
        raise error


def ended(book: LiveBook, state: str, **told: object) -> Callable[[], object]:
    """Run a stream, and report its end."""
    values = {"state": state, "position_s": 5.84, "frames_announced": 30, **told}
    return lambda: book.release_feed(claimed(book), FeedTold(**values))  # type: ignore[arg-type]


def test_the_end_of_the_video_prints_the_number_of_frames_and_exits_with_0(
    book: LiveBook, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with beside(ended(book, "ended")):
        assert run(VIDEO.id, "--speed", "16") == 0
    assert capsys.readouterr().out == "Gate 1: streamed up to 5.8 s, 30 frames announced.\n"
    assert book.feeds()[0].speed == 16


def test_the_reason_for_an_early_end_is_printed(
    book: LiveBook, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with beside(ended(book, "ended", position_s=None, frames_announced=0, reason="The video was deleted.")):
        assert run(VIDEO.id) == 0
    said = "Gate 1: streamed up to 0.0 s, 0 frames announced. The video was deleted.\n"
    assert capsys.readouterr().out == said


def test_a_stream_that_fails_gives_one_line_with_the_reason(
    book: LiveBook, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with beside(ended(book, "failed", reason="Its file is cut off; upload it again.")):
        assert run(VIDEO.id) == 2
    assert capsys.readouterr().err.strip() == "error: Gate 1: Its file is cut off; upload it again."


def test_a_removed_stream_is_reported(book: LiveBook, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    def remove() -> None:
        feed = claimed(book)
        assert book.release_feed(feed, FeedTold("requested"))
        assert book.remove_feed(feed.id)

    with beside(remove):
        assert run(VIDEO.id) == 2
    assert capsys.readouterr().err.strip() == "error: Gate 1: this stream was deleted"


def test_the_command_follows_a_stream_of_the_same_video_that_already_runs(
    book: LiveBook, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    there = streamed(book)
    held = claimed(book)
    said: list[str] = []

    def ends() -> None:
        until_s = time.monotonic() + PATIENCE_S
        while "Gate 1 is already being streamed; following that stream" not in "".join(said):
            assert time.monotonic() < until_s
            time.sleep(0.01)
            said.append(capsys.readouterr().err)
        book.release_feed(held, FeedTold("ended", position_s=1.0, frames_announced=5))

    with beside(ends):
        assert run(VIDEO.id) == 0
    assert capsys.readouterr().out == "Gate 1: streamed up to 1.0 s, 5 frames announced.\n"
    assert [feed.id for feed in book.feeds()] == [there.id]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_the_stream_and_waits_for_its_worker(
    book: LiveBook, run: Run, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    def stops() -> None:
        feed = claimed(book)
        os.kill(os.getpid(), number)
        asked = book.renew_feed(feed, FeedTold("running"), lease_s=LEASE_S)
        until_s = time.monotonic() + PATIENCE_S
        while asked is not None and asked.wanted != "stop":
            assert time.monotonic() < until_s, "nobody asked for its end"
            time.sleep(0.01)
            asked = book.renew_feed(feed, FeedTold("running"), lease_s=LEASE_S)
        assert book.release_feed(feed, FeedTold("ended"))

    with beside(stops):
        assert run(VIDEO.id) == 130
    assert capsys.readouterr().out == "stopped; the frames shown so far stay\n"
    assert [feed.told.state for feed in book.feeds()] == ["ended"]


def test_a_stream_stopped_before_a_worker_takes_it_has_shown_nothing(
    book: LiveBook, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_NOBODY_AFTER_S", 0.0)

    def stops() -> None:
        assert until(book.feeds)[0].told.state == "requested"
        os.kill(os.getpid(), signal.SIGINT)

    with beside(stops):
        assert run(VIDEO.id) == 130
    err = capsys.readouterr().err
    assert err.count("no worker has taken it yet: start `frametally up` or `frametally live work`") == 1
    [feed] = book.feeds()
    assert (feed.told.state, feed.told.frames_announced) == ("ended", 0)
    assert book.claim_feed("worker", ["video"], lease_s=LEASE_S) is None


def test_a_video_that_cannot_be_streamed_gives_one_line_and_starts_nothing(
    book: LiveBook, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    timeless = make_video(3, facts=make_facts(started_at_ms=None, time_source=None))
    for video in (timeless, make_video(4, state="deleting")):
        put(book, video)
    refused = {
        (NOBODY,): f"video {NOBODY} does not exist",
        ("../x",): "video ../x does not exist",
        (timeless.id,): "Gate 3 has no start time: set one, then stream the video",
        (make_video(4).id,): "Gate 4 is being deleted",
        (VIDEO.id, "--speed", "0"): "--speed: The speed must be between 0.1 and 16, not 0. "
        "Enter the seconds of video to show per second, such as 1.",
        (VIDEO.id, "--speed", "nan"): "--speed: The speed must be between 0.1 and 16, not nan. "
        "Enter the seconds of video to show per second, such as 1.",
    }
    for arguments, line in refused.items():
        assert run(*arguments) == 2, arguments
        assert capsys.readouterr() == ("", f"error: {line}\n")
    assert book.feeds() == []


def test_the_refusal_at_the_limit_names_the_running_streams(
    book: LiveBook, run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMETALLY_STREAMS", "1")
    streamed(book)
    assert run(OTHER.id) == 2
    assert capsys.readouterr() == (
        "",
        "error: 1 video is already streaming, the maximum (FRAMETALLY_STREAMS): Gate 1; "
        "stop one of them first\n",
    )
    assert [feed.video_id for feed in book.feeds()] == [VIDEO.id]
