"""If a maker of derivatives is killed, another makes the same, once, and nothing else is left."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from tests.fakes.shapes import SHAPES, make_shape
from tests.videos.video_place import VideoPlace

from frametally.files.temporary import abandoned_folders
from frametally.process.failpoints import VARIABLE
from frametally.settings.loading import Settings, load_settings
from frametally_videos.library.enhancements import enhancement_options, read_enhancement


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr("frametally_videos.jobs.job_worker.ATTEMPTS", 1)
    return load_settings("producer", data_dir=tmp_path / "data", min_free_disk_mb=0)


@pytest.mark.thorough
@pytest.mark.parametrize("place", ["derivative.made", "derivative.sent", "derivative.finished"])
def test_a_kill_at_any_point_still_leaves_exactly_one_derivative_and_nothing_else(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    with closing(VideoPlace(settings.data_dir, min_free_disk_mb=0)) as shop:
        catalogue = shop.catalogue
        video = shop.upload(make_shape(tmp_path, SHAPES["no sound"]))
        for job in catalogue.jobs(video.id):
            catalogue.cancel_job(job.id)
        asked = enhancement_options(read_enhancement({"contrast": 1.2}))
        job = catalogue.queue(video.id, "enhance", asked)
        monkeypatch.setenv(VARIABLE, place)
        report = shop.work()
        failed = catalogue.job(job.id)
        assert report.failed
        assert "SIGKILL" in str(failed.reason)
        assert len(abandoned_folders(settings.data_dir)) == 1
        monkeypatch.delenv(VARIABLE)
        catalogue.retry_job(job.id)
        assert shop.work().failed == []
        row = catalogue.video(video.id)
        made = [one for one in row.artifacts if one.kind == "enhanced"]
        assert len(made) == 1
        here = sorted(info.key for info in shop.store.list(f"videos/{video.id}") if "enhanced" in info.key)
        assert here == sorted([made[0].key, made[0].key.replace(".mp4", ".json")])
        assert list((settings.data_dir / "tmp").iterdir()) == []
