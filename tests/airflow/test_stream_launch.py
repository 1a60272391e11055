"""Streams that Airflow starts for the dashboard, in an Airflow with all its parts running."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import urllib3
from tests.airflow.test_dags import FOLDER, Airflow, set_up
from tests.kit.ports import free_port
from tests.kit.processes import run_program
from tests.kit.waiting import until
from tests.live.test_streams_count import ENV, FRAMES, LIVE, NAMES, Deployment, made

from frametally_live.feed_records import LAUNCH_IS_GONE, Feed

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(1200)]

STREAM = "frametally_stream"
USER, PASSWORD = "frametally", "hidden-f7c1"
WHOLE, STEERED, FAILED, KILLED = NAMES


class World(NamedTuple):
    """A deployment whose streams are started by an Airflow; `airflow` is its API."""

    place: Deployment
    airflow: str
    web: str

    def start(self, name: str, *, web: str = "", **wanted: object) -> dict[str, Any]:
        return self.sent("stream/start", web=web, video_id=self.place.videos[name].id, **wanted)

    def sent(self, path: str, *, web: str = "", **said: object) -> dict[str, Any]:
        answer = urllib3.request("POST", f"{web or self.web}/api/{path}", json=said, timeout=60)
        assert answer.status in (200, 202), answer.data
        return dict(answer.json())

    def feed(self, stream: Mapping[str, Any]) -> Feed:
        found = self.place.feeds.feed(stream["stream_id"])
        assert found is not None
        return found

    def ends(self, stream: Mapping[str, Any]) -> tuple[str, str]:
        until(lambda: self.feed(stream).is_over)
        return self.feed(stream).told[:2]

    def asked(self, method: str, path: str, **said: object) -> dict[str, Any]:
        login = {"username": USER, "password": PASSWORD}
        token = urllib3.request("POST", f"{self.airflow}/auth/token", json=login).json()["access_token"]
        answer = urllib3.request(
            method,
            f"{self.airflow}/api/v2/dags/{STREAM}{path}",
            json=said or None,
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status < 300, (answer.status, answer.data)
        return dict(answer.json())

    def run_of(self, stream: Mapping[str, Any]) -> str:
        return str(self.asked("GET", f"/dagRuns/stream__{stream['stream_id']}")["state"])


def is_answering(url: str) -> bool:
    try:
        return urllib3.request("GET", url, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


PATIENT = """
import sys
from frametally_cli.main import main
from frametally_live.feeds import stream_form
stream_form.LAUNCH_WITHIN_S = 900.0
sys.exit(main(sys.argv[1:]))
"""


@contextmanager
def dashboard(place: Deployment, airflow: str, password: str = PASSWORD) -> Iterator[str]:
    port = free_port()
    env = {
        "FRAMETALLY_WEB_PORT": str(port),
        "FRAMETALLY_AIRFLOW_URL": airflow,
        "FRAMETALLY_AIRFLOW_USER": USER,
        "FRAMETALLY_AIRFLOW_PASSWORD": password,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        with place.left_to_run("serve", "--alone", program=("-c", PATIENT)):
            url = f"http://127.0.0.1:{port}"
            until(lambda: is_answering(f"{url}/healthz"))
            yield url


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    folder = tmp_path_factory.mktemp("footage")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (ENV | {"FRAMETALLY_LEASE_S": "2"}).items():
            patch.setenv(name, value)
        yield {name: made(folder / f"{name}.mp4", number) for number, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def world(
    clips: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, migrated: Path
) -> Iterator[World]:
    airflow = set_up(tmp_path_factory, migrated)
    dags = airflow.folder / "dags"
    dags.mkdir()
    shutil.copy(FOLDER / "dags" / f"{STREAM}.py", dags)  # nothing else may run here
    passwords = airflow.folder / "passwords.json"
    passwords.write_text(json.dumps({USER: PASSWORD}))
    with ExitStack() as stack:
        place = stack.enter_context(closing(Deployment(tmp_path_factory.mktemp("launched") / "house")))
        place.take_in(clips, *NAMES)
        airflow.env |= os.environ | {
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:user",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "FRAMETALLY_DATA_DIR": str(place.settings.data_dir),
        }
        stack.enter_context(airflow.at_work())
        url = f"http://127.0.0.1:{airflow.env['AIRFLOW__API__PORT']}"
        for command in (("live", "work"), ("consume", "--live")):
            stack.enter_context(place.left_to_run(*command))
        until(lambda: is_answering(f"{url}/api/v2/monitor/health"))
        world = World(place, url, stack.enter_context(dashboard(place, url)))
        until(lambda: is_known(airflow))
        yield world


def is_known(airflow: Airflow) -> bool:
    return STREAM in airflow.run("dags", "list", "-o", "plain")


def test_a_start_through_the_api_is_one_run_that_streams_and_counts_as_without_airflow(
    world: World, clips: dict[str, Path], tmp_path: Path
) -> None:
    place = world.place
    stream = world.start(WHOLE, speed=16)
    assert stream["state"] == "requested"
    assert world.start(WHOLE)["stream_id"] == stream["stream_id"]
    assert world.ends(stream) == ("ended", "")
    assert world.feed(stream).speed == 16
    until(lambda: world.run_of(stream) == "success")
    assert world.asked("GET", "/dagRuns")["total_entries"] == 1
    until(lambda: len(place.lines(WHOLE, LIVE)) == FRAMES)
    with closing(Deployment(tmp_path / "queue")) as plain:
        plain.take_in(clips, WHOLE)
        with plain.left_to_run("live", "work"), plain.left_to_run("consume", "--live"):
            plain.beside("stream", plain.videos[WHOLE].id, "--speed", "16")
            until(lambda: len(plain.lines(WHOLE, LIVE)) == FRAMES)
        for one in (place, plain):
            one("aggregate")
        assert place.announced(LIVE, WHOLE) == plain.announced(LIVE, WHOLE)
        assert place.lines(WHOLE, LIVE) == plain.lines(WHOLE, LIVE)
        assert place.manifest(WHOLE) == plain.manifest(WHOLE)
        assert place.parts() == plain.parts() != {}


def test_the_stream_of_a_run_can_be_paused_sought_and_stopped_and_the_run_ends_with_it(world: World) -> None:
    stream = world.start(STEERED, speed=0.5)
    here = f"v1/streams/{stream['stream_id']}"
    world.sent(f"{here}/pause")
    until(lambda: world.feed(stream).told.state == "paused")
    world.sent(f"{here}/seek", position_s=3)
    world.sent(f"{here}/resume")
    until(lambda: world.feed(stream).told.state == "running")
    until(lambda: (world.feed(stream).told.position_s or 0) >= 3)
    assert world.sent("stream/stop", stream_id=stream["stream_id"])["wanted"] == "stop"
    assert world.ends(stream)[0] == "ended"
    until(lambda: world.run_of(stream) == "success")


def test_marking_a_run_as_failed_ends_its_stream_with_that_reason(world: World) -> None:
    stream = world.start(FAILED, speed=0.1)
    until(lambda: world.feed(stream).told.frames_announced > 0)
    world.asked("PATCH", f"/dagRuns/stream__{stream['stream_id']}", state="failed")
    assert world.ends(stream) == (
        "failed",
        "Airflow ended its run: check there for the reason, then start the stream again.",
    )
    assert 0 < len(world.place.announced(LIVE, FAILED)) < FRAMES


def test_killing_a_run_ends_its_stream_with_that_reason(world: World) -> None:
    stream = world.start(KILLED, speed=0.1)
    until(lambda: world.feed(stream).told.frames_announced > 0)
    found = run_program(["pgrep", "-f", f"frametally stream .*--booked {stream['stream_id']}"])
    for process in found.stdout.split():
        os.kill(int(process), signal.SIGKILL)
    assert world.ends(stream) == ("failed", LAUNCH_IS_GONE)
    until(lambda: world.run_of(stream) == "failed")


def test_a_wrong_password_and_a_paused_dag_give_one_line_each(world: World) -> None:
    runs = world.asked("GET", "/dagRuns")["total_entries"]
    with dashboard(world.place, world.airflow, "guess-91b") as web:
        wrong = world.start(KILLED, web=web)
    assert (wrong["state"], wrong["reason"]) == (
        "failed",
        f"Airflow at {world.airflow} refuses the user name or password (401): check "
        f"FRAMETALLY_AIRFLOW_USER and "
        "FRAMETALLY_AIRFLOW_PASSWORD, then start the stream again.",
    )
    world.asked("PATCH", "", is_paused=True)
    try:
        paused = world.start(KILLED)
    finally:
        world.asked("PATCH", "", is_paused=False)
    assert (paused["state"], paused["reason"]) == (
        "failed",
        f"Airflow at {world.airflow} has paused the DAG {STREAM}: run `airflow dags unpause {STREAM}`, "
        "then start the stream again.",
    )
    assert world.asked("GET", "/dagRuns")["total_entries"] == runs
