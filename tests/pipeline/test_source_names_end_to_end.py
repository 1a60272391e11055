"""Six cameras whose names share their Latin letters stay six, in the books, in the API and in the chart."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.pipeline.dashboard import dashboard
from tests.pipeline.test_undo_end_to_end import House, house, make_video

from frametally.adapters_by_url import open_count_index

pytestmark = pytest.mark.thorough

__all__ = ["house"]

CAMERAS = [
    *("北門1", "南門1"),
    *("Камера вход 7", "Гараж 7"),
    *("カメラ玄関前の道路・北", "カメラ玄関前の道路・南"),
]


@pytest.mark.parametrize("forgotten", CAMERAS[1::2])
def test_six_cameras_stay_six_and_forgetting_one_leaves_the_others(
    house: Callable[[str], House], tmp_path: Path, forgotten: str
) -> None:
    home = house("home")
    for number, name in enumerate(CAMERAS):
        make_video(tmp_path / f"{number}.mp4", 5 + number)
        home("produce", tmp_path / f"{number}.mp4", "--source", name, "--start-time", "2026-03-04T10:00:00Z")
    home.count()
    assert {one["source_name"] for one in home.status()["sources"]} == set(CAMERAS)
    assert sources_in_the_api(home) == set(CAMERAS)
    assert len(sources_in_the_chart(home)) == 6
    home("forget", "--source", forgotten, "--yes", "--delete-images")
    home("aggregate")
    home("index")
    assert {one["source_name"]: one["counted"] for one in home.status()["sources"]} == {
        name: 5 + number for number, name in enumerate(CAMERAS) if name != forgotten
    }
    assert len(sources_in_the_chart(home)) == 5


def sources_in_the_api(home: House) -> set[str]:
    with dashboard(home.folder / "frametally-data") as client:
        answer = client.get("/api/v1/sources")
    return {source["name"] for source in answer.get_json()["sources"]}


def sources_in_the_chart(home: House) -> set[str]:
    with closing(open_count_index(f"sqlite:///{home.folder}/frametally-data/index.sqlite")) as index:
        [series] = index.series()
        return {summary.source for summary in index.sources(series.model)}
