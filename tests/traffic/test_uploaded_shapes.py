"""The region of an upload is a zone of its source, and its points are a calibration."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.commands import run_frametally
from tests.fakes.memory import MemoryStore
from tests.family.footage import make_video

from frametally.openers.port_openers import open_books
from frametally.settings.loading import load_settings
from frametally_traffic.drawings.revisions import read_drawing
from frametally_traffic.drawings.uploaded_shapes import draw_uploaded
from frametally_web.app import close_app, create_app

RECTANGLE = {"x": 100, "y": 100, "width": 500, "height": 300}
CORNERS = ((100.0, 100.0), (600.0, 100.0), (600.0, 400.0), (100.0, 400.0))
BOW_TIE = {"points": [[0, 0], [100, 100], [100, 0], [0, 100]]}
GROUND = {
    "points": [[0, 0], [100, 0], [100, 100], [0, 100]],
    "metres": [[0, 0], [10, 0], [10, -10], [0, -10]],
}


def draw(store: MemoryStore, roi: Any = None, calibration: Any = None) -> list[str]:
    return draw_uploaded(store, "gate", (640, 480), roi, calibration)


def test_a_rectangle_becomes_a_zone_with_its_corners_in_pixels(store: MemoryStore) -> None:
    assert draw(store, RECTANGLE) == ["The region is the zone ROI of the source."]
    [zone] = read_drawing(store, "gate").zones
    assert (zone.name, zone.points, zone.width_px, zone.height_px) == ("ROI", CORNERS, 640, 480)
    assert (zone.from_ms, zone.to_ms) == (None, None)


def test_the_same_region_again_changes_nothing_and_another_one_is_another_zone(store: MemoryStore) -> None:
    draw(store, RECTANGLE)
    assert draw(store, RECTANGLE) == []
    assert read_drawing(store, "gate").revision == 1
    assert draw(store, {**RECTANGLE, "x": 0}) == ["The region is the zone ROI 2 of the source."]
    assert [zone.name for zone in read_drawing(store, "gate").zones] == ["ROI", "ROI 2"]


def test_each_of_several_regions_becomes_a_zone_with_its_name(store: MemoryStore) -> None:
    lane = {"name": "lane", "points": [[0, 0], [100, 0], [100, 100]]}
    draw(store, {"regions": [RECTANGLE, lane, BOW_TIE]})
    assert [zone.name for zone in read_drawing(store, "gate").zones] == ["ROI", "lane"]


def test_a_region_that_crosses_itself_does_not_become_a_zone_and_the_uploader_learns_why(
    store: MemoryStore,
) -> None:
    [says] = draw(store, BOW_TIE)
    assert says.startswith("frametally did not draw it over the source: zone 'ROI' ")
    assert read_drawing(store, "gate").revision == 0


def test_points_with_metres_become_a_calibration_unless_the_source_has_its_own(store: MemoryStore) -> None:
    assert draw(store, None, GROUND) == ["The points are the calibration calibration of the source."]
    [ground] = read_drawing(store, "gate").calibrations
    assert (ground.points, ground.metres) == tuple(
        tuple((float(x), float(y)) for x, y in GROUND[part]) for part in ("points", "metres")
    )
    assert draw(store, None, GROUND) == []
    wider = {**GROUND, "metres": [[0, 0], [20, 0], [20, -10], [0, -10]]}
    assert draw(store, None, wider) == ["The source keeps its own calibration, calibration."]
    assert draw(store, None, {"points": GROUND["points"]}) == []
    assert read_drawing(store, "gate").revision == 1


@pytest.mark.thorough
def test_the_chart_counts_within_the_region_of_an_upload(tmp_path: Path) -> None:
    """The lower patch of the two: half of the frames have it."""
    open_catalogue = pytest.importorskip("frametally_videos.catalogue_by_url").open_video_catalogue
    make_video(tmp_path / "gate.mp4", frames=20)
    region = json.dumps({"x": 60, "y": 130, "width": 200, "height": 100})

    def run(*arguments: str) -> str:
        finished = run_frametally(
            *arguments, cwd=tmp_path, FRAMETALLY_DETECTOR="pixels", FRAMETALLY_INTERVAL_S="1"
        )
        assert finished.code == 0, finished
        return finished.out + finished.err

    said = run("upload", "gate.mp4", "--roi", region, "--start-time", "2026-03-01T10:00:00Z")
    assert "The region is the zone ROI of the source." in said
    run("work", "--until-done", "--queue", "frames")
    run("consume", "--until-caught-up")
    run("aggregate")
    run("index")
    settings = load_settings("web", data_dir=tmp_path / "frametally-data", web_query_timeout_s=120)
    with open_books(settings) as (ports, ledger), closing(open_catalogue(settings.catalogue_url)) as books:
        parts: dict[str, Any] = {"store": ports.store, "index": ports.index, "ledger": ledger}
        app = create_app(settings=settings, log=ports.log, catalogue=books, **parts)
        answers = [app.test_client().get(f"/api/counts{zone}").get_json() for zone in ("", "?zone=ROI")]
        close_app(app)
        [zone] = read_drawing(ports.store, "gate").zones
    assert [answer["totals"][0]["detections"] for answer in answers] == [30, 10]
    assert (zone.width_px, zone.height_px) == (320, 240)
