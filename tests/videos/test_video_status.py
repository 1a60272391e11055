"""What `frametally status` says of videos: jobs that failed, and counts that moved to another source."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from tests.core.test_status import House, house
from tests.videos.video_records import make_video

from frametally.opening import open_object_store
from frametally.records import encode
from frametally.rules.times import utc
from frametally_cli import main as cli
from frametally_videos.opening import open_video_catalogue
from frametally_videos.records import MovedCounts

__all__ = ["house"]


def test_status_says_since_when_jobs_have_failed(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    video = make_video()
    with (
        closing(open_object_store(house.settings.store_url)) as store,
        closing(open_video_catalogue(house.settings.catalogue_url)) as catalogue,
    ):
        store.put(video.key, encode(video))
        catalogue.put_video(video, "1")
        catalogue.queue(video.id, "frames")
        job = catalogue.claim("w", ("frames",), lease_s=60)
        assert job is not None
        catalogue.end(job, "failed", reason="no disk")
        [job] = catalogue.jobs(video.id)
    assert job.ended_at_ms is not None
    arguments = ["status", "--data-dir", str(house.settings.data_dir)]
    cli.main(arguments)
    assert f"failed jobs, frames: 1, since {utc(job.ended_at_ms)}; " in capsys.readouterr().out
    cli.main([*arguments, "--json"])
    failed = json.loads(capsys.readouterr().out)["failed_jobs"]
    assert failed == {"frames": {"jobs": 1, "since_ms": job.ended_at_ms}}


def test_status_tells_a_move_that_waits_from_one_that_is_done(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = MovedCounts(source="cam", source_name="Cam", from_ms=0, to_ms=0, frames=60)
    video = make_video(moved_from=moved)
    arguments = ["status", "--data-dir", str(house.settings.data_dir)]
    with (
        closing(open_object_store(house.settings.store_url)) as store,
        closing(open_video_catalogue(house.settings.catalogue_url)) as catalogue,
    ):
        store.put(video.key, encode(video))
        catalogue.put_video(video, "1")
        cli.main(arguments)
        assert f"will soon count as {video.source_name}" in " ".join(capsys.readouterr().out.split())
        catalogue.set_video(video.id, state="ready")
        cli.main(arguments)
        assert f"now count as {video.source_name}" in " ".join(capsys.readouterr().out.split())
