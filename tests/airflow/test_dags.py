"""The DAGs against embedded parts, in the separate Airflow that `make test-airflow` installs."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.kit.processes import run_program
from tests.kit.waiting import until

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_object_store
from frametally.books.runs import current_runs
from frametally.records import Detection, FrameDetections
from frametally.segments.contents import encode_segment
from frametally_accounts.book import AccessBook
from frametally_accounts.rights import UserAccount

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

FOLDER = Path(__file__).resolve().parents[2] / "cloud-services/airflow"
NOON_MS = 1_767_268_800_000
DAY_MS = 86_400_000


class Airflow:
    """One Airflow with its metadata in a file, and one deployment of frametally; tests start the
    other parts."""

    def __init__(self, command: str, folder: Path) -> None:
        self.command = command
        self.folder = folder
        self.home = folder / "airflow"
        self.data_dir = folder / "data"
        self.store = open_object_store((self.data_dir / "store").as_uri())
        frametally = folder / "frametally"
        self.broken = folder / "broken"  # while it exists, every count fails
        self.deadly = folder / "deadly"  # while it exists, a layer dies after its first write
        frametally.write_text(
            f'#!/bin/sh\n[ ! -e {self.broken} ] || [ "$2" = --dry-run ] || [ "$1" = media ] || exit 2\n'
            f"[ ! -e {self.deadly} ] || export FRAMETALLY_FAILPOINT=layer.made\n"
            f'exec {sys.executable} -m frametally "$@"\n'
        )
        frametally.chmod(0o755)
        self.env = os.environ | {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(FOLDER / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(FOLDER / "plugins"),
            "FRAMETALLY_COMMAND": str(frametally),
            "FRAMETALLY_DATA_DIR": str(self.data_dir),
            "FRAMETALLY_NOTIFY_COMMAND": f"cat >> {folder / 'notified'}",
            "FRAMETALLY_AIRFLOW_RETRIES": "0",
            "FRAMETALLY_FOOTAGE_POLL_S": "1",
            "FRAMETALLY_VIDEOS_POLL_S": "1",
            "FRAMETALLY_VIDEO_ORCHESTRATOR": "airflow",
        }
        self.segments = 0

    def run(self, *arguments: str, expected: int | None = 0) -> str:
        finished = run_program([self.command, *arguments], code=None, env=self.env, cwd=self.folder)
        assert expected in (None, finished.returncode), (finished.stdout + finished.stderr)[-5000:]
        return finished.stdout

    def film(self, day: int, *, cars: int = 3, is_damaged: bool = False) -> tuple[str, bytes]:
        """One segment of that day's noon, counted from 2026-01-01: its key and its expected content."""
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
        key = keys.segment_key("tiny-1", "log-1", "frames", 0, self.segments * 100)
        self.store.put(key, data.replace(b'"car"', b'"cat"', 1) if is_damaged else data)
        self.segments += 1
        return key, data

    def counted(self) -> dict[str, int]:
        return {run.day: run.frames for run in current_runs(self.store)}

    def indexed(self) -> int:
        index = open_count_index(f"sqlite:///{self.data_dir / 'index.sqlite'}")
        try:
            return sum(detections for _, detections in index.labels("tiny-1"))
        finally:
            index.close()

    def notified(self) -> list[str]:
        path = self.folder / "notified"
        return path.read_text().splitlines() if path.exists() else []

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """All of Airflow's processes, in processes that end here."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        self.env |= {
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": port,
            "AIRFLOW__API__WORKERS": "1",
            # Otherwise each part without configuration writes one, with a different secret.
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__CORE__PARALLELISM": "2",
        }
        # -s: serve no logs
        parts = ["api-server"], ["dag-processor"], ["triggerer", "-s"], ["scheduler", "-s"]
        processes: list[subprocess.Popen[bytes]] = []
        try:
            for part in parts:
                processes.append(self._start(*part))
            yield
        finally:
            for process in reversed(processes):  # the scheduler first: its tasks end while the others answer
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(30)
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            for log in self.folder.glob("*.log"):
                print(f"{log.name}:\n{log.read_text()[-3000:]}")  # shown if a test fails

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{arguments[0]}.log").open("w") as log:
            return subprocess.Popen(
                [self.command, *arguments],
                env=self.env,
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def airflow_command() -> str:
    command = os.environ.get("FRAMETALLY_AIRFLOW")
    if not command:
        pytest.skip("no Airflow here: `make test-airflow` sets FRAMETALLY_AIRFLOW to its command")
    return command


def migrate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An Airflow database with its tables and without DAGs."""
    made = Airflow(airflow_command(), tmp_path_factory.mktemp("migrated"))
    made.run("db", "migrate")
    return made.home / "airflow.db"


def set_up(tmp_path_factory: pytest.TempPathFactory, database: Path) -> Airflow:
    """An Airflow that starts with a copy of this database."""
    made = Airflow(airflow_command(), tmp_path_factory.mktemp("airflow"))
    made.home.mkdir()
    shutil.copy(database, made.home)
    return made


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, with_dags: Path) -> Airflow:
    return set_up(tmp_path_factory, with_dags)


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Airflow]:
    made = set_up(tmp_path_factory, migrated)
    with made.at_work():
        yield made


def test_the_dags_can_be_loaded_and_none_has_to_be_switched_on(airflow: Airflow) -> None:
    assert airflow.run("dags", "list-import-errors").strip().endswith("No data found")
    said = airflow.run("dags", "list", "-o", "json")
    listed = {
        dag["dag_id"]: dag["is_paused"] for dag in json.loads(said[said.index("[{") :])
    }  # warnings are printed first
    assert listed == dict.fromkeys(
        [
            "frametally_backup",
            "frametally_count",
            "frametally_new_footage",
            "frametally_remove_old_data",
            "frametally_scrub",
            "frametally_stream",
            "frametally_video_arrived",
            "frametally_video_process",
        ],
        "False",
    )


def test_a_run_counts_checks_and_indexes_its_data_interval_and_no_other_day(airflow: Airflow) -> None:
    airflow.film(0)
    airflow.film(1)
    airflow.run("dags", "test", "frametally_count", "2026-01-02")  # the end of the day
    assert airflow.counted() == {"2026-01-01": 3}
    assert airflow.indexed() == 3
    assert airflow.notified()[-1].startswith("frametally, 2026-01-01: aggregate done, ")


def test_a_run_of_a_counted_day_changes_nothing(airflow: Airflow) -> None:
    before = list(airflow.store.list("mapreduce-output"))
    airflow.run("dags", "test", "frametally_count", "-c", '{"day": "2026-01-01"}')
    assert list(airflow.store.list("mapreduce-output")) == before != []


def test_a_failed_task_fails_the_run_with_its_reason(airflow: Airflow) -> None:
    airflow.film(2)
    env = airflow.env
    airflow.env = env | {"FRAMETALLY_RUNNER": "no such runner"}
    try:
        airflow.run("dags", "test", "frametally_count", "-c", '{"day": "2026-01-03"}', expected=1)
    finally:
        airflow.env = env
    assert "2026-01-03" not in airflow.counted()
    assert "aggregate failed" in airflow.notified()[-1]


def test_a_command_that_crashes_fails_the_run(airflow: Airflow) -> None:
    env = airflow.env
    airflow.env = env | {"FRAMETALLY_COMMAND": "/bin/false"}  # it exits with 1, as Python does on a crash
    try:
        airflow.run("dags", "test", "frametally_count", "-c", '{"day": "2026-01-03"}', expected=1)
    finally:
        airflow.env = env
    assert "aggregate failed" in airflow.notified()[-1]


def test_accounts_are_backed_up_and_a_failed_backup_is_reported(airflow: Airflow) -> None:
    with closing(AccessBook(f"sqlite:///{airflow.data_dir / 'catalogue.sqlite'}")) as book:
        book.add_account(UserAccount("anna", "run"))
    airflow.run("dags", "test", "frametally_backup")
    assert len(list(airflow.store.list("backups"))) == 1
    told = len(airflow.notified())
    airflow.env |= {"FRAMETALLY_BACKUP_KEY": "too short"}
    try:
        airflow.run("dags", "test", "frametally_backup", expected=1)
    finally:
        del airflow.env["FRAMETALLY_BACKUP_KEY"]
    assert [line.partition(";")[0] for line in airflow.notified()[told:]] == [
        "frametally: no backup was created"
    ]


def test_damage_in_the_store_fails_the_scrub_with_its_reason(airflow: Airflow) -> None:
    airflow.env |= {"FRAMETALLY_DETECTOR": "pixels"}
    key, data = airflow.film(3)
    airflow.run("dags", "test", "frametally_scrub")
    told = len(airflow.notified())
    airflow.store.put(key, data.replace(b'"confidence":0.9', b'"confidence":0.1'))
    airflow.run("dags", "test", "frametally_scrub", expected=1)
    airflow.store.put(key, data)
    assert [line.partition(";")[0] for line in airflow.notified()[told:]] == [
        "frametally: doctor --deep found a problem"
    ]


@pytest.fixture
def watch(tmp_path: Path) -> Callable[..., list[list[object]]]:
    """Runs the trigger through a list of looks, see `watching.py`."""
    command = airflow_command()

    def run(*looks: dict[str, object]) -> list[list[object]]:
        finished = run_program(
            [Path(command).with_name("python"), Path(__file__).with_name("watching.py")],
            input=json.dumps(looks),
            env=os.environ | {"AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": str(FOLDER / "plugins")},
        )
        return json.loads(finished.stdout.splitlines()[-1])

    return run


FIRST, LATER = {"2026-01-02": "a"}, {"2026-01-02": "b"}


def starts(seen: list[list[object]]) -> list[object]:
    return [what for kind, what in seen if kind == "start"]


def test_the_same_footage_starts_one_run_however_often_it_is_seen_and_more_of_it_another(
    watch: Callable[..., Any],
) -> None:
    states = "queued", "success", "success", "success"
    seen = watch({"days": FIRST}, *({"days": FIRST, "runs": state} for state in states), {"days": LATER})
    [[first], [later]] = starts(seen)
    assert first["conf"] == later["conf"] == {"day": "2026-01-02"}
    assert first["trigger_run_id"].startswith("footage__2026-01-02__")
    assert first["trigger_run_id"] != later["trigger_run_id"]


def test_each_look_comes_after_a_wait(watch: Callable[..., Any]) -> None:
    seen = watch({"days": FIRST}, {"days": FIRST}, {"days": LATER})
    assert [kind for kind, _ in seen] == [
        "wait",
        "look",
        "start",
        "wait",
        "look",
        "wait",
        "look",
        "start",
        "wait",
    ]


def test_footage_that_arrives_while_a_run_counts_waits_for_its_end(watch: Callable[..., Any]) -> None:
    seen = watch({"days": FIRST}, {"days": LATER, "runs": "running"}, {"days": LATER, "runs": "success"})
    assert [kind for kind, _ in seen] == ["wait", "look", "start", "wait", "wait", "look", "start", "wait"]


def test_a_failed_run_is_retried_at_growing_intervals_up_to_an_hour(watch: Callable[..., Any]) -> None:
    seen = watch({"days": FIRST}, *[{"days": FIRST, "runs": "failed"}] * 10)
    runs = [run for [run] in starts(seen)]
    first = runs[0]["trigger_run_id"]
    assert [run["trigger_run_id"] for run in runs[1:]] == [f"{first}__{n}" for n in range(2, 12)]
    assert [run.get("wait_s") for run in runs] == [None, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_a_failed_run_is_not_retried_while_the_next_attempt_waits(watch: Callable[..., Any]) -> None:
    waits = {"days": FIRST, "runs": "queued"}
    seen = watch({"days": FIRST}, {"days": FIRST, "runs": "failed"}, waits, waits)
    assert len(starts(seen)) == 2


def test_footage_is_counted_and_indexed_automatically(working: Airflow) -> None:
    working.film(0)
    until(lambda: said_of(working, "2026-01-01", "aggregate done"))
    assert working.counted() == {"2026-01-01": 3}
    assert working.indexed() == 3


def test_footage_whose_count_failed_is_counted_once_it_is_possible(working: Airflow) -> None:
    working.broken.touch()
    working.film(1)
    until(lambda: said_of(working, "2026-01-02", "aggregate failed"))
    working.broken.unlink()
    until(lambda: said_of(working, "2026-01-02", "aggregate done"))
    assert working.counted()["2026-01-02"] == 3


def test_a_day_with_a_damaged_segment_is_counted_without_it_and_completely_once_it_is_restored(
    working: Airflow,
) -> None:
    working.film(2)
    key, whole = working.film(2, is_damaged=True)
    until(lambda: said_of(working, "2026-01-03", "aggregate done"))
    assert working.counted()["2026-01-03"] == 3
    working.store.put(key, whole)
    until(lambda: working.counted()["2026-01-03"] == 6)


def said_of(airflow: Airflow, day: str, what: str) -> bool:
    return any(line.startswith(f"frametally, {day}: {what}") for line in airflow.notified())
