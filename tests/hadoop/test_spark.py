"""On Spark the job gives the same bytes as elsewhere; `make test-spark` runs this with PySpark.

`test_spark_tasks` runs the same tasks without Spark.
"""

from __future__ import annotations

import gzip
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.hadoop.conftest import Footage, without_index_41
from tests.kit.errors import one_line
from tests.kit.ports import free_port

from frametally.errors import Misconfigured
from frametally.settings.loading import load_settings
from frametally.spark_sessions import map_batches, spark_session
from frametally_hadoop.running.spark import places
from frametally_traffic.drawings.revisions import change_drawing, with_shapes
from frametally_traffic.records import DrawnLine, DrawnZone

pytestmark = [
    pytest.mark.spark,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    # PySpark 3.5 leaves its sockets to the garbage collection.
    pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning"),
]

NOON_MS = 1_767_268_800_000
HOUR_MS = 3_600_000


@pytest.fixture(autouse=True)
def _pyspark() -> None:
    """Skip without PySpark; `make test-spark` has it."""
    if os.environ.get("FRAMETALLY_REQUIRE_SPARK") != "1":
        pytest.importorskip("pyspark", reason="no PySpark here: `make test-spark` has it")


@pytest.fixture
def segments(file_footage: Footage) -> Footage:
    """Two cameras across the border of an hour and of a day, with passing cars, repetitions, and a corrupt
    line."""
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
    footage.film(3, "car", first=40, spoil=without_index_41)
    return footage


def published(footage: Footage) -> dict[str, bytes]:
    """Every object that an aggregation put."""
    return {**footage.objects("mapreduce-output"), **footage.objects("tracks"), **footage.objects("hours")}


def test_spark_publishes_the_same_bytes_as_the_inline_and_local_runners(
    segments: Footage, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = segments.aggregate(runner="inline")
    assert (len(report.runs), len(report.skipped)) == (2, 1)
    assert report.duplicates_dropped > 0
    expected = published(segments)
    assert any(key.startswith("hours/") for key in expected)
    assert len(report.steps[0].runs) == 2
    flow_lines = [
        gzip.decompress(data) for key, data in expected.items() if "~flows" in key and key.endswith(".gz")
    ]
    for kind in (b"/line/stop%20%26%20go/to_right", b"/line/stop%20%26%20go/to_left", b"/zone/Bucht/left"):
        assert any(kind in lines for lines in flow_lines)
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


def busy_executors() -> list[int]:
    """Executors below this process whose Python is running, by the kernel's list of processes."""
    parents, commands = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            commands[int(folder.name)] = (folder / "cmdline").read_bytes()
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])

    def is_ours(process: int) -> bool:
        return process == os.getpid() or (process in parents and is_ours(parents[process]))

    return [
        parents[process]
        for process, command in commands.items()
        if b"pyspark.daemon" in command
        and b"CoarseGrainedExecutorBackend" in commands.get(parents.get(process, 0), b"")
        and is_ours(process)
    ]


def test_a_killed_executor_changes_no_byte(segments: Footage, monkeypatch: pytest.MonkeyPatch) -> None:
    segments.aggregate(runner="inline")
    expected = published(segments)
    for key in expected:
        segments.store.delete(key)
    monkeypatch.setattr("frametally_hadoop.running.outcome.SPLIT_BYTES", 0)
    killed: list[int] = []
    is_over = threading.Event()

    def kill_one() -> None:
        while not killed and not is_over.wait(0.02):
            for executor in busy_executors()[:1]:
                os.kill(executor, signal.SIGKILL)
                killed.append(executor)

    killer = threading.Thread(target=kill_one)
    killer.start()
    try:
        segments.aggregate(runner="spark", spark_master="local-cluster[2,1,1024]")
    finally:
        is_over.set()
        killer.join()
    assert killed
    assert published(segments) == expected


@pytest.fixture(scope="module")
def connect_url() -> Iterator[str]:
    """A Spark Connect server of the same package, with two cores; skips without its client."""
    for module in ("pandas", "grpc", "grpc_status", "google.rpc"):
        pytest.importorskip(module, reason="Spark Connect's client is not installed here: pyspark[connect]")
    import pyspark

    if pyspark.__version__.startswith("3."):
        pytest.skip("PySpark 3.5 comes without a Spark Connect server")
    port = free_port()
    command = [
        str(Path(pyspark.__file__).parent / "bin/spark-submit"),
        *("--master", "local[2]", "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"),
        *("--conf", "spark.ui.enabled=false", "--conf", "spark.driver.host=127.0.0.1"),
        *("--conf", "spark.connect.grpc.binding.address=127.0.0.1"),
        *("--conf", f"spark.connect.grpc.binding.port={port}"),
        "spark-internal",
    ]
    environment = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as server:
        try:
            while not is_open(port):
                assert server.poll() is None, "the server ended"
                time.sleep(0.2)
            yield f"sc://127.0.0.1:{port}"
        finally:
            server.terminate()


def is_open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def test_over_spark_connect_the_bytes_and_the_errors_are_the_same(
    segments: Footage, connect_url: str
) -> None:
    engine = {"runner": "spark", "spark_master": connect_url}
    segments.aggregate(runner="inline")
    expected = published(segments)
    for key in expected:
        segments.store.delete(key)
    segments.aggregate(**engine)
    assert published(segments) == expected
    segments.store.url = "file:///proc/no store"
    segments.segment([segments.frame(NOON_MS + 3 * HOUR_MS, "car")])
    with one_line(Misconfigured, match="/proc/no store"):
        segments.aggregate(**engine)


@pytest.mark.parametrize(
    ("master", "line"),
    [
        ("spark://127.0.0.1:1", "Spark does not start at .*: check FRAMETALLY_SPARK_MASTER, Java 17"),
        ("sc://127.0.0.1:1/;token=geheim", "Spark does not start at sc://127.0.0.1:1/ .*server runs there"),
    ],
)
def test_an_unusable_master_is_one_line_with_the_remedy(tmp_path: Path, master: str, line: str) -> None:
    settings = load_settings(data_dir=tmp_path, spark_master=master).resolved()
    with one_line(Misconfigured, match=line, without=("geheim",)), spark_session(settings, "nowhere"):
        pass


@pytest.mark.parametrize("parts", [1, 7, 64])
def test_each_place_has_its_own_task(tmp_path: Path, parts: int) -> None:
    settings = load_settings(data_dir=tmp_path, spark_master="local[1]").resolved()
    with spark_session(settings, "places") as session:
        rows = session.createDataFrame([(place,) for place in places(parts)], "place int")
        counts = map_batches(rows.repartition(parts, "place"), _rows, "rows int").collect()
    assert [count for [count] in counts] == [1] * parts


def _rows(batches: Iterator[Any]) -> Iterator[Any]:
    import pyarrow as pa

    yield pa.RecordBatch.from_pydict(
        {"rows": pa.array([sum(batch.num_rows for batch in batches)], pa.int32())}
    )


ON_SPARK = [
    {"runner": "spark", "spark_master": "local[2]"},
    {"runner": "spark", "spark_master": "local-cluster[2,1,1024]"},
]


@pytest.mark.parametrize("engine", ON_SPARK, ids=["local", "cluster"])
def test_a_damaged_segment_in_the_store_is_one_line_and_the_others_count(
    segments: Footage, engine: dict[str, str]
) -> None:
    [first, *others] = segments.objects("metadata")
    segments.store.put(first, segments.store.get(first)[:-9])
    report = segments.aggregate(**engine)
    [cut] = [line for line in report.skipped if line.name == first]
    assert "was cut short" in cut.reason and "\n" not in cut.reason
    assert report.segments_read == len(others)


def test_a_store_that_refuses_the_tasks_is_one_line_and_an_exit_code(segments: Footage) -> None:
    """The driver's own store is already open: a task that opens it is refused."""
    segments.store.url = "file:///proc/no store"
    with one_line(Misconfigured, match="/proc/no store"):
        segments.aggregate(runner="spark", spark_master="local[2]")


def test_sparks_configuration_has_no_secret_and_ctrl_c_stays_with_the_command(tmp_path: Path) -> None:
    secrets = {"store_secret_key": "geheim-1", "index_password": "geheim-2"}
    settings = load_settings(data_dir=tmp_path, spark_master="local[1]", **secrets).resolved()
    on_ctrl_c = signal.getsignal(signal.SIGINT)
    with spark_session(settings, "secrets") as session:
        assert signal.getsignal(signal.SIGINT) is on_ctrl_c
        configuration = session.sparkContext.getConf().getAll()
        [[seen]] = map_batches(session.range(1, numPartitions=1), _secret, "value string").collect()
    assert not any("geheim" in f"{pair}" for pair in configuration)
    assert seen == "geheim-1"


def _secret(_: object) -> Iterator[Any]:
    import pyarrow as pa

    yield pa.RecordBatch.from_pydict({"value": [os.environ.get("FRAMETALLY_STORE_SECRET_KEY")]})
