"""Each number of each chart is a SELECT of DuckDB over the Iceberg tables, now and as of a snapshot."""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from pyiceberg.catalog import load_catalog
from tests.fakes.records import make_count, make_coverage, make_run, put_run
from tests.gold.iceberg_index import TABLES, IcebergIndex, connect
from tests.traffic import junction
from tests.web.conftest import Place

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import NoProgress
from frametally.rules.places import ZONES, series_model
from frametally.rules.places import Place as Part
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally_gold.book import Gold
from frametally_gold.iceberg_tables import IcebergTables
from frametally_gold.loading import load_gold
from frametally_search.indexer import index_runs
from frametally_web.api.chart_routes import CATALOGUE, COUNTS

pytest.importorskip("duckdb_extension_iceberg", reason="DuckDB's extension is a package for Linux alone")

MODELS = ("small-1", "large-1")
BASE_S = 1_800
DAYS = [f"2025-03-{day:02d}" for day in range(24, 32)]  # clocks are put forward in Berlin on the 30th
ZONE = "Tor 1/2"
RANGE = f"from={DAYS[1]}&to={DAYS[-1]}"
_SOME = f"{RANGE}&timezone=Europe/Berlin"
QUESTIONS = {
    "models": [""],
    "labels": ["", "model=small-1"],
    "sources": ["", "model=small-1"],
    "catalogue": ["model=large-1"],
    "counts": [
        "",
        "model=small-1&interval=1800&by=source",
        f"{_SOME}&interval=86400&metric=objects&label=car&label=bus",
        f"{_SOME}&interval=21600&top=1&by=source&metric=peak",
        f"{_SOME}&interval=3600&hours=06:00-10:00&weekdays=1,7&source=yard",
        f"{_SOME}&zone={ZONE}&interval=3600",
        f"zone={ZONE}&by=source&label=car",
    ],
    "summary": ["", f"{_SOME}&label=car", f"{_SOME}&zone={ZONE}", f"{RANGE}&hours=22:00-02:00"],
    "differences": [
        f"{_SOME}&compare=model:small-1",
        f"{_SOME}&compare=source:gate&source=yard",
        f"from={DAYS[5]}&to={DAYS[6]}&compare=day&interval=3600",
    ],
    "heatmap": ["", f"{_SOME}&label=car", f"{_SOME}&zone={ZONE}", f"{_SOME}&weekdays=6,7"],
}


def put_day(store: ObjectStore, day: str, model: str, *, sequence: int = 1) -> None:
    """Put a day of two sources and a zone, with parts without footage, without objects, or too
    slow to track."""
    draw = random.Random(f"{day} {model} {sequence}")  # noqa: S311 - the same counts at every run
    places = {model: ("gate", "yard"), series_model(model, ZONES): (str(Part("yard", "zone", (ZONE,))),)}
    for series, sources in places.items():
        counts, coverage = [], []
        for start_ms in range(keys.day_start_ms(day), keys.day_start_ms(day) + DAY_MS, BASE_S * 1000):
            for source in sources:
                if draw.random() < 0.2:
                    continue
                where: Any = {"model": series, "source": source, "interval_s": BASE_S}
                is_measured = start_ms // HOUR_MS % 7 != 0
                frames, boxes, objects = draw.randrange(1, 5000), 0, 0
                for label in ("bus", "car", "person"):
                    if draw.random() < 0.5:
                        detections = draw.randrange(1, 9000)
                        seen = draw.randrange(0, 9) if is_measured else None
                        boxes, objects = boxes + detections, objects + (seen or 0)
                        tracked = detections * draw.randrange(30, 100) // 100 if is_measured else None
                        peak = draw.randrange(1, 40)
                        counts.append(
                            make_count(
                                start_ms,
                                label,
                                detections,
                                **where,
                                frames=frames,
                                peak=peak,
                                objects=seen,
                                tracked_detections=tracked,
                                fast_objects=draw.randrange(2) if is_measured else None,
                                evidence=[],
                            )
                        )
                coverage.append(
                    make_coverage(
                        start_ms,
                        frames,
                        **where,
                        detections=boxes,
                        objects=objects if is_measured else None,
                        analysed_fps=5.0 if is_measured else draw.choice([0.5, 0.25]),
                        covered_ms=draw.randrange(1, BASE_S * 1000),
                    )
                )
        frames = sum(one.frames for one in coverage)
        run = make_run(sequence, model=series, interval_s=BASE_S, day=day, frames=frames)
        put_run(store, run, counts, coverage)


class Charts:
    """A dashboard over the index, and one over the Iceberg tables of the same store."""

    def __init__(self, folder: Path) -> None:
        self.place = Place(folder)
        self.place.store = self.store = open_object_store((folder / "a store").as_uri())
        self.url = f"sqlite:///{folder / 'gold.sqlite'}"

    def publish(self) -> None:
        index_runs(store=self.store, index=self.place.real_index, progress=NoProgress())
        with closing(Gold(self.url)) as gold:
            assert load_gold(store=self.store, gold=gold, progress=NoProgress()).skipped == []
        with closing(IcebergTables(self.url, None, self.store)) as tables:
            tables.publish()

    def snapshots(self) -> dict[str, int]:
        """The current snapshot of each table, as a client of the catalogue sees it."""
        catalogue = load_catalog("frametally", type="sql", uri=self.url)
        found = {table: catalogue.load_table(f"gold.{table}").current_snapshot() for table in TABLES}
        return {table: snapshot.snapshot_id for table, snapshot in found.items() if snapshot}

    def by_index(self) -> FlaskClient:
        return self.place.app().test_client()

    def by_select(self, snapshots: dict[str, int] | None = None) -> FlaskClient:
        index = self.place.index
        self.select = IcebergIndex(connect(self.store.url, snapshots), self.place.real_index)
        self.place.index = self.select  # type: ignore[assignment]
        client = self.place.app().test_client()
        self.place.index = index
        return client


@pytest.fixture
def charts(tmp_path: Path) -> Iterator[Charts]:
    charts = Charts(tmp_path)
    yield charts
    charts.place.close()
    charts.store.close()


def answers(client: FlaskClient) -> dict[str, Any]:
    found = {}
    for route, questions in QUESTIONS.items():
        for question in questions:
            answer = client.get(f"/api/v1/{route}?{question}")
            assert answer.status_code == 200, (route, question, answer.text)
            found[f"{route}?{question}"] = answer.json
    return found


@pytest.mark.thorough
def test_a_query_gives_every_number_of_every_chart_and_an_older_snapshot_the_numbers_of_its_time(
    charts: Charts,
) -> None:
    assert QUESTIONS.keys() == {endpoint.path for endpoint in (*CATALOGUE.endpoints, *COUNTS.endpoints)}
    for number, model in enumerate(MODELS):
        for day in DAYS:
            put_day(charts.store, day, model, sequence=number + 1)
    charts.publish()
    then = answers(charts.by_index())
    assert answers(charts.by_select()) == then
    assert charts.select.queries > 100
    snapshots = charts.snapshots()
    for day in DAYS[2:5]:
        put_day(charts.store, day, MODELS[1], sequence=9)
    charts.publish()
    now = answers(charts.by_index())
    assert answers(charts.by_select()) == now
    assert [question for question in now if now[question] != then[question]]
    assert answers(charts.by_select(snapshots)) == then


@pytest.mark.thorough
def test_a_query_gives_every_crossing_movement_stay_and_speed(charts: Charts) -> None:
    junction.draw(charts.place)
    junction.film(charts.place)
    charts.publish()
    client = charts.by_index()

    def get(route: str) -> Any:
        answer = client.get(f"/api/v1/{route}", query_string={"source": "gate", "interval": 60})
        assert answer.status_code == 200, answer.text
        return answer.json

    shown: dict[tuple[Any, ...], int] = {}
    for one in get("crossings")["crossings"]:
        for way in ("to_right", "to_left", "not_measured"):
            shown["line", one["line"], way, one["label"], one["start_ms"]] = one[way]
    movements = get("movements")
    for one in movements["movements"]:
        place = "movement", one["from_leg"], one["to_leg"]
        shown[(*place, one["label"], one["start_ms"])] = one["visits"]
    for one in get("zones")["stays"]:
        for field in one.keys() - {"start_ms", "zone", "label", "at_end", "mean"}:
            shown["zone", one["zone"], field, one["label"], one["start_ms"]] = one[field]
        shown["zone", one["zone"], "occupied_ms", one["label"], one["start_ms"]] = round(one["mean"] * 60_000)
    with connect(charts.store.url) as connection:
        rows = connection.execute(
            "SELECT kind, name, what, label, epoch_ms(interval_start), value FROM place_counts "
            "WHERE series = 'flows' AND interval_s = 60"
        ).fetchall()
        assert {row[:5]: row[5] for row in rows} == {key: value for key, value in shown.items() if value}
        [books] = connection.execute(
            "SELECT count(*), count(from_line), count(*) FILTER (no_movement = 'unassigned'), "
            "count(*) FILTER (no_movement = 'never_at_a_leg') FROM movements"
        ).fetchall()
        assert (
            dict(zip(("visits", "assigned", "unassigned", "never_at_a_leg"), books, strict=True))
            | {"missing": None, "at_least": None}
            == movements["books"]
        )
        speeds = connection.execute("SELECT label, count(speed_kmh) FROM movements GROUP BY ALL").fetchall()
    assert dict(speeds) == {one["label"]: one["measured"] for one in get("speeds")["speeds"][1:]}


@pytest.mark.thorough
def test_the_queries_of_the_documentation_run_unchanged(charts: Charts) -> None:
    put_day(charts.store, DAYS[0], MODELS[0])
    charts.publish()
    page = (Path(__file__).resolve().parents[2] / "docs" / "iceberg.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    queries = [ast.literal_eval(call.args[0]) for call in calls]
    assert len(queries) == 4
    folder = str(charts.place.settings.data_dir / "a store")
    with connect(charts.store.url) as connection:
        for query in queries[1:]:
            for old, new in (
                ("/data/frametally/store", folder),
                ("2026-05-01 00:00:00", "9999-01-01 00:00:00"),
                ("tiny-1", MODELS[0]),
                ("interval_s = 60", f"interval_s = {BASE_S}"),
            ):
                query = query.replace(old, new)
            rows = connection.execute(query).fetchall()
            assert rows and rows[0][0]
