"""Jobs of uploaded videos: what they make, and what becomes of one whose process dies or is not wanted."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.videos.fake_uploads import upload_file

from frametally.adapters.files.folder_store import FileStore
from frametally.settings.loading import load_settings
from frametally_producer import child
from frametally_videos.jobs import job_worker
from frametally_videos.jobs.previews import TILE_WIDTH_PX
from frametally_videos.library.usual_jobs import usual_jobs
from frametally_videos.opening import open_task_queue, open_video_catalogue
from frametally_videos.ports.job_book import Job, JobKind
from frametally_videos.ports.task_queue import QUEUES
from frametally_videos.ports.video_catalogue import Artifact, ArtifactKind
from frametally_videos.records import VideoRecord
from frametally_videos.settings import VideoSettings
from frametally_videos.uploads.acceptance import read_video

START = "2026-03-01T10:00:00Z"


class Shop:
    """A store, a catalogue, and a worker on both."""

    def __init__(self, folder: Path) -> None:
        self.settings = load_settings("producer", data_dir=folder / "data", job_lease_s=3.0)
        self.store = FileStore(self.settings.store_url)
        self.catalogue = open_video_catalogue(self.settings.catalogue_url)
        self.lines: list[str] = []

    def close(self) -> None:
        self.catalogue.close()

    def upload(self, path: Path, **fields: Any) -> VideoRecord:
        return upload_file(path, self.settings, self.store, self.catalogue, **fields)

    def upload_for(self, kind: JobKind, path: Path, **fields: Any) -> VideoRecord:
        """Upload a video of which that job alone waits."""
        video = self.upload(path, **fields)
        self.catalogue.cancel_jobs(video.id)
        self.catalogue.queue(video.id, kind)
        return video

    def work(self, should_stop: Callable[[], bool] = lambda: False) -> job_worker.WorkReport:
        return job_worker.work(
            settings=self.settings,
            store=self.store,
            catalogue=self.catalogue,
            queue=open_task_queue("", self.catalogue),
            queues=tuple(QUEUES),
            workers=1,
            until_done=True,
            say=self.lines.append,
            should_stop=should_stop,
        )

    def made(self, video: VideoRecord, kind: ArtifactKind) -> Artifact:
        row = self.catalogue.video(video.id)
        assert row is not None
        found = row.artifact(kind)
        assert found is not None
        return found

    def job(self, video: VideoRecord, kind: str) -> Job:
        return next(job for job in reversed(self.catalogue.jobs(video.id)) if job.kind == kind)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setattr(job_worker, "_PAUSES_S", (0.0,))
    with closing(Shop(tmp_path)) as opened:
        yield opened


def instead(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Put another program where a job's process is started."""
    monkeypatch.setattr(child, "bound", lambda arguments: [sys.executable, "-c", program])


@pytest.mark.thorough
def test_each_tile_shows_the_time_that_its_cue_says(shop: Shop, make_video: Callable[..., Path]) -> None:
    # Frame by frame the grey grows: it tells the time.
    video = shop.upload(make_video("a.mp4", 53, codec="libx264", size_px=(320, 240)))
    assert shop.work() == job_worker.WorkReport(len(usual_jobs(video, "queue")), [])
    previews = [shop.made(video, kind) for kind in ("poster", "sprite", "sprite_vtt")]
    poster, sprite, cues = (shop.store.get(preview.key) for preview in previews)
    assert [preview.size_bytes for preview in previews] == [len(poster), len(sprite), len(cues)]
    assert [preview.content_type for preview in previews] == ["image/jpeg", "image/jpeg", "text/vtt"]
    assert cv2.imdecode(np.frombuffer(poster, np.uint8), cv2.IMREAD_COLOR).shape == (240, 320, 3)
    tiles = cv2.imdecode(np.frombuffer(sprite, np.uint8), cv2.IMREAD_COLOR)
    assert tiles.shape == (6 * 120, 10 * TILE_WIDTH_PX, 3)
    lines = cues.decode().splitlines()
    assert lines[0] == "WEBVTT"
    assert (lines[2], lines[-2]) == ("00:00:00.000 --> 00:00:00.100", "00:00:05.200 --> 00:00:05.300")
    for index, line in enumerate(lines[3::3]):
        left, top, width, height = map(int, line.rpartition("=")[2].split(","))
        tile = tiles[top : top + height, left : left + width]
        assert abs(float(tile[-20:].mean()) - (40 + index * 3)) < 6, index


@pytest.mark.thorough
def test_pictures_of_a_video_that_lies_on_its_side_stand(shop: Shop, make_video: Callable[..., Path]) -> None:
    video = shop.upload_for("previews", make_video("a.mp4", 3, size_px=(320, 240), rotation=90))
    shop.work()
    data = shop.store.get(shop.made(video, "poster").key)
    poster = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert poster.shape == (320, 240, 3)


@pytest.mark.thorough
def test_what_is_made_again_lies_under_the_same_names(shop: Shop, make_video: Callable[..., Path]) -> None:
    video = shop.upload(make_video("a.mp4", 3))
    shop.work()
    first = shop.catalogue.video(video.id)
    for kind in usual_jobs(video, "queue"):
        shop.catalogue.queue(video.id, kind)
    shop.work()
    again = shop.catalogue.video(video.id)
    assert first is not None
    assert again is not None
    assert {*again.artifacts} == {*first.artifacts}
    beside = 3  # the original, its record, and that of what browsers play of it
    assert len(list(shop.store.list(f"videos/{video.id}"))) == beside + len(first.artifacts)


@pytest.mark.thorough
def test_what_its_frames_show_to_be_wrong_is_noted_with_the_video(
    shop: Shop, make_video: Callable[..., Path]
) -> None:
    whole = make_video("a.mkv", 60, size_px=(320, 240), noise=True)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    video = shop.upload(whole, start_time=START)
    assert shop.work().failed == []
    record = read_video(shop.store, video.id)
    row = shop.catalogue.video(video.id)
    assert record is not None
    assert row is not None
    assert any(sentence.startswith("Its frames end at ") for sentence in record.facts.damage)
    assert row.record == record


@pytest.mark.thorough
def test_a_process_that_dies_thrice_has_failed_and_says_of_what(
    shop: Shop, make_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    video = shop.upload(make_video("a.mp4", 3))
    instead(monkeypatch, "import os; os.kill(os.getpid(), 11)")
    report = shop.work()
    assert (
        "a.mp4: previews failed: What decodes it was killed (SIGSEGV) 3 times; convert it." in report.failed
    )
    job = shop.job(video, "previews")
    assert (job.state, job.attempts) == ("failed", 3)


@pytest.mark.thorough
def test_the_job_of_a_lost_worker_waits_before_it_is_done_by_another(
    shop: Shop, make_video: Callable[..., Path]
) -> None:
    video = shop.upload(make_video("a.mp4", 3))
    assert shop.catalogue.claim("gone", ("previews",), lease_s=0.0) is not None
    assert shop.work().failed == []
    assert "a.mp4: previews: its worker was lost; it is tried again in 0 s" in shop.lines
    job = shop.job(video, "previews")
    assert (job.state, job.attempts, job.losses) == ("done", 1, 1)


@pytest.mark.thorough
@pytest.mark.parametrize(("losses", "state", "attempts"), [(20, "done", 1), (21, "failed", 0)])
def test_lost_workers_are_no_attempts_but_a_video_that_kills_each_fails_and_says_so(
    shop: Shop, make_video: Callable[..., Path], losses: int, state: str, attempts: int
) -> None:
    shop.settings = shop.settings.model_copy(update={"job_attempts": 1})
    video = shop.upload(make_video("a.mp4", 3))
    for _ in range(losses):
        assert shop.catalogue.claim("gone", ("previews",), lease_s=0.0) is not None
    shop.work()
    job = shop.job(video, "previews")
    assert (job.state, job.attempts, job.losses) == (state, attempts, losses)
    if state == "failed":
        assert job.reason.startswith(f"The worker was killed {losses} times while it worked on it.")


@pytest.mark.thorough
def test_what_fails_by_a_fault_of_ours_is_tried_as_often_as_is_set(
    shop: Shop, make_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    video = shop.upload(make_video("a.mp4", 3))
    instead(monkeypatch, "raise SystemExit('no such thing')")
    shop.work()
    job = shop.job(video, "previews")
    assert (job.state, job.attempts) == ("failed", shop.settings.part(VideoSettings).job_attempts)
    assert job.reason == "Its process ended without a result: no such thing"


@pytest.mark.thorough
def test_a_cancelled_job_is_ended_and_nothing_is_noted_of_it(
    shop: Shop, make_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    video = shop.upload(make_video("a.mp4", 3))
    begun = tmp_path / "begun"
    instead(monkeypatch, f"import time; open({str(begun)!r}, 'w').close(); time.sleep(600)")

    def cancel() -> None:
        until_s = time.monotonic() + 60
        while not begun.exists() and time.monotonic() < until_s:
            time.sleep(0.02)
        shop.catalogue.cancel_jobs(video.id)

    canceller = threading.Thread(target=cancel)
    canceller.start()
    report = shop.work()
    canceller.join()
    assert report == job_worker.WorkReport(0, [])
    assert shop.job(video, "previews").state == "cancelled"


@pytest.mark.thorough
def test_a_stop_leaves_a_job_to_others_with_no_attempt_counted(
    shop: Shop, make_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    video = shop.upload(make_video("a.mp4", 3))
    begun = tmp_path / "begun"
    instead(monkeypatch, f"import time; open({str(begun)!r}, 'w').close(); time.sleep(600)")
    assert shop.work(begun.exists) == job_worker.WorkReport(0, [])
    job = shop.job(video, "previews")
    assert (job.state, job.attempts) == ("queued", 0)
