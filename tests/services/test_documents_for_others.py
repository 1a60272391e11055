"""Other programs read the documents in Elasticsearch by the manual's request, and get what the API says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from elasticsearch_indices import administration, fresh_alias
from serving.needs import server
from tests.fakes.records import make_segment
from tests.traffic.zoned_footage import LEFT, RIGHT, drive
from tests.web.conftest import Place

from elasticsearch import Elasticsearch
from frametally import keys
from frametally.adapters_by_url import open_count_index
from frametally.process.reports import NoProgress
from frametally.records import FrameDetections
from frametally_hadoop.driver import aggregate
from frametally_search.indexer import index_runs
from frametally_traffic.drawings.revisions import change_drawing
from frametally_traffic.records import DrawnLine, DrawnZone

pytestmark = pytest.mark.services

PAGE = (Path(__file__).resolve().parents[2] / "docs/count-index.md").read_text(encoding="utf-8")
SIZE: dict[str, Any] = {"width_px": 640, "height_px": 480}
OTHER_MODEL = "another-model"


@pytest.fixture
def admin() -> Iterator[Elasticsearch]:
    with administration(server("elasticsearch")) as client:
        yield client


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()


def request_of_manual() -> tuple[dict[str, Any], str]:
    """The request of the manual, and the model that it names."""
    shown = re.search(r"hadoop-object-counts-v1/_search.*-d '(.*?)'", PAGE, re.DOTALL)
    assert shown is not None
    body = json.loads(shown[1])
    [model] = [term["term"]["model"] for term in body["query"]["bool"]["filter"] if "model" in term["term"]]
    return body, model


def draw_everything(place: Place) -> None:
    """A ROI, further zones and lines that the cars cross; a person stands in one zone."""
    zones = {"ROI": ((100, 100), (600, 100), (600, 400), (100, 400)), "left": LEFT, "right": RIGHT}
    drawn = {
        "zones": tuple(DrawnZone(name=name, points=tuple(points), **SIZE) for name, points in zones.items()),
        "lines": tuple(
            DrawnLine(name=f"at {x_px}", points=((x_px, 470), (x_px, 10)), **SIZE) for x_px in (150, 450)
        ),
    }
    change_drawing(place.store, "gate", lambda drawing: msgspec.structs.replace(drawing, **drawn))


def put(place: Place, model: str, frames: Sequence[FrameDetections]) -> None:
    data = make_segment([msgspec.structs.replace(frame, model=model) for frame in frames], model=model)
    place.store.put(keys.segment_key(model, "log-1", "frames", 0, 0), data)


def test_the_manuals_request_gives_the_apis_sums_whatever_else_is_counted(
    place: Place, admin: Elasticsearch
) -> None:
    body, model = request_of_manual()
    draw_everything(place)
    put(place, model, drive())
    put(place, OTHER_MODEL, drive(frames=600))
    aggregate(settings=place.settings, store=place.store, progress=NoProgress())
    with fresh_alias() as (url, access):
        with closing(open_count_index(url, access)) as index:
            for each in (place.real_index, index):
                index_runs(store=place.store, index=each, progress=NoProgress())
            models = {run.model for run in index.current_runs()}
        assert models == {of + part for of in (model, OTHER_MODEL) for part in ("", "~flows", "~zones")}
        alias = url.rpartition("/")[2]
        admin.indices.refresh(index=alias)
        answer = place.app().test_client().get("/api/v1/labels", query_string={"model": model}).get_json()
        wanted = [(row["label"], row["detections"]) for row in answer["labels"]]
        assert sorted(wanted) == [("car", 900), ("person", 900)]
        for name in (alias, f"{alias}-v1"):
            found = admin.search(index=name, **body)["aggregations"]["labels"]["buckets"]
            assert [(row["key"], row["detections"]["value"]) for row in found] == sorted(wanted)
            rows = [hit["_source"] for hit in admin.search(index=name, size=9_999)["hits"]["hits"]]
            assert {(row["kind"], row["model"], row["source"]) for row in rows} == {
                (kind, of, "gate") for kind in ("count", "coverage") for of in (model, OTHER_MODEL)
            }
            frames = sum(row["frames"] for row in rows if row["kind"] == "coverage")
            assert frames == 900 + 600
            described = PAGE.partition("### Documents for other programs")[2].partition("\n#")[0]
            for row in rows:
                assert row.keys() <= set(re.findall(r"`(\w+)`", described))
