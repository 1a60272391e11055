"""The DAGs of videos against embedded parts, in the separate Airflow that `make test-airflow` installs."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.airflow.test_dags import Airflow, set_up
from tests.kit.processes import run_program
from tests.kit.waiting import until
from tests.producer.conftest import encode_video
from tests.videos.video_records import upload_file

from frametally import keys
from frametally.adapters_by_url import open_frame_log
from frametally.settings.loading import load_settings
from frametally_gold.book import Gold
from frametally_gold.settings import GoldSettings
from frametally_videos.catalogue.catalogue_rows import Artifact, missing_jobs
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.records import VideoRecord
from frametally_videos.settings import videos_topic
from frametally_videos.uploads.arrivals import tell_arrivals, waiting_arrivals

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(1800)]

PROCESS = "frametally_video_process"
Made = tuple[dict[str, bytes], list[Artifact], dict[str, list[tuple[object, ...]]]]


class Videos:
    """The videos of an Airflow's deployment, whose workers leave the layers to Airflow."""

    def __init__(self, airflow: Airflow) -> None:
        self.airflow = airflow
        self.settings = load_settings("producer", data_dir=airflow.data_dir, video_orchestrator="airflow")

    def upload(self, name: str, frames: int) -> VideoRecord:
        """Upload a video of the given length, and report it as workers do."""
        clip = encode_video(self.airflow.folder / name, frames, codec="libx264", size_px=(64, 48))
        with closing(open_video_catalogue(self.settings.catalogue_url)) as catalogue:
            video = upload_file(clip, self.settings, self.airflow.store, catalogue)
        self.work()
        return video

    def work(self, orchestrator: str = "airflow") -> None:
        run_program(
            [sys.executable, "-m", "frametally", "work", "--until-done"],
            env=self.airflow.env | {"FRAMETALLY_VIDEO_ORCHESTRATOR": orchestrator},
        )

    def made(self, video: VideoRecord) -> Made:
        """A video's objects in the store, its state in the catalogue, and its rows in the gold tables."""
        folder = keys.video_folder(video.id)
        found = {info.key: self.airflow.store.get(info.key) for info in self.airflow.store.list(folder)}
        rows = {}
        with closing(sqlite3.connect(self.airflow.data_dir / "gold.sqlite")) as tables:
            for table in ("gold_videos", "gold_video_counts", "gold_quality"):
                query = f"SELECT * FROM {table} WHERE video_id = ?"  # noqa: S608
                rows[table] = sorted(tables.execute(query, (video.id,)), key=repr)
        return found, self.artifacts(video), rows

    def artifacts(self, video: VideoRecord) -> list[Artifact]:
        """A video's artifacts, according to the catalogue."""
        with closing(open_video_catalogue(self.settings.catalogue_url)) as catalogue:
            row = catalogue.video(video.id)
        return sorted(row.artifacts)

    def make_by_workers(self, video: VideoRecord) -> Made:
        """The artifacts that workers make of a video after all earlier ones are removed."""
        for key in self.made(video)[0]:
            if key not in (video.key, keys.original_key(video.id)):
                self.airflow.store.delete(key)
        with closing(Gold(self.settings.part(GoldSettings).gold_url)) as gold:
            gold.remove_video(video.id)
        assert self.made(video)[2]["gold_videos"] == []
        with closing(open_video_catalogue(self.settings.catalogue_url)) as catalogue:
            catalogue.set_artifacts(video.id, [])
            for kind in missing_jobs(video, ()):
                catalogue.queue(video.id, kind)
            self.work("queue")
            catalogue.queue(video.id, "gold")
            self.work("queue")
        return self.made(video)

    def waiting(self) -> list[str]:
        with closing(open_frame_log(self.settings.log_url)) as log:
            return [one.video_id for one in waiting_arrivals(log, videos_topic(self.settings)).videos]

    def tell_again(self, video: VideoRecord) -> None:
        """Report a video again, as after a kill."""
        with (
            closing(open_video_catalogue(f"sqlite:///{self.airflow.folder / 'anew.sqlite'}")) as catalogue,
            closing(open_frame_log(self.settings.log_url)) as log,
        ):
            catalogue.put_video(video, "1")
            assert tell_arrivals(log, videos_topic(self.settings), catalogue) == 1

    def runs(self) -> dict[str, str]:
        """The state of each run of the DAG that takes a video through its layers."""
        # It fails until Airflow has read the DAG.
        said = self.airflow.run("dags", "list-runs", PROCESS, "-o", "json", expected=None)
        found = json.loads(said[said.index("[{") :]) if "[{" in said else []  # warnings are printed first
        return {run["run_id"]: run["state"] for run in found}


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, with_dags: Path) -> Airflow:
    return set_up(tmp_path_factory, with_dags)


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Videos]:
    made = set_up(tmp_path_factory, migrated)
    with made.at_work():
        yield Videos(made)


def test_a_killed_task_is_repeated_with_the_same_result(airflow: Airflow) -> None:
    videos = Videos(airflow)
    video = videos.upload("gate.mp4", 12)
    conf = json.dumps({"video_id": video.id})
    airflow.deadly.touch()
    airflow.run("dags", "test", PROCESS, "-c", conf, expected=1)
    assert videos.artifacts(video) == []
    airflow.deadly.unlink()
    airflow.run("dags", "test", PROCESS, "-c", conf)
    first = videos.made(video)
    airflow.run("dags", "test", PROCESS, "-c", conf)
    assert videos.made(video) == first
    assert videos.make_by_workers(video) == first


@pytest.mark.parametrize("conf", [{}, {"video_id": "x' ; touch harm; echo '"}])
def test_an_invalid_video_id_starts_nothing(airflow: Airflow, conf: dict[str, object]) -> None:
    before = Videos(airflow).runs()
    airflow.run("dags", "trigger", PROCESS, "-c", json.dumps(conf), expected=1)
    assert Videos(airflow).runs() == before


def test_a_new_video_goes_through_its_layers_once_and_automatically(working: Videos) -> None:
    video = working.upload("gate.mkv", 12)
    assert not video.facts.plays_in_browsers
    until(lambda: working.runs() == {f"video__{video.id}": "success"})
    until(lambda: working.waiting() == [])
    made = working.made(video)
    kinds = {"poster", "sprite", "sprite_vtt", "metadata", "quality", "playable"}
    assert {artifact.kind for artifact in made[1]} == kinds
    assert [bool(rows) for rows in made[2].values()] == [True, False, True]  # it is not counted yet
    working.tell_again(video)
    other = working.upload("yard.mp4", 20)
    until(lambda: working.runs().get(f"video__{other.id}") == "success")
    until(lambda: working.waiting() == [])
    assert len(working.runs()) == 2
    assert working.made(video) == made == working.make_by_workers(video)
