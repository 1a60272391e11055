"""If a maker of derivatives is killed, another makes the same, once, and nothing else is left."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from tests.fakes.shapes import SHAPES, make_shape
from tests.videos.video_records import upload_file

from frametally.adapters.files.folder_store import FileStore
from frametally.process.failpoints import VARIABLE
from frametally.settings.loading import Settings, load_settings
from frametally_videos.catalogue.video_catalogue import VideoCatalogue
from frametally_videos.catalogue_by_url import open_task_queue, open_video_catalogue
from frametally_videos.derivatives.scratch import remove_left_behind, scratch_folder, scratch_root
from frametally_videos.jobs import job_worker
from frametally_videos.library.enhancements import enhancement_options, read_enhancement
from frametally_videos.queues.task_queue import QUEUES


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr("frametally_videos.jobs.job_worker.ATTEMPTS", 1)
    return load_settings("producer", data_dir=tmp_path / "data", min_free_disk_mb=0)


@pytest.mark.thorough
@pytest.mark.parametrize("place", ["derivative.made", "derivative.sent", "derivative.finished"])
def test_killed_anywhere_one_derivative_is_made_and_nothing_else_is_left(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    store = FileStore(settings.store_url)
    with closing(open_video_catalogue(settings.catalogue_url)) as catalogue:
        video = upload_file(make_shape(tmp_path, SHAPES["no sound"]), settings, store, catalogue)
        for job in catalogue.jobs(video.id):
            catalogue.cancel_job(job.id)
        asked = enhancement_options(read_enhancement({"contrast": 1.2}))
        job = catalogue.queue(video.id, "enhance", asked)
        monkeypatch.setenv(VARIABLE, place)
        report = _work(settings, store, catalogue)
        failed = catalogue.job(job.id)
        assert report.failed
        assert "SIGKILL" in str(failed.reason)
        assert len(list(scratch_root(settings).iterdir())) == 1
        monkeypatch.delenv(VARIABLE)
        catalogue.retry_job(job.id)
        assert _work(settings, store, catalogue).failed == []
        row = catalogue.video(video.id)
        assert row is not None
        made = [one for one in row.artifacts if one.kind == "enhanced"]
        assert len(made) == 1
        here = sorted(info.key for info in store.list(f"videos/{video.id}") if "enhanced" in info.key)
        assert here == sorted([made[0].key, made[0].key.replace(".mp4", ".json")])
        assert list(scratch_root(settings).iterdir()) == []


def _work(settings: Settings, store: FileStore, catalogue: VideoCatalogue) -> job_worker.WorkReport:
    queue = open_task_queue("", catalogue)
    worker = job_worker.JobWorker(
        settings, store, catalogue, queue, tuple(QUEUES), lambda line: None, lambda: False
    )
    return worker.work(1, until_done=True)


def test_what_is_being_made_is_not_taken_for_left_behind(settings: Settings) -> None:
    with scratch_folder(settings) as ours:
        left = scratch_root(settings) / "making-left"
        left.mkdir()
        assert remove_left_behind(settings) == 1
        assert list(scratch_root(settings).iterdir()) == [ours]
    assert list(scratch_root(settings).iterdir()) == []
