"""The tasks of the counting job on Spark, run in this process; `test_spark` runs them on Spark."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.capabilities import needs
from tests.commands import frametally
from tests.fakes.spark import FakeFrame, fake_job
from tests.hadoop.conftest import NOON_MS, Footage, without_index_41
from tests.hadoop.test_hours import drive
from tests.kit.errors import one_line
from tests.kit.stand_ins import Watched

from frametally.adapters_by_url import open_object_store
from frametally.errors import Misconfigured, Poison, Retryable
from frametally.settings.loading import load_settings
from frametally.spark_sessions import java_cause
from frametally_hadoop.publication import days_on_spark
from frametally_hadoop.running import spark

HOUR_MS = 3_600_000
ON_SPARK = spark.spark_job


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (days_on_spark, spark):
        monkeypatch.setattr(module, "spark_job", fake_job)
    monkeypatch.setattr(spark, "map_batches", FakeFrame.map_batches)


@pytest.fixture
def drives(file_footage: Footage) -> Footage:
    """Two sources across the borders of an hour and of a day, with repetitions, and a corrupt line."""
    footage = file_footage
    for source in ("gate", "yard"):
        for begin_ms in (NOON_MS + HOUR_MS - 1_000, NOON_MS + 12 * HOUR_MS - 1_000):
            frames = drive(footage, begin_ms, source=source)
            footage.segments([frames[:8], frames[5:]])
    footage.film(3, "car", first=40, spoil=without_index_41)
    return footage


def published(footage: Footage) -> dict[str, bytes]:
    """Every object that an aggregation put."""
    return {**footage.objects("mapreduce-output"), **footage.objects("tracks"), **footage.objects("hours")}


def forget_published(footage: Footage) -> dict[str, bytes]:
    """Remove and return everything in it."""
    before = published(footage)
    for key in before:
        footage.store.delete(key)
    return before


def test_tasks_that_read_the_store_publish_the_inline_runners_bytes(
    drives: Footage, monkeypatch: pytest.MonkeyPatch
) -> None:
    inline = drives.aggregate(runner="inline")
    expected = forget_published(drives)
    assert len(inline.runs) == 2 and any(key.startswith("hours/") for key in expected)
    monkeypatch.setattr("frametally_hadoop.running.outcome.SPLIT_BYTES", 0)  # a task per segment
    assert drives.aggregate(runner="spark") == inline
    assert published(drives) == expected


@needs("traffic")
def test_lines_and_zones_are_counted_on_spark_to_the_same_bytes(drives: Footage) -> None:
    from frametally_traffic.drawings.revisions import change_drawing, with_shapes
    from frametally_traffic.records import DrawnLine, DrawnZone

    line = DrawnLine(name="line", points=((150, 480), (150, 0)), width_px=640, height_px=480)
    zone = DrawnZone(name="zone", points=((0, 0), (200, 0), (200, 480)), width_px=640, height_px=480)
    change_drawing(drives.store, "gate", lambda drawing: with_shapes(drawing, [line, zone]))
    drives.aggregate(runner="inline")
    for kind in (b"/line/line/to_right", b"/zone/zone/"):
        assert any(kind in lines for (model, *_), lines in drives.parts().items() if "~flows" in model)
    expected = forget_published(drives)
    drives.aggregate(runner="spark")
    assert published(drives) == expected


def test_rounds_on_spark_keep_the_unchanged_hours(drives: Footage) -> None:
    drives.aggregate(runner="spark")
    drives.segment(drive(drives, NOON_MS + 3 * HOUR_MS))
    report = drives.aggregate(runner="spark")
    assert (report.hours_kept > 0, len(report.runs)) == (True, 1)
    rounds = drives.parts()
    forget_published(drives)
    drives.aggregate(runner="inline")
    assert drives.parts() == rounds


def test_the_day_of_a_damaged_run_is_counted_whole(drives: Footage) -> None:
    drives.aggregate(runner="spark")
    [*_, part] = sorted(key for key in drives.objects("mapreduce-output") if "/part-" in key)
    drives.store.put(part, b"damaged")
    drives.segment(drive(drives, NOON_MS + 15 * HOUR_MS))
    report = drives.aggregate(runner="spark")
    assert any("is counted whole" in line for line in report.warnings)
    rounds = drives.parts()
    forget_published(drives)
    drives.aggregate(runner="inline")
    assert drives.parts() == rounds


def test_the_job_carries_no_link_and_no_key(drives: Footage, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    listening = Watched(drives.store, lambda call, _: called.append(call))
    sent: list[bytes] = []

    def noted(frame: FakeFrame, task: Any, schema: str) -> FakeFrame:
        sent.append(pickle.dumps((frame.collect(), task)))
        return frame.map_batches(task, schema)

    monkeypatch.setattr(spark, "map_batches", noted)
    settings = drives.settings.model_copy(update={"store_secret_key": "geheim"})
    drives.settings = settings
    drives.aggregate(listening, runner="spark")
    assert sent and not any(b"geheim" in data for data in sent)
    assert "before list" in called and "before address" not in called


def test_a_segment_removed_after_planning_is_left_out_of_the_new_plan(
    drives: Footage, monkeypatch: pytest.MonkeyPatch
) -> None:
    [first, *_] = drives.objects("metadata")
    count = days_on_spark.count_on_spark

    def after_a_loss(*arguments: Any) -> Any:
        drives.store.delete(first)
        return count(*arguments)

    monkeypatch.setattr("frametally_hadoop.publication.days_on_spark.count_on_spark", after_a_loss)
    report = drives.aggregate(runner="spark")
    assert report.segments_read == len(drives.objects("metadata"))


def test_an_unreadable_segment_is_one_line_with_its_name(drives: Footage) -> None:
    fetch = spark.fetch_from(drives.store)
    with one_line(Retryable, match=r"^segment lost cannot be read: .*metadata/lost"):
        list(fetch("metadata/lost", "segment lost"))


def refusal(footage: Footage, monkeypatch: pytest.MonkeyPatch) -> str:
    """The command's last message on Spark when it cannot count anything."""
    monkeypatch.setenv("FRAMETALLY_STORE_URL", footage.store.url)
    data = footage.settings.data_dir
    done = frametally("aggregate", "--runner", "spark", "--data-dir", data, code=2)
    assert published(footage) == {}
    return done.err.splitlines()[-1]


def test_a_store_that_refuses_the_tasks_is_one_line(drives: Footage, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str) -> None:
        raise Misconfigured(f"{url} refuses us: check FRAMETALLY_STORE_SECRET_KEY")

    monkeypatch.setattr(spark, "_open_store", refuse)
    assert "refuses us: check FRAMETALLY_STORE_SECRET_KEY" in refusal(drives, monkeypatch)


def test_without_spark_the_command_says_what_to_install(
    drives: Footage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(days_on_spark, "spark_job", ON_SPARK)
    monkeypatch.setitem(sys.modules, "pyspark", None)
    assert "run pip install 'frametally[spark]', and install Java 17" in refusal(drives, monkeypatch)


@pytest.mark.parametrize("master", ["mesos://somewhere:5050", "locally", "yarn-client", "sc://"])
def test_an_unknown_master_is_refused_with_the_masters_that_spark_has(tmp_path: Path, master: str) -> None:
    settings = load_settings(data_dir=tmp_path, spark_master=master).resolved()
    with (
        one_line(Misconfigured, match=f"{master}: Spark has no such master; write local"),
        ON_SPARK(settings, settings.store_url),
    ):
        pass


def test_a_pyspark_version_without_arrow_data_frames_is_refused_with_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = SimpleNamespace(__version__="3.4.1", sql=SimpleNamespace(SparkSession=None))
    monkeypatch.setitem(sys.modules, "pyspark", old)
    monkeypatch.setitem(sys.modules, "pyspark.sql", old.sql)
    settings = load_settings(data_dir=tmp_path).resolved()
    with (
        pytest.raises(Misconfigured, match=r"PySpark 3\.4\.1 is too old: install 3\.5 or newer"),
        ON_SPARK(settings, settings.store_url),
    ):
        pass


@pytest.mark.parametrize("kind", [Misconfigured, Poison, Retryable])
def test_a_tasks_own_error_is_extracted_from_sparks_traceback(kind: type[Exception]) -> None:
    class Failing:
        def collect(self) -> None:
            raise RuntimeError(
                f"An error occurred\nTraceback\n  raise\nframetally.errors.{kind.__name__}: segment a is cut"
                "\n\n\tat org.apache.spark"
            )

    with pytest.raises(kind, match=r"^segment a is cut$"):
        spark.collect(Failing())


def test_a_failure_of_spark_itself_is_one_line_with_its_remedy() -> None:
    class Failing:
        def collect(self) -> None:
            raise RuntimeError("Job aborted: no executors\n\tat org.apache.spark")

    with pytest.raises(Retryable, match="on the spark runner: Job aborted: no executors; run it again"):
        spark.collect(Failing())


@pytest.mark.parametrize("size_bytes", [0, 1, 99, 100, 101, 350, 5_000])
def test_a_segment_of_any_size_is_read_whole_in_blocks(tmp_path: Path, size_bytes: int) -> None:
    store = open_object_store(tmp_path.as_uri())
    data = bytes(number % 251 for number in range(size_bytes))
    store.put("metadata/a", data)
    blocks = list(spark.fetch_from(store)("metadata/a", "segment a", block_bytes=100))
    assert b"".join(blocks) == data
    assert all(len(block) == 100 for block in blocks[:-1])


REFUSED = """An error occurred while calling None.org.apache.spark.sql.classic.SparkSession.
: java.lang.IllegalStateException: Spark context stopped while waiting for backend
\tat org.apache.spark.scheduler.TaskSchedulerImpl.waitBackendReady(TaskSchedulerImpl.scala:1200)
Caused by: org.apache.spark.SparkException: Application removed: Master removed our application: FAILED
\tat org.apache.spark.deploy.client.StandaloneAppClient.run(StandaloneAppClient.scala:1)
\t... 12 more
"""
BROKEN_TASK = """An error occurred while calling o42.collect.
: org.apache.spark.SparkException: Job aborted due to stage failure
\tat org.apache.spark.scheduler.DAGScheduler.abortStage(DAGScheduler.scala:1)
Caused by: org.apache.spark.api.python.PythonException: Traceback (most recent call last):
  File "task.py", line 1, in task
    import cv2
ModuleNotFoundError: No module named 'cv2'

\tat org.apache.spark.api.python.BasePythonRunner.read(PythonRunner.scala:1)
"""
BROKEN_MAP = """An exception was thrown from the Python worker:
Traceback (most recent call last):
  File "task.py", line 1, in task
    import cv2
ModuleNotFoundError: No module named 'cv2'
 SQLSTATE: 38000

JVM stacktrace:
org.apache.spark.api.python.PythonException
\tat org.apache.spark.api.python.BasePythonRunner.read(PythonRunner.scala:1)
"""


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (
            REFUSED,
            "java.lang.IllegalStateException: Spark context stopped while waiting for backend; caused by "
            "org.apache.spark.SparkException: Application removed: Master removed our application: FAILED",
        ),
        (
            BROKEN_TASK,
            "org.apache.spark.SparkException: Job aborted due to stage failure; caused by "
            "ModuleNotFoundError: No module named 'cv2'",
        ),
        (BROKEN_MAP, "ModuleNotFoundError: No module named 'cv2'"),
        (
            ": java.lang.OutOfMemoryError: Java heap space\n\tat a.b(C.java:1)",
            "java.lang.OutOfMemoryError: Java heap space",
        ),
        (
            "[JAVA_GATEWAY_EXITED] Java gateway process exited",
            "[JAVA_GATEWAY_EXITED] Java gateway process exited",
        ),
        ("Traceback (most recent call last):", "Traceback (most recent call last):"),
        ("", "str"),
    ],
)
def test_a_java_error_is_reported_by_its_cause_and_not_by_the_failing_call(error: str, cause: str) -> None:
    assert java_cause(error) == cause
