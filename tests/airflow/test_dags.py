"""The DAGs against embedded parts, in the Airflow that `make test-airflow` sets up beside this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from frametally import keys
from frametally.count_index import open_count_index
from frametally.object_store import open_object_store
from frametally.records import Detection, FrameDetections
from frametally.runs import current_runs
from frametally.segments import encode_segment

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

FOLDER = Path(__file__).resolve().parents[2] / "cloud-services/airflow"
NOON_MS = 1_767_268_800_000
DAY_MS = 86_400_000


class Airflow:
    """One Airflow with its metadata in a file, and one deployment of frametally; nothing runs beside it."""

    def __init__(self, command: str, folder: Path) -> None:
        self.command = command
        self.folder = folder
        self.data_dir = folder / "data"
        self.store = open_object_store((self.data_dir / "store").as_uri())
        frametally = folder / "frametally"
        frametally.write_text(f'#!/bin/sh\nexec {sys.executable} -m frametally "$@"\n')
        frametally.chmod(0o755)
        self.env = os.environ | {
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(FOLDER / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(FOLDER / "plugins"),
            "FRAMETALLY_COMMAND": str(frametally),
            "FRAMETALLY_DATA_DIR": str(self.data_dir),
            "FRAMETALLY_NOTIFY_COMMAND": f"cat >> {folder / 'notified'}",
            "FRAMETALLY_AIRFLOW_RETRIES": "0",
            "FRAMETALLY_FOOTAGE_POLL_S": "1",
        }
        self.segments = 0

    def run(self, *arguments: str, expected: int = 0) -> str:
        finished = subprocess.run(
            [self.command, *arguments],
            env=self.env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == expected, (finished.stdout + finished.stderr)[-5000:]
        return finished.stdout

    def film(self, day: int, *, cars: int = 3) -> None:
        """One segment of that day's noon, counted from 2026-01-01."""
        at_ms = NOON_MS + day * DAY_MS + self.segments * 1000
        frames = [
            FrameDetections(
                image_path=keys.image_key("gate", at_ms + n, "ab" * 32, n),
                source="gate",
                frame_index=n,
                captured_at_ms=at_ms + n,
                time_source="start_time",
                width_px=640,
                height_px=480,
                media="ab" * 32,
                model="tiny-1",
                detections=[Detection(label="car", confidence=0.9, box=(1.0, 2.0, 30.0, 40.0))],
            )
            for n in range(cars)
        ]
        data = encode_segment(
            model="tiny-1",
            log_id="log-1",
            topic="frames",
            partition=0,
            first_offset=self.segments * 100,
            next_offset=(self.segments + 1) * 100,
            frames=frames,
            dead_letters=[],
        )
        self.store.put(keys.segment_key("tiny-1", "log-1", "frames", 0, self.segments * 100), data)
        self.segments += 1

    def counted(self) -> dict[str, int]:
        return {run.day: run.frames for run in current_runs(self.store)}

    def indexed(self) -> int:
        index = open_count_index(f"sqlite:///{self.data_dir / 'index.sqlite'}")
        try:
            return sum(detections for _, detections in index.labels("tiny-1"))
        finally:
            index.close()

    def notified(self) -> list[str]:
        return (self.folder / "notified").read_text().splitlines()

    def runs_of_count(self) -> set[str]:
        said = self.run("dags", "list-runs", "frametally_count", "-o", "json")
        listed = json.loads(said[said.index("[{") :]) if "[{" in said else []  # warnings come first
        return {run["run_id"] for run in listed}


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    command = os.environ.get("FRAMETALLY_AIRFLOW")
    if not command:
        pytest.skip("no Airflow here: `make test-airflow` sets FRAMETALLY_AIRFLOW to its command")
    made = Airflow(command, tmp_path_factory.mktemp("airflow"))
    made.run("db", "migrate")
    made.run("dags", "reserialize")
    return made


def test_the_dags_can_be_read(airflow):
    assert airflow.run("dags", "list-import-errors").strip().endswith("No data found")
    assert {"frametally_count", "frametally_new_footage"} <= set(airflow.run("dags", "list").split())


def test_a_run_counts_checks_and_indexes_its_data_interval_and_no_other_day(airflow):
    airflow.film(0)
    airflow.film(1)
    airflow.run("dags", "test", "frametally_count", "2026-01-02")  # the moment at which the day has ended
    assert airflow.counted() == {"2026-01-01": 3}
    assert airflow.indexed() == 3
    assert airflow.notified()[-1].startswith("frametally, 2026-01-01: aggregate done, ")


def test_a_run_of_a_day_that_is_counted_changes_nothing(airflow):
    before = list(airflow.store.list("mapreduce-output"))
    airflow.run("dags", "test", "frametally_count", "-c", '{"day": "2026-01-01"}')
    assert list(airflow.store.list("mapreduce-output")) == before != []


def test_new_footage_starts_the_run_of_its_day(airflow):
    before = airflow.runs_of_count()
    airflow.run("dags", "test", "frametally_new_footage")
    [started] = airflow.runs_of_count() - before
    assert started.startswith("footage__2026-01-02__")
    airflow.run("dags", "test", "frametally_new_footage")  # the same footage, seen again
    assert airflow.runs_of_count() - before == {started}
    airflow.run("dags", "test", "frametally_count", "-c", '{"day": "2026-01-02"}')  # as a scheduler would
    assert airflow.counted() == {"2026-01-01": 3, "2026-01-02": 3}
    assert airflow.indexed() == 6


def test_a_task_that_fails_fails_the_run_and_says_so(airflow):
    airflow.film(2)
    env = airflow.env
    airflow.env = env | {"FRAMETALLY_RUNNER": "no such runner"}
    try:
        airflow.run("dags", "test", "frametally_count", "-c", '{"day": "2026-01-03"}', expected=1)
    finally:
        airflow.env = env
    assert "2026-01-03" not in airflow.counted()
    assert "aggregate failed" in airflow.notified()[-1]
