"""Kill workers and their jobs at random moments and at every failpoint: the result equals that of a quiet
run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from tests.kit.clips import write_clip
from tests.kit.processes import children_of, is_running
from tests.kit.waiting import until
from tests.videos.video_place import VideoPlace
from tests.videos.video_records import all_keys

from frametally.media.manifests import find_manifest
from frametally.process import failpoints
from frametally.records import encode
from frametally_live.book import LiveBook
from frametally_videos.records import VideoRecord

FRAMES = 100
KILLS = int(os.environ.get("FAULTS_WORK_KILLS", "3"))
SEED = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
ENV = {"FRAMETALLY_LEASE_S": "0.67", "FRAMETALLY_SAMPLE_FPS": "all"}
PATIENCE_S = 180.0
# After so many kills, a job would wait for ten minutes before the next attempt.
AT_ONCE = """
import sys
from frametally_cli.main import main
from frametally_videos.jobs import job_worker as worker
worker._PAUSES_S = (0.0,)
worker.ATTEMPTS = 100
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    noise = (np.random.default_rng(n).integers(0, 255, (240, 320, 3), np.uint8) for n in range(FRAMES))
    return write_clip(tmp_path_factory.mktemp("footage") / "cam.mp4", noise, fps=10)


class Place(VideoPlace):
    """A data folder with one video in it, and workers on it."""

    def __init__(self, folder: Path, clip: Path) -> None:
        super().__init__(folder)
        self.feeds = LiveBook(self.settings.catalogue_url)
        self.video: VideoRecord = self.upload(clip, start_time="2026-03-01T10:00:00Z")

    def close(self) -> None:
        super().close()
        self.feeds.close()

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", AT_ONCE, "work", "--data-dir", str(self.settings.data_dir)]
        return subprocess.Popen(
            [*command, *arguments],
            env=os.environ | ENV | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def finish(self) -> None:
        with self.start("--until-done") as worker:
            assert worker.wait(PATIENCE_S) == 0

    def contents(self) -> dict[str, bytes]:
        """All objects, without a video's id and wall-clock times."""
        found = {}
        for key in all_keys(self.store):
            if not key.startswith(("videos/", "media/")):
                found[key] = self.store.get(key)
            elif "poster" in key or "sprite" in key:
                found[key.rpartition("/")[2]] = self.store.get(key)
        manifest = find_manifest(self.store, self.video.sha256)
        if manifest is not None:
            found["manifest"] = encode(manifest)
        return found


@pytest.fixture
def place(tmp_path: Path, clip: Path) -> Iterator[Place]:
    with closing(Place(tmp_path / "data", clip)) as opened:
        yield opened


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> dict[str, bytes]:
    """The result of a run without faults."""
    with closing(Place(tmp_path_factory.mktemp("quiet") / "data", clip)) as undisturbed:
        undisturbed.finish()
        found = undisturbed.contents()
    assert sum(key.startswith("images/") for key in found) == FRAMES
    assert sum("poster" in key or "sprite" in key for key in found) == 3
    return found


@pytest.mark.thorough
def test_workers_and_jobs_killed_at_random_end_like_an_undisturbed_run(
    place: Place, quiet: dict[str, bytes]
) -> None:
    print("seed", SEED)
    rng = random.Random(SEED)  # noqa: S311
    for _ in range(KILLS):
        with place.start("--workers", "2") as worker:
            time.sleep(rng.uniform(0.5, 5.0))
            victims = [worker.pid, *children_of(worker.pid)]
            os.kill(rng.choice(victims), signal.SIGKILL)
            time.sleep(rng.uniform(0.0, 0.5))
            worker.kill()
    place.finish()
    assert place.contents() == quiet
    assert {job.state for job in place.catalogue.jobs(place.video.id)} == {"done"}


@pytest.mark.thorough
@pytest.mark.parametrize("name", [name for name in failpoints.FAILPOINTS if name.startswith("producer.")])
def test_a_job_that_dies_at_a_failpoint_ends_like_an_undisturbed_run(
    place: Place, quiet: dict[str, bytes], name: str
) -> None:
    with place.start(FRAMETALLY_FAILPOINT=name) as worker:
        until(
            lambda: any(
                job.kind == "frames" and job.attempts > 1 for job in place.catalogue.jobs(place.video.id)
            )
        )
        worker.kill()
    place.finish()
    assert place.contents() == quiet


def test_a_job_ends_with_its_killed_worker(place: Place) -> None:
    with place.start() as worker:
        jobs = until(lambda: children_of(worker.pid))
        worker.kill()
        worker.wait()
    until(lambda: not any(map(is_running, jobs)), "a job outlived its worker")
