"""Streamed videos count the same as others, whatever happened before, meanwhile and after."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, redirect_stdout
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest
from tests.kit.clips import Picture, with_patches, write_clip
from tests.kit.messages import records_on
from tests.kit.waiting import until
from tests.pipeline.conftest import run_frametally
from tests.videos.test_acceptance import ENV, START, House

from frametally.adapters_by_url import open_frame_log
from frametally.media.manifests import find_manifest
from frametally.ports.frame_log import FrameLog, consumer_group
from frametally.ports.opened import StagePorts
from frametally.process.reports import NoProgress
from frametally.process.retrying import Patience
from frametally.records import FrameAnnouncement, FrameDetections, decode, encode
from frametally.segments.contents import list_segments, read_segment
from frametally_cli.main import main
from frametally_live.book import LiveBook
from frametally_live.feed_records import Feed, FeedWanted
from frametally_live.feeds.stream_form import start_stream
from frametally_videos.jobs.frames_job import make_frames
from frametally_videos.records import VideoRecord

pytestmark = [pytest.mark.timeout(400), pytest.mark.thorough]

BATCH, LIVE, RESULTS = "frames", "video-frames", "processed-frames"
FRAMES = 30
PATIENCE_S = 120.0
FIRST, LATER, CUT, STEERED = NAMES = "First", "Later", "Cut", "Steered"
"""Streamed, then processed; processed, then streamed; stopped half way; paused and sought while processed."""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Six seconds of each, over midnight."""
    folder = tmp_path_factory.mktemp("footage")
    return {name: made(folder / f"{name}.mp4", number) for number, name in enumerate(NAMES)}


def made(path: Path, seed: int) -> Path:
    """Patches that appear and vanish, in a different order for each seed."""

    def draw(number: int) -> Picture:
        patches = range((number + 3 * seed) // 7 % 3 + 1)
        return with_patches(*((4 + 20 * n, 8 + number % 20) for n in patches), side_px=12)

    return write_clip(path, map(draw, range(2 * FRAMES)), fps=10)


class Deployment(House):
    """A data folder with videos, some of which are streamed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(run_frametally, folder)
        self.log: FrameLog = open_frame_log(self.settings.log_url)
        self.feeds = LiveBook(self.settings.catalogue_url)
        self.videos: dict[str, VideoRecord] = {}

    def close(self) -> None:
        self.log.close()
        self.feeds.close()
        super().close()

    def __call__(self, *arguments: object, code: int = 0) -> str:
        """Runs a command in this process; concurrent streams are separate processes."""
        said = io.StringIO()
        with redirect_stdout(said):
            assert main([*map(str, arguments), "--data-dir", str(self.settings.data_dir)]) == code
        return said.getvalue()

    def beside(self, *arguments: object) -> str:
        """Runs a command to its end in a separate process."""
        return super().__call__(*arguments)

    def take_in(self, clips: dict[str, Path], *names: str) -> None:
        """Upload some videos; only their frames count, not their other artifacts."""
        for name in names:
            video = self.videos[name] = self.upload(clips[name], start_time=START)
            self.catalogue.cancel_jobs(video.id)
            self.catalogue.queue(video.id, "frames")

    @contextmanager
    def left_to_run(self, *command: str, program: Sequence[str] = ("-m", "frametally")) -> Iterator[None]:
        """A command that runs until the block ends."""
        whole = [sys.executable, *program, *command, "--data-dir", str(self.settings.data_dir)]
        with subprocess.Popen(whole, env=os.environ | ENV, cwd=self.folder) as process:
            try:
                yield
                assert process.poll() is None, command
            finally:
                process.terminate()
                process.wait(PATIENCE_S)

    def stream(self, name: str, speed: float) -> Feed:
        return start_stream(self.catalogue, self.feeds, self.settings, self.videos[name].id, speed=speed).feed

    def now(self, feed: Feed) -> Feed:
        found = self.feeds.feed(feed.id)
        assert found is not None
        return found

    def asks(self, feed: Feed, wanted: FeedWanted, seek_s: float | None = None) -> None:
        """Seek, and wait until the stream has resumed from there."""
        before = self.now(feed).told.captured_at_ms
        self.feeds.ask_feed(feed.id, wanted, seek_s=seek_s)
        if wanted == "run":
            until(lambda: self.now(feed).told.captured_at_ms != before)
        else:
            until(lambda: self.now(feed).told.state in ("paused", "ended"))

    def announced(self, topic: str, name: str) -> set[bytes]:
        """The messages about one video on a topic."""
        return {
            message
            for message in self._messages(topic)
            if decode(message, FrameAnnouncement).media == self.videos[name].sha256
        }

    def told(self, name: str) -> set[bytes]:
        """The results for one video that a viewer has seen."""
        return {
            message
            for message in self._messages(RESULTS)
            if decode(message, FrameDetections).media == self.videos[name].sha256
        }

    def _messages(self, topic: str) -> list[bytes]:
        return [record.value for record in records_on(self.log, topic)]

    def lines(self, name: str, *topics: str) -> set[bytes]:
        """The segments' content for one video, of frames announced on these topics."""
        segments = (read_segment(self.store, key) for key in list_segments(self.store))
        lines = {line for one in segments if one.header.topic in topics for line in one.frame_lines}
        return {line for line in lines if decode(line, FrameDetections).media == self.videos[name].sha256}

    def manifest(self, name: str) -> bytes:
        found = find_manifest(self.store, self.videos[name].sha256)
        assert found is not None
        return encode(found)

    def waiting(self) -> int:
        """How many frames no consumer has taken from the deployment's topic."""
        [model] = {decode(message, FrameDetections).model for message in self._messages(RESULTS)}
        taken = self.log.committed(BATCH, consumer_group(model))
        return sum(self.log.end_offsets(BATCH).values()) - sum(taken.values())

    def is_settled(self) -> bool:
        """Whether the books are settled, according to the users' command."""
        return bool(json.loads(self("status", "--json"))["verdict"] == "settled")


class Counted(NamedTuple):
    """A deployment in which all is counted.

    Attributes:
        here: The deployment.
        ended: How the streams of some stood at their end.
        said: By the command that streamed one.
        waited: Frames that nobody had taken from the deployment's topic when all of a stream was told.
        is_settled: Whether the books are.
    """

    here: Deployment
    ended: Mapping[str, Feed]
    said: str
    waited: int
    is_settled: bool


def counted(
    here: Deployment, ended: Mapping[str, Feed] = MappingProxyType({}), said: str = "", waited: int = 0
) -> Counted:
    here.count()
    here("index")
    return Counted(here, ended, said, waited, here.is_settled())


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENV.items():
            patch.setenv(name, value)
        # On a busy machine the tests read them later than a viewer does.
        patch.setattr("frametally.segments.results.RESULTS_KEEP_S", 10_000.0)
        yield


@pytest.fixture(scope="module")
def batch(
    environment: None, clips: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Counted]:
    """The same videos without streams."""
    with closing(Deployment(tmp_path_factory.mktemp("batch") / "house")) as quiet:
        quiet.take_in(clips, *NAMES)
        for video in quiet.videos.values():
            make_frames(
                StagePorts(quiet.settings, quiet.store, quiet.log),
                video,
                NoProgress(),
                Patience(print, lambda: False),
            )
        yield counted(quiet)


@pytest.fixture(scope="module")
def streamed(
    environment: None, clips: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Counted]:
    """Four videos, all streamed, each at another time."""
    with ExitStack() as stack:
        here = stack.enter_context(closing(Deployment(tmp_path_factory.mktemp("streamed") / "house")))
        with here.left_to_run("live", "work"), here.left_to_run("consume", "--live"):
            here.take_in(clips, FIRST, CUT)
            cut = here.stream(CUT, 0.5)
            until(lambda: here.now(cut).told.frames_announced > 5)
            here.asks(cut, "stop")
            said = here.beside("stream", here.videos[FIRST].id, "--speed", "8")
            here.take_in(clips, LATER, STEERED)
            steered = here.stream(STEERED, 0.5)
            until(lambda: here.now(steered).told.frames_announced > 2)
            here.asks(steered, "pause")
            here.beside("work", "--until-done")
            for position_s in (3.0, 1.0, 5.0):
                here.asks(steered, "run", position_s)
            until(lambda: here.now(steered).is_over)
            live = {decode(one, FrameAnnouncement).image_path for one in here.announced(LIVE, STEERED)}
            until(lambda: live <= {decode(one, FrameDetections).image_path for one in here.told(STEERED)})
            waited = here.waiting()
            here("consume", "--until-caught-up")
            later = here.stream(LATER, 8.0)
            until(lambda: here.now(later).is_over)
            announced = {name: len(here.announced(LIVE, name)) for name in NAMES}
            until(lambda: {name: len(here.lines(name, LIVE)) for name in NAMES} == announced)
        ended = {CUT: here.now(cut), STEERED: here.now(steered), LATER: here.now(later)}
        yield counted(here, ended, said, waited)


def test_the_command_shows_the_video_to_its_end(streamed: Counted) -> None:
    assert streamed.said == f"First.mp4: streamed up to 5.8 s, {FRAMES} frames announced.\n"


def test_streaming_a_video_does_not_change_its_counts_by_a_byte(batch: Counted, streamed: Counted) -> None:
    assert streamed.here.parts() == batch.here.parts()
    assert len({name.split()[0] for name in batch.here.parts()}) == 2, "two days"
    assert (batch.is_settled, streamed.is_settled) == (True, True)


@pytest.mark.parametrize("name", NAMES)
def test_segment_lines_and_manifest_of_a_stream_equal_those_of_the_batch(
    batch: Counted, streamed: Counted, name: str
) -> None:
    lines = streamed.here.lines(name, BATCH, LIVE)
    assert lines == batch.here.lines(name, BATCH)
    assert len(lines) == FRAMES
    assert streamed.here.manifest(name) == batch.here.manifest(name)


def test_a_batch_after_a_stream_finds_its_frames(streamed: Counted) -> None:
    assert len(streamed.here.announced(LIVE, FIRST)) == FRAMES
    assert streamed.here.announced(BATCH, FIRST) == set()
    assert streamed.here.told(FIRST) == streamed.here.lines(FIRST, LIVE)


def test_a_stream_after_a_batch_is_shown_from_its_segments_and_announces_nothing(streamed: Counted) -> None:
    assert streamed.here.announced(LIVE, LATER) == set()
    assert streamed.here.told(LATER) == streamed.here.lines(LATER, BATCH)
    ended = streamed.ended[LATER]
    assert (ended.told.state, ended.told.frames_announced) == ("ended", 0)


def test_a_batch_after_a_stopped_stream_processes_the_rest(streamed: Counted) -> None:
    begun, rest = streamed.here.announced(LIVE, CUT), streamed.here.announced(BATCH, CUT)
    assert 0 < len(begun) < FRAMES
    assert len(rest) == FRAMES - len(begun)
    assert begun & rest == set()
    assert streamed.ended[CUT].told.state == "ended"


def test_a_stream_paused_and_sought_during_processing_announces_only_frames_of_the_batch(
    batch: Counted, streamed: Counted
) -> None:
    live, processed = (streamed.here.announced(topic, STEERED) for topic in (LIVE, BATCH))
    assert live | processed == batch.here.announced(BATCH, STEERED)
    assert len(live) > 2
    assert processed
    assert streamed.ended[STEERED].told.state == "ended"


def test_frames_waiting_on_the_deployments_topic_do_not_delay_a_stream(streamed: Counted) -> None:
    assert streamed.here.told(STEERED) >= streamed.here.lines(STEERED, LIVE)
    assert streamed.here.waiting() == 0
    assert streamed.waited == sum(len(streamed.here.announced(BATCH, name)) for name in NAMES) > FRAMES
