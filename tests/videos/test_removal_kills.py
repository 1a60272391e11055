"""Kill the removal of a video at each of its steps: the next worker completes it like a quiet removal."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.kit.clips import write_clip
from tests.videos.video_place import VideoPlace
from tests.videos.video_records import all_keys

from frametally.media.manifests import find_manifest, list_tombstones, media_of
from frametally.process import failpoints
from frametally.settings.environment import environment_of
from frametally_videos.jobs import job_worker
from frametally_videos.jobs.job_steps import JobOrder
from frametally_videos.records import VideoRecord
from frametally_videos.uploads.acceptance import read_video
from frametally_videos.uploads.content_claims import holder_of

FRAMES = 12
START = "2026-03-01T10:00:00Z"
STEPS = [
    "forget.tombstone",
    f"forget.picture:{FRAMES // 2}",
    "removal.forgotten",
    "removal.object:4",
    "removal.emptied",
    "removal.unclaimed",
    "removal.removed",
]


class Place(VideoPlace):
    """A data folder with one video, whose frames are stored and whose previews are made."""

    def __init__(self, folder: Path, video: VideoRecord | None = None, clip: Path | None = None) -> None:
        super().__init__(folder, lease_s=0.67, sample_fps="all")
        if clip is not None:
            video = self.upload(clip, start_time=START)
        assert video is not None
        self.video = video

    def finish(self) -> None:
        assert self.work().failed == []

    def die_at(self, step: str) -> None:
        """Play a worker that claims the removal, and dies with the job's process at one of its steps."""
        job = self.catalogue.claim("who dies", ("removal",), lease_s=self.settings.job_lease_s)
        died = subprocess.run(
            [sys.executable, "-m", "frametally_videos.jobs"],
            env=os.environ | environment_of(self.settings) | {failpoints.VARIABLE: step},
            input=msgspec.json.encode(JobOrder(job.video_id, job.kind)) + b"\n",
            capture_output=True,
            check=False,
        )
        assert died.returncode == -signal.SIGKILL, died.stderr

    def contents(self) -> dict[str, bytes]:
        return {key: self.store.get(key) for key in all_keys(self.store)}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shades = (np.full((48, 64, 3), 20 * number, np.uint8) for number in range(FRAMES))
    return write_clip(tmp_path_factory.mktemp("footage") / "cam.mp4", shades, fps=4)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> tuple[Path, VideoRecord]:
    """A data folder with all work on its video done; each test has a copy of it."""
    folder = tmp_path_factory.mktemp("made") / "data"
    with closing(Place(folder, clip=clip)) as undisturbed:
        undisturbed.finish()
        found = undisturbed.contents()
        assert sum(key.startswith("images/") for key in found) == FRAMES
        made = {key.rpartition("/")[2].partition("-")[0] for key in found if key.startswith("videos/")}
        assert {"original", "video.json", "poster", "sprite", "metadata.json", "quality.json"} <= made
        return folder, undisturbed.video


@pytest.fixture
def place(made: tuple[Path, VideoRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(job_worker, "_PAUSES_S", (0.0,))
    folder, video = made
    shutil.copytree(folder, tmp_path / "data")
    with closing(Place(tmp_path / "data", video)) as opened:
        yield opened


@pytest.fixture(scope="module")
def quiet(made: tuple[Path, VideoRecord], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The result of a removal without faults."""
    folder, video = made
    copy = tmp_path_factory.mktemp("quiet") / "data"
    shutil.copytree(folder, copy)
    with closing(Place(copy, video)) as undisturbed:
        undisturbed.ask_to_remove(undisturbed.video)
        undisturbed.finish()
        return undisturbed.contents()


@pytest.mark.thorough
def test_the_kill_tests_cover_every_step_of_a_removal() -> None:
    named = {name for name in failpoints.every_failpoint() if name.startswith(("forget.", "removal."))}
    assert named == {step.partition(":")[0] for step in STEPS}


@pytest.mark.thorough
@pytest.mark.parametrize("step", STEPS)
def test_a_removal_killed_at_any_step_is_repeated_and_ends_like_an_undisturbed_one(
    place: Place, quiet: dict[str, bytes], step: str
) -> None:
    place.ask_to_remove(place.video)
    place.die_at(step)
    assert place.catalogue.video(place.video.id) is not None
    place.finish()
    assert place.contents() == quiet
    assert not [key for key in quiet if key.startswith(("videos/", "images/", "media/", "uploads/"))]
    assert sum(key.startswith(f"tombstones/{place.video.sha256}") for key in quiet) == 1
    assert holder_of(place.store, place.video.sha256) is None
    assert find_manifest(place.store, place.video.sha256) is None
    assert place.catalogue.video(place.video.id) is None
    assert place.catalogue.versions() == {}


def test_the_same_bytes_uploaded_before_a_killed_removal_is_repeated_are_kept(
    place: Place, clip: Path
) -> None:
    place.ask_to_remove(place.video)
    place.die_at("removal.unclaimed")
    again = place.upload(clip, start_time=START)
    assert again.id != place.video.id
    # Its frames are stored before anyone knows that the removal's worker is dead.
    job = place.catalogue.claim("who lives", ("frames",), lease_s=60.0)
    assert job is not None
    assert job.video_id == again.id
    subprocess.run(
        [sys.executable, "-m", "frametally_videos.jobs"],
        env=os.environ | environment_of(place.settings),
        input=msgspec.json.encode(JobOrder(job.video_id, job.kind)) + b"\n",
        capture_output=True,
        check=True,
    )
    assert place.catalogue.end(job, "done")
    place.finish()
    found = place.contents()
    assert sum(key.startswith("images/") for key in found) == FRAMES
    manifest = find_manifest(place.store, again.sha256)
    assert manifest is not None
    assert media_of(manifest) not in {stone.media for stone in list_tombstones(place.store)}
    assert holder_of(place.store, again.sha256) == again.id
    assert read_video(place.store, again.id) is not None
    assert read_video(place.store, place.video.id) is None
    assert place.catalogue.video(place.video.id) is None
    assert place.catalogue.video(again.id) is not None
