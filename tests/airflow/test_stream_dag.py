"""The DAG that streams a video, in the separate Airflow that `make test-airflow` installs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from tests.airflow.test_dags import Airflow, set_up
from tests.kit.waiting import until
from tests.live.test_streams_count import ENV, FIRST, FRAMES, LIVE, Deployment, made

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

STREAM = "frametally_stream"


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, with_dags: Path) -> Airflow:
    return set_up(tmp_path_factory, with_dags)


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    return {FIRST: made(tmp_path / f"{FIRST}.mp4", 0)}


@pytest.fixture
def place(tmp_path: Path, airflow: Airflow, clips: dict[str, Path]) -> Iterator[Deployment]:
    """A deployment in which Airflow streams a video."""
    with closing(Deployment(tmp_path / "airflow")) as opened:
        airflow.env["FRAMETALLY_DATA_DIR"] = str(opened.settings.data_dir)
        opened.take_in(clips, FIRST)
        yield opened


def is_detected(place: Deployment) -> bool:
    return len(place.lines(FIRST, LIVE)) == FRAMES


def conf(place: Deployment, speed: float) -> str:
    return json.dumps({"video_id": place.videos[FIRST].id, "speed": speed})


def test_a_run_streams_its_video_to_the_same_bytes_as_without_airflow(
    airflow: Airflow, place: Deployment, clips: dict[str, Path], tmp_path: Path
) -> None:
    with closing(Deployment(tmp_path / "queue")) as plain:
        plain.take_in(clips, FIRST)
        for one in (place, plain):
            with one.left_to_run("live", "work"), one.left_to_run("consume", "--live"):
                if one is place:
                    airflow.run("dags", "test", STREAM, "-c", conf(place, 16))
                else:
                    one.beside("stream", one.videos[FIRST].id, "--speed", "16")
                until(partial(is_detected, one))
        assert place.announced(LIVE, FIRST) == plain.announced(LIVE, FIRST)
        assert place.lines(FIRST, LIVE) == plain.lines(FIRST, LIVE)
        assert place.manifest(FIRST) == plain.manifest(FIRST)
    assert [feed.told.state for feed in place.feeds.feeds()] == ["ended"]


def test_a_run_ends_with_its_stream_whoever_stops_the_stream(airflow: Airflow, place: Deployment) -> None:
    command = [airflow.command, "dags", "test", STREAM, "-c", conf(place, 0.1)]
    with (
        place.left_to_run("live", "work"),
        subprocess.Popen(
            command, env=airflow.env, cwd=airflow.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as run,
    ):
        until(lambda: [feed.told.state for feed in place.feeds.feeds()] == ["running"])
        place.asks(place.feeds.feeds()[0], "stop")
        assert run.wait() == 0
    assert 0 < len(place.announced(LIVE, FIRST)) < FRAMES


@pytest.mark.parametrize("speed", [1, 17])
def test_an_invalid_id_or_speed_streams_nothing(airflow: Airflow, place: Deployment, speed: int) -> None:
    video_id = place.videos[FIRST].id if speed == 17 else "x' ; touch harm; echo '"
    said = json.dumps({"video_id": video_id, "speed": speed})
    airflow.run("dags", "trigger", STREAM, "-c", said, expected=1)
    assert place.feeds.feeds() == []


def test_a_run_of_a_video_that_cannot_be_streamed_fails(airflow: Airflow, place: Deployment) -> None:
    place.catalogue.remove_video(place.videos[FIRST].id)
    airflow.run("dags", "test", STREAM, "-c", conf(place, 1), expected=1)
    assert place.feeds.feeds() == []
