"""`frametally up` runs everything on one machine: dead members restart, and Ctrl-C leaves nothing behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.commands import frametally
from tests.family.footage import make_video
from tests.family.running import Running, of_group
from tests.kit.processes import run_program
from tests.kit.waiting import until

from frametally.files.work_lock import work_lock
from frametally.plugins import plugins
from frametally.settings.loading import load_settings
from frametally_cli.stages.members_on_demand import is_all_here

OF_PLUGINS = {"work": "videos", "consume --live": "live", "live": "live", "alerts": "alerts"}
HERE = {plugin.name for plugin in plugins()}
MEMBERS = ["serve", "consume", "aggregate", *(name for name, plugin in OF_PLUGINS.items() if plugin in HERE)]

SETTINGS = {"FRAMETALLY_DETECTOR": "pixels"}
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:]{8}[+-]\d\d:\d\d (INFO   |WARNING|ERROR  ) \S")
START_SERVICES = Path(__file__).resolve().parents[2] / "start_services.sh"


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Running]:
    with Running(tmp_path, "up", settings=SETTINGS) as family:
        until(lambda: all(family.process_of(member) for member in MEMBERS))
        yield family


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_members_and_leaves_nothing(up: Running, number: signal.Signals) -> None:
    url = up.url
    with urllib.request.urlopen(f"{url}/healthz", timeout=30) as answer:  # noqa: S310
        assert answer.status == 200
    until(lambda: re.search(r"aggregate +\| counts: 0 days", up.said) is not None)
    assert up.ends_by(number) == 0
    assert [line for line in up.said.splitlines() if not LOG_LINE.match(line)] == []
    assert of_group(up.process.pid) == {}
    port = int(url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        pass


@pytest.mark.thorough
def test_another_up_on_the_same_folder_is_named(tmp_path: Path) -> None:
    line = f"another `frametally up` is already running here (process {os.getpid()}); both work on"
    with work_lock(tmp_path / "frametally-data", "up"), Running(tmp_path, "up", settings=SETTINGS) as up:
        until(lambda: line in up.said)
        until(lambda: bool(up.process_of("serve")))


@pytest.mark.thorough
def test_ctrl_c_that_reaches_all_members_ends_with_0(up: Running) -> None:
    assert up.url
    until(lambda: re.search(r"aggregate +\| counts: 0 days", up.said) is not None)
    os.killpg(up.process.pid, signal.SIGINT)
    assert up.process.wait(60) == 0, up.said
    assert of_group(up.process.pid) == {}


@pytest.mark.thorough
@pytest.mark.parametrize("member", MEMBERS)
def test_a_killed_member_is_restarted(up: Running, member: str) -> None:
    before = {name: up.process_of(name) for name in MEMBERS}
    killed = before[member]
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    until(lambda: up.process_of(member) not in (None, killed))
    assert f"{member:<14} | was killed by SIGKILL: frametally starts it again in " in up.said
    assert {name: up.process_of(name) for name in MEMBERS if name != member} == {
        name: process for name, process in before.items() if name != member
    }


@pytest.mark.thorough
def test_start_services_is_the_same_as_up_and_leaves_nothing_after_a_kill_and_ctrl_c(tmp_path: Path) -> None:
    with Running(tmp_path, "up", settings=SETTINGS, program=[str(START_SERVICES)]) as up:
        until(lambda: all(up.process_of(member) for member in MEMBERS))
        port = int(up.url.rpartition(":")[2])
        until(lambda: re.search(r"aggregate +\| counts: 0 days", up.said) is not None)
        killed = up.process_of("work")
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        until(lambda: up.process_of("work") not in (None, killed))
        os.killpg(up.process.pid, signal.SIGINT)
        assert up.process.wait(60) == 0, up.said
        assert of_group(up.process.pid) == {}
        with socket.create_server(("127.0.0.1", port)):
            pass


@pytest.mark.thorough
def test_start_services_passes_on_the_exit_code_and_the_error_line(tmp_path: Path) -> None:
    done = run_program([START_SERVICES, "--every", "soon"], code=2, cwd=tmp_path)
    assert "--every 'soon' is not a period of at most a day" in done.stderr


def test_start_services_without_frametally_gives_one_line(tmp_path: Path) -> None:
    alone = tmp_path / START_SERVICES.name
    shutil.copy(START_SERVICES, alone)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "dirname", "env"):
        (tools / name).symlink_to(str(shutil.which(name)))
    done = run_program([alone], code=2, env={"PATH": str(tools)}, cwd=tmp_path)
    assert done.stderr == f"error: frametally is not installed here: run `make setup` in {tmp_path}\n"


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's end")
def test_nothing_outlives_a_killed_up(up: Running) -> None:
    up.process.kill()
    up.process.wait()
    until(lambda: of_group(up.process.pid) == {})


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"ledger_url": "postgresql://books/frametally"},
        {"gold_url": "postgresql://gold/frametally"},
        {"queue_url": "amqp://broker"},
        {"log_url": "kafka://broker"},
    ],
    ids=str,
)
def test_a_dashboard_starts_no_other_process_where_any_part_is_on_a_server(
    elsewhere: dict[str, str], tmp_path: Path
) -> None:
    here = load_settings(data_dir=tmp_path)
    assert is_all_here(here)
    assert not is_all_here(here.model_copy(update=elsewhere))


def test_a_port_in_use_gives_one_line_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = frametally("up", "--port", port, "--data-dir", tmp_path / "data", code=2)
    assert said.out == ""
    assert f"the dashboard cannot listen on 127.0.0.1:{port}" in said.err
    assert "choose another port with --port or FRAMETALLY_WEB_PORT" in said.err
    assert "--no-serve" not in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("period", ["soon", "0s", "2d"])
def test_an_invalid_period_gives_one_line_before_anything_starts(period: str, tmp_path: Path) -> None:
    said = frametally("up", "--every", period, "--data-dir", tmp_path / "data", code=2).err
    assert f"--every {period!r} is not a period of at most a day" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.thorough
@pytest.mark.skipif("videos" not in HERE, reason="needs videos")
def test_a_dashboard_tests_the_model_before_a_video_is_announced_and_its_page_shows_why_it_fails(
    tmp_path: Path,
) -> None:
    (tmp_path / "own.onnx").write_bytes(b"not a network")
    (tmp_path / "own.names").write_text("lorry\n")
    names = {"FRAMETALLY_MODEL_WEIGHTS": "own.onnx", "FRAMETALLY_MODEL_NAMES": "own.names"}
    own = {name: str(tmp_path / file) for name, file in names.items()}
    with Running(tmp_path, "serve", settings={"FRAMETALLY_DETECTOR": "openvino", **own}) as serve:
        assert serve.ask("/api/v1/status")["needs"] == []
        serve.upload(make_video(tmp_path / "gate.mp4", frames=10), source="Gate")
        until(lambda: "are not processed" in serve.said)
        until(lambda: bool(serve.ask("/api/v1/status")["needs"]))
        [need] = serve.ask("/api/v1/status")["needs"]
        assert "are not processed: " in need["line"] and "own.onnx is not an ONNX file" in need["line"]
        assert serve.process_of("work") is serve.process_of("consume") is None
        assert serve.said.count("own.onnx is not an ONNX file") == 1
        assert not list(serve.data_dir.glob("store/images/**/*.jpg"))
