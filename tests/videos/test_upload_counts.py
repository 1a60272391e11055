"""What is uploaded counts as `frametally run` of the same file does, byte for byte, whatever came before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
import pytest
from tests.commands import run_frametally
from tests.videos.fake_uploads import all_keys, upload_file

from frametally.books.runs import current_runs, read_parts
from frametally.media.manifests import list_manifests
from frametally.opening import open_object_store
from frametally.ports.object_store import ObjectStore
from frametally.records import encode
from frametally.settings.loading import Settings, load_settings
from frametally_videos.library.edits import edit_video
from frametally_videos.library.usual_jobs import made_by, usual_jobs
from frametally_videos.opening import open_video_catalogue
from frametally_videos.ports.video_catalogue import VideoCatalogue
from frametally_videos.records import VideoRecord

pytestmark = pytest.mark.thorough

START = "2026-03-01T23:59:57Z"
"""Three seconds before a day ends: there are counts of two."""
ENV = {"FRAMETALLY_DETECTOR": "pixels", "FRAMETALLY_INTERVAL_S": "1"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of patches that come and go; every frame has as many as its number says."""
    path = tmp_path_factory.mktemp("footage") / "Gate 1.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = Fraction(1, 10)
        for number in range(100):
            image = np.zeros((48, 64, 3), np.uint8)
            for patch in range(number // 7 % 3 + 1):
                left = 4 + 20 * patch
                image[8 + number % 20 : 20 + number % 20, left : left + 12] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


class House:
    """A data folder, its catalogue, and the command line on it."""

    def __init__(self, frametally: Any, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._frametally = frametally
        self.folder = folder
        self.settings: Settings = load_settings("producer", data_dir=folder / "data")
        self.store: ObjectStore = open_object_store(self.settings.store_url)
        self.catalogue: VideoCatalogue = open_video_catalogue(self.settings.catalogue_url)

    def close(self) -> None:
        self.store.close()
        self.catalogue.close()

    def __call__(self, *arguments: object, code: int = 0) -> str:
        done = self._frametally(*arguments, "--data-dir", self.settings.data_dir, cwd=self.folder, **ENV)
        assert done.code == code, (arguments, done.out, done.err)
        return str(done.out)

    def work(self) -> str:
        return self("work", "--until-done")

    def make_frames(self) -> str:
        """Work as far as counts need it: each job is a process of its own."""
        return self("work", "--until-done", "--queue", "frames")

    def count(self) -> None:
        self("consume", "--until-caught-up")
        self("aggregate")

    def upload(self, path: Path, **fields: Any) -> VideoRecord:
        return upload_file(path, self.settings, self.store, self.catalogue, **fields)

    def parts(self) -> dict[str, bytes]:
        """What the part files of each day's current run hold, by day and name; those that hold something."""
        return {
            f"{run.day} {key.removeprefix(run.prefix)}": data
            for run in current_runs(self.store)
            for key, data in read_parts(self.store, run)
            if data
        }


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with closing(House(run_frametally, tmp_path / "house")) as opened:
        yield opened


@pytest.fixture(scope="module")
def counted(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What `frametally produce` of the file comes to."""
    with closing(House(run_frametally, tmp_path_factory.mktemp("reference") / "house")) as reference:
        reference("produce", clip, "--source", "Gate 1", "--start-time", START)
        reference.count()
        found = reference.parts()
    assert len({name.split()[0] for name in found}) == 2
    return found


def test_an_upload_counts_as_the_same_file_does_that_is_produced(
    house: House, clip: Path, counted: dict[str, bytes]
) -> None:
    video = house.upload(clip, start_time=START)
    assert (video.source_name, video.name) == ("Gate 1", "Gate 1.mp4")
    assert house.work().startswith(f"jobs: {len(usual_jobs(video, 'queue'))} done, 0 failed")
    house.count()
    assert house.parts() == counted
    assert house.work().startswith("jobs: 0 done")
    house("index")
    assert "bad" not in house("doctor", "--deep")


def test_what_was_produced_before_is_put_right_as_the_upload_says(
    house: House, clip: Path, counted: dict[str, bytes]
) -> None:
    house("produce", clip, "--source", "Elsewhere", "--start-time", "2026-02-01T00:00:00Z")
    house.count()
    house.upload(clip, source="Gate 1", start_time=START, move_counts=True)
    assert "moved by an upload: 50 frames" in house("status", code=4)
    house.make_frames()
    house.count()
    assert house.parts() == counted


def count_wrongly(house: House, clip: Path) -> VideoRecord:
    """Upload and count a video under a wrong source and time."""
    video = house.upload(clip, source="Wrong", start_time="2026-02-01T00:00:00Z")
    house.make_frames()
    house.count()
    return video


def test_a_corrected_record_is_followed_by_its_frames(
    house: House, clip: Path, counted: dict[str, bytes]
) -> None:
    video = count_wrongly(house, clip)
    facts = msgspec.structs.replace(video.facts, started_at_ms=1_772_409_597_000, time_source="start_time")
    right = msgspec.structs.replace(video, source="gate-1", source_name="Gate 1", facts=facts, revision=1)
    house.store.put(right.key, encode(right))
    house.catalogue.queue(video.id, "frames")
    house.make_frames()
    house.count()
    assert house.parts() == counted


def test_what_commands_put_right_of_an_uploaded_video_stays_so_whatever_its_jobs_do(
    house: House, clip: Path, counted: dict[str, bytes]
) -> None:
    video = count_wrongly(house, clip)
    house("retime", video.sha256, "--start-time", START)
    house("rename-source", "Wrong", "Gate 1")
    house.catalogue.queue(video.id, "frames")
    house.make_frames()
    house.count()
    assert house.parts() == counted
    row = house.catalogue.video(video.id)
    assert row is not None
    assert (row.record.source, row.record.source_name) == ("gate-1", "Gate 1")


def test_a_video_without_a_time_is_counted_at_a_guess_and_moves_once_it_has_one(
    house: House, clip: Path, counted: dict[str, bytes]
) -> None:
    video = house.upload(clip)
    usual = usual_jobs(video, "queue")
    assert house.work().startswith(f"jobs: {len(usual)} done, 0 failed")
    row = house.catalogue.video(video.id)
    assert row is not None
    assert [one.kind for one in row.artifacts] == [kind for job in usual for kind in made_by(job, video)]
    house.count()
    assert "Gate 1 *" in house("status", code=4)
    house("index")
    house.work()
    row = house.catalogue.video(video.id)
    assert row is not None
    assert row.state == "ready"
    edit_video(
        house.store,
        house.catalogue,
        house.settings,
        video.id,
        {"start_time": START},
        name_source=lambda name: (name, name),
    )
    house.work()
    house.count()
    assert house.parts() == counted


def test_of_a_removed_video_nothing_is_left_and_nothing_counts(house: House, clip: Path) -> None:
    video = house.upload(clip, start_time=START)
    house.work()
    house.count()
    gone = msgspec.structs.replace(video, state="deleting")
    house.store.put(gone.key, encode(gone))
    house.catalogue.put_video(gone, "2")
    house.catalogue.cancel_jobs(video.id)
    house.catalogue.queue(video.id, "removal")
    assert house.work().startswith("jobs: 1 done, 0 failed")
    house("aggregate")
    assert house.parts() == {}
    assert house.catalogue.video(video.id) is None
    assert list_manifests(house.store) == []
    left = {key.partition("/")[0] for key in all_keys(house.store)}
    assert left <= {"metadata", "mapreduce-output", "tombstones", "tracks"}
    # The same bytes are a new video then, and count again.
    again = house.upload(clip, start_time=START)
    assert again.id != video.id
    house.make_frames()
    house.count()
    assert house.parts()


def test_of_an_uploaded_video_that_is_forgotten_with_its_images_no_picture_is_left(
    house: House, clip: Path
) -> None:
    video = house.upload(clip, start_time=START)
    house.work()
    house("forget", "--source", video.source, "--delete-images", "--yes")
    left = [path for name in ("videos", "images") for path in (house.folder / "data/store" / name).rglob("*")]
    assert [path.name for path in left] == ["contents"]
    assert house.catalogue.video(video.id) is None
    assert house.work().startswith("jobs: 0 done, 0 failed")
