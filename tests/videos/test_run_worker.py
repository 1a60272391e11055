"""`producer/run_worker.py --worker NAME` does what comes by one queue, and leaves the rest to others."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.family.footage import make_video
from tests.videos.fake_uploads import upload_file

from frametally.opening import open_object_store
from frametally.settings.loading import load_settings
from frametally_videos.opening import open_video_catalogue
from frametally_videos.ports.task_queue import QUEUES, kinds_of

RUN_WORKER = Path(__file__).resolve().parents[2] / "producer" / "run_worker.py"


def run_worker(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, RUN_WORKER, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def test_each_worker_does_what_comes_by_its_queue_and_all_together_everything(tmp_path: Path) -> None:
    settings = load_settings("producer", data_dir=tmp_path / "data")
    clip = make_video(tmp_path / "gate.mp4", frames=10)
    with (
        closing(open_object_store(settings.store_url)) as store,
        closing(open_video_catalogue(settings.catalogue_url)) as catalogue,
    ):
        video = upload_file(clip, settings, store, catalogue, start_time="2026-03-01T10:00:00Z")
        left = {job.kind for job in catalogue.jobs(video.id)}
        assert left
        for name in QUEUES:
            queued = {job.kind for job in catalogue.jobs(video.id) if job.state == "queued"}
            done = run_worker("--worker", name, "--until-done", "--data-dir", settings.data_dir)
            assert done.returncode == 0, done.stderr
            still = {job.kind for job in catalogue.jobs(video.id) if job.state == "queued"}
            assert queued - still == queued & set(kinds_of([name]))
        assert {job.state for job in catalogue.jobs(video.id)} == {"done"}


@pytest.mark.thorough
@pytest.mark.parametrize("arguments", [["--worker", "magic"], ["--worker=magic"]])
def test_a_queue_that_there_is_not_is_one_line_with_those_that_there_are(arguments: list[str]) -> None:
    done = run_worker(*arguments)
    assert done.returncode == 2
    for name in QUEUES:
        assert name in done.stderr
