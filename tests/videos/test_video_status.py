"""What `frametally status` and `work --until-done` print about uploaded videos."""

from __future__ import annotations

import os
import re
import signal
from contextlib import closing
from pathlib import Path

import pytest
from tests.commands import Finished, run_frametally, start_frametally
from tests.kit.waiting import until
from tests.videos.test_upload_command import make_video

from frametally_videos.catalogue.video_catalogue import VideoCatalogue
from frametally_videos.catalogue_by_url import open_video_catalogue

STEPS = (["consume", "--until-caught-up"], ["aggregate"], ["index"])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def run(data: Path, *command: object) -> Finished:
    done = run_frametally(*command, "--data-dir", data, cwd=data.parent, FRAMETALLY_DETECTOR="pixels")
    assert done.code in (0, 4), done
    return done


def upload(data: Path, *names: str) -> None:
    paths = [make_video(data.parent / name, seed=seed) for seed, name in enumerate(names)]
    run(data, "upload", *paths, "--source", "gate", "--start-time", "2026-05-01T08:00:00Z")


def catalogue_in(data: Path) -> closing[VideoCatalogue]:
    return closing(open_video_catalogue(f"sqlite:///{data}/catalogue.sqlite"))


def test_status_does_not_count_finished_videos_as_unfinished_whatever_command_finished_them(
    data: Path,
) -> None:
    upload(data, "a.mp4")
    run(data, "work", "--until-done")
    assert "1 uploaded video is not ready yet; see the page /jobs" in run(data, "status").out
    for step in STEPS:
        run(data, *step)
    assert "not ready yet" not in run(data, "status").out
    with catalogue_in(data) as catalogue:
        assert set(catalogue.states()) != {"ready"}, "status only reads"


def test_status_and_work_show_until_when_a_job_of_a_lost_worker_waits_and_why(
    data: Path, tmp_path: Path
) -> None:
    upload(data, "a.mp4")
    with catalogue_in(data) as catalogue:
        job = catalogue.claim("gone-1-0", ("frames",), lease_s=60)
        assert job is not None
        catalogue.end(job, "queued", reason="Its worker was lost.", again_after_s=3600, counts=False)
    wait = r"a\.mp4: frames: waits until \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ: Its worker was lost\."
    assert len(re.findall(wait, run(data, "status").out)) == 1
    work = start_frametally(
        *("work", "--until-done", "--data-dir", data), cwd=tmp_path, output=tmp_path, constants={}
    )
    try:
        errors = tmp_path / "err"
        until(lambda: errors.exists() and re.search(wait, errors.read_text()) is not None)
    finally:
        assert work.pid is not None
        os.kill(work.pid, signal.SIGTERM)
        work.join()
