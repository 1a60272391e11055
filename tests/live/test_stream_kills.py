"""Kill live workers and their processes, at random and at failpoints: the batch ends as without kills."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from tests.examples import first_quick
from tests.kit.waiting import until
from tests.videos import test_work_kills
from tests.videos.test_work_kills import FRAMES, PATIENCE_S, SEED, Place, children_of, is_running

from frametally.adapters_by_url import open_frame_log
from frametally.ports.opened import StagePorts
from frametally.process import failpoints
from frametally.process.reports import NoProgress
from frametally.process.retrying import Patience
from frametally_live.feed_records import Feed, FeedWanted
from frametally_live.feeds.stream_form import FASTEST, start_stream
from frametally_videos.jobs.frames_job import make_frames
from frametally_videos.library.edits import remove_video

KILLS = int(os.environ.get("FAULTS_LIVE_KILLS", "3"))
WANTED: list[FeedWanted] = ["run", "pause", "stop", "run"]
ENV = {"FRAMETALLY_LEASE_S": "1", "FRAMETALLY_SAMPLE_FPS": "all"}
# Ten seconds of noise, and its data folder, as in the jobs' tests.
clip, place = test_work_kills.clip, test_work_kills.place


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> dict[str, bytes]:
    """The result of a batch without a concurrent stream."""
    with closing(Place(tmp_path_factory.mktemp("quiet") / "data", clip)) as undisturbed:
        batch(undisturbed)
        found = undisturbed.contents()
    assert sum(key.startswith("images/") for key in found) == FRAMES
    return found


def batch(place: Place) -> None:
    """Takes the video's frames as the job of its upload does."""
    settings = place.settings.model_copy(update={"sample_fps": "all"})
    log = open_frame_log(settings.log_url)
    with closing(log):
        ports = StagePorts(settings, place.store, log)
        make_frames(ports, place.video, NoProgress(), Patience(print, lambda: False))


class LiveWorker:
    """`frametally live work`, until the block ends."""

    def __init__(self, place: Place, **environment: str) -> None:
        command = [sys.executable, "-m", "frametally", "live", "work", "--data-dir"]
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [*command, str(place.settings.data_dir)],
            env=os.environ | ENV | environment,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> LiveWorker:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        print(self.output())
        self._output.close()

    def output(self) -> str:
        """What it has printed so far."""
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), size, 0).decode()

    def ends(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE_S)


def start(place: Place, speed: float = 1.0) -> Feed:
    return start_stream(place.catalogue, place.feeds, place.settings, place.video.id, speed=speed).feed


def now(place: Place, feed: Feed) -> Feed:
    found = place.feeds.feed(feed.id)
    assert found is not None
    return found


@pytest.mark.thorough
def test_a_stream_with_any_kills_and_requests_leaves_the_counts_as_without_it(
    place: Place, quiet: dict[str, bytes]
) -> None:
    print("seed", SEED)
    rng = random.Random(SEED)  # noqa: S311
    feed = start(place)
    for _ in range(KILLS):
        if now(place, feed).is_over:
            feed = start(place)
        before = now(place, feed).told.frames_announced
        with LiveWorker(place) as worker:
            until(partial(is_further, place, feed, before))
            wanted = rng.choice(WANTED)
            seek_s = rng.choice([None, rng.uniform(0, 10)])
            place.feeds.ask_feed(feed.id, wanted, seek_s=seek_s)
            time.sleep(rng.uniform(0.0, 1.0))
            victims = [worker.process.pid, *children_of(worker.process.pid)]
            os.kill(rng.choice(victims), signal.SIGKILL)
            time.sleep(rng.uniform(0.0, 0.5))
            place.feeds.ask_feed(feed.id, "run")
    batch(place)
    assert place.contents() == quiet


def is_further(place: Place, feed: Feed, frames_before: int) -> bool:
    found = now(place, feed)
    return found.is_over or found.told.frames_announced > frames_before


@pytest.mark.parametrize(
    "name", first_quick(name for name in failpoints.FAILPOINTS if name.startswith("producer."))
)
def test_a_stream_that_dies_at_a_failpoint_continues_where_it_was(
    place: Place, quiet: dict[str, bytes], name: str
) -> None:
    feed = start(place, speed=FASTEST)
    with LiveWorker(place, FRAMETALLY_FAILPOINT=f"{name}:2") as worker:
        # The feed's own reason is only there until it starts again.
        until(lambda: "was killed (SIGKILL)" in worker.output())
    with LiveWorker(place):
        until(lambda: now(place, feed).is_over)
    assert now(place, feed).told.state == "ended"
    batch(place)
    assert place.contents() == quiet


@pytest.mark.thorough
def test_a_streams_process_ends_with_its_worker_and_another_continues_where_it_was(place: Place) -> None:
    feed = start(place)
    with LiveWorker(place) as worker:
        until(lambda: now(place, feed).told.frames_announced > 5)
        running = children_of(worker.process.pid)
        assert running
        worker.process.kill()
        worker.process.wait()
        until(lambda: not any(map(is_running, running)))
    at_s = now(place, feed).told.position_s
    assert at_s
    with LiveWorker(place) as worker:
        until(lambda: now(place, feed).generation > 1 and (now(place, feed).told.position_s or 0) > at_s)
        assert worker.ends() == 0
    left = now(place, feed)
    assert (left.told.state, left.worker, left.is_over) == ("requested", "", False)


@pytest.mark.thorough
def test_a_video_removed_while_it_streams_leaves_nothing(place: Place) -> None:
    feed = start(place)
    with LiveWorker(place):
        until(lambda: now(place, feed).told.frames_announced > 5)
        remove_video(place.store, place.catalogue, place.video.id)
        place.finish()
        until(lambda: place.feeds.feed(feed.id) is None)
    assert {key.partition("/")[0] for key in place.contents()} <= {"tombstones"}
