"""On Spark the job gives the bytes that it gives here; `make test-spark` runs this where PySpark is.

`test_spark_tasks` runs the same tasks without Spark.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tests.hadoop.conftest import Footage

from frametally.errors import Misconfigured
from frametally.settings.loading import load_settings
from frametally.spark_sessions import spark_session
from frametally_traffic.drawings.revisions import change_drawing, with_shapes
from frametally_traffic.records import DrawnLine, DrawnZone

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]

NOON_MS = 1_767_268_800_000
HOUR_MS = 3_600_000


@pytest.fixture(autouse=True)
def _pyspark() -> None:
    """Skip where there is none, with the reason; `make test-spark` has it."""
    if os.environ.get("FRAMETALLY_REQUIRE_SPARK") != "1":
        pytest.importorskip("pyspark", reason="no PySpark here: `make test-spark` has it")


@pytest.fixture
def segments(file_footage: Footage) -> Footage:
    """Two cameras over an hour's and a day's border, with cars that pass, repeats, and a corrupt line."""
    footage = file_footage
    for source in ("gate", "größer"):
        for begin_ms in (NOON_MS + HOUR_MS - 6_000, NOON_MS + 12 * HOUR_MS - 5_000):
            frames = [
                footage.frame(
                    begin_ms + n * 200,
                    *["car", "car", 'a "b"\\'][: 1 + n % 3],
                    source="gate" if source == "gate" else "yard",
                    index=n,
                    confidence=0.9 if n % 7 else 0.24,
                    boxes=[
                        (10.3 + n * 5.7, 50.1, 80.7, 60.9),
                        (500.9 - n * 4.1, 152.2, 70.1, 61.3),
                        (1.0, 2.0, 30.5, 40.0),
                    ][: 1 + n % 3],
                )
                for n in range(60)
            ]
            footage.segments([frames[:25], frames[25:40], frames[30:60]])
    line = DrawnLine(name="stop & go", points=((300, 480), (300, 0)), width_px=640, height_px=480)
    bay = DrawnZone(name="Bucht", points=((0, 0), (200, 0), (200, 480)), width_px=640, height_px=480)
    for source in ("gate", "yard"):
        change_drawing(footage.store, source, lambda drawing: with_shapes(drawing, [line, bay]))
    footage.segment(
        [footage.frame(NOON_MS + n, "car", index=40 + n) for n in range(3)],
        spoil=lambda data: data.replace(b'"frame_index":41', b'"frame_index":'),
    )
    return footage


def published(footage: Footage) -> dict[str, bytes]:
    """Everything that an aggregation put."""
    return {**footage.objects("mapreduce-output"), **footage.objects("tracks"), **footage.objects("hours")}


def test_spark_publishes_the_bytes_that_the_inline_and_the_local_runner_do(
    segments: Footage, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = segments.aggregate(runner="inline")
    assert (len(report.runs), len(report.skipped)) == (2, 1)
    assert report.duplicates_dropped > 0
    expected = published(segments)
    assert any(key.startswith("hours/") for key in expected)
    assert len(report.steps[0].runs) == 2
    for kind in (b"/line/stop%20%26%20go/to_right", b"/line/stop%20%26%20go/to_left", b"/zone/Bucht/left"):
        assert any(kind in data for key, data in expected.items() if "~flows" in key)
    monkeypatch.setattr(
        "frametally_hadoop.running.outcome.SPLIT_BYTES", 0
    )  # a split per segment: several tasks
    for engine in (
        {"runner": "local"},
        {"runner": "spark", "spark_master": "local[2]"},
        {"runner": "spark", "spark_master": "local-cluster[2,1,1024]"},
    ):
        for key in expected:
            segments.store.delete(key)
        assert published(segments) == {}
        segments.aggregate(**engine)
        assert published(segments) == expected, engine


ON_SPARK = [
    {"runner": "spark", "spark_master": "local[2]"},
    {"runner": "spark", "spark_master": "local-cluster[2,1,1024]"},
]


@pytest.mark.parametrize("engine", ON_SPARK, ids=["local", "cluster"])
def test_a_segment_that_is_damaged_in_the_store_is_one_line_and_the_others_count(
    segments: Footage, engine: dict[str, str]
) -> None:
    [first, *others] = segments.objects("metadata")
    segments.store.put(first, segments.store.get(first)[:-9])
    report = segments.aggregate(**engine)
    [cut] = [line for line in report.skipped if line.name == first]
    assert "was cut short" in cut.reason and "\n" not in cut.reason
    assert report.segments_read == len(others)


def test_a_store_that_refuses_the_tasks_is_one_line_and_an_exit_code(segments: Footage) -> None:
    """The driver's own store is open already: a task that opens it is refused."""
    segments.store.url = "file:///proc/no store"
    with pytest.raises(Misconfigured, match="/proc/no store") as raised:
        segments.aggregate(runner="spark", spark_master="local[2]")
    assert "\n" not in str(raised.value)


def test_no_secret_is_in_sparks_configuration_and_ctrl_c_stays_the_commands(tmp_path: Path) -> None:
    secrets = {"store_secret_key": "geheim-1", "index_password": "geheim-2"}
    settings = load_settings(data_dir=tmp_path, spark_master="local[1]", **secrets).resolved()
    on_ctrl_c = signal.getsignal(signal.SIGINT)
    with spark_session(settings, "secrets") as session:
        assert signal.getsignal(signal.SIGINT) is on_ctrl_c
        configuration = session.sparkContext.getConf().getAll()
        [seen] = session.sparkContext.parallelize([0], 1).map(_secret).collect()
    assert not any("geheim" in f"{pair}" for pair in configuration)
    assert seen == "geheim-1"


def _secret(_: int) -> str | None:
    return os.environ.get("FRAMETALLY_STORE_SECRET_KEY")
