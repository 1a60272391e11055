"""A long-running command waits for a server that is unavailable at its start; a one-off command reports it
and exits.

A stopped container has no name in the network, so an unknown host name counts as unavailable.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from frametally.process.exit_codes import NOTHING_DONE

pytestmark = pytest.mark.thorough

NO_NAME = "elasticsearch+http://elasticsearch.invalid:9200"
REFUSED = "postgresql://127.0.0.1:1/frametally"
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d (INFO   |WARNING|ERROR  ) \S")
AWAY_BUCKET = {
    "FRAMETALLY_STORE_URL": "s3://frames",
    "FRAMETALLY_STORE_ENDPOINT": "http://127.0.0.1:1",
    "FRAMETALLY_STORE_ACCESS_KEY": "me",
    "FRAMETALLY_STORE_SECRET_KEY": "secret",
}
ALERTS = ("alerts", "run", "--every", "10s")


def started(data_dir: Path, arguments: tuple[str, ...], **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "frametally", *arguments, "--data-dir", str(data_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | settings,
    )


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        (("index", "--every", "10s"), {"FRAMETALLY_INDEX_URL": NO_NAME}),
        (("index", "--every", "10s"), {"FRAMETALLY_INDEX_URL": REFUSED}),
        (("aggregate", "--every", "10s"), {"FRAMETALLY_LEDGER_URL": REFUSED}),
        (ALERTS, {"FRAMETALLY_INDEX_URL": NO_NAME}),
        (("work",), {"FRAMETALLY_INDEX_URL": NO_NAME}),
        (("consume", "--workers", "2"), AWAY_BUCKET),
        (("consume", "--until-caught-up"), AWAY_BUCKET),
        (("produce", "gate.mp4"), AWAY_BUCKET),
        (("produce", "gate.mp4"), AWAY_BUCKET | {"FRAMETALLY_STORE_ENDPOINT": "http://store.invalid:8333"}),
        (("live", "work"), {"FRAMETALLY_CATALOGUE_URL": REFUSED}),
        (("serve", "--alone", "--port", "0"), {"FRAMETALLY_LEDGER_URL": REFUSED}),
        (("serve", "--alone", "--port", "0"), {"FRAMETALLY_CATALOGUE_URL": REFUSED}),
    ],
)
def test_continuous_commands_wait_for_a_server_that_is_down_at_their_start(
    tmp_path: Path, arguments: tuple[str, ...], settings: dict[str, str]
) -> None:
    with started(tmp_path, arguments, **settings) as command:
        said = ""
        for said in command.stdout:
            if "waiting" in said:
                break
        where = next(
            (name for name in ("elasticsearch.invalid", "store.invalid") if name in str(settings)),
            "127.0.0.1",
        )
        running = command.poll() is None
        command.send_signal(signal.SIGTERM)
        assert "waiting" in said and where in said, said
        assert running
        assert command.wait() != NOTHING_DONE
        assert "Traceback" not in command.stdout.read()


def test_counting_goes_on_while_the_index_is_down(tmp_path: Path) -> None:
    with started(tmp_path, ("aggregate", "--every", "10s"), FRAMETALLY_INDEX_URL=NO_NAME) as command:
        lines = []
        for line in command.stdout:
            lines.append(line)
            if "waiting" in line:
                break
        command.send_signal(signal.SIGTERM)
        assert any(" counts: " in line for line in lines), lines
        assert "FRAMETALLY_INDEX_URL" in lines[-1], lines
        assert " WARNING waiting: " in lines[-1], lines
        assert [line for line in lines if not LOG_LINE.match(line)] == []
        assert command.wait() == 0


def test_counting_once_does_not_need_the_index(tmp_path: Path) -> None:
    with started(tmp_path, ("aggregate",), FRAMETALLY_INDEX_URL=NO_NAME) as command:
        said, _ = command.communicate()
    assert (command.returncode, said.splitlines()[-1].partition(":")[0]) == (0, "counts"), said


@pytest.mark.parametrize(
    ("stage", "setting", "url"),
    [
        ("index", "FRAMETALLY_INDEX_URL", NO_NAME),
        ("index", "FRAMETALLY_INDEX_URL", REFUSED),
        ("aggregate", "FRAMETALLY_LEDGER_URL", REFUSED),
    ],
)
def test_a_command_that_runs_once_names_the_unavailable_server_in_one_line(
    tmp_path: Path, stage: str, setting: str, url: str
) -> None:
    with started(tmp_path, (stage,), **{setting: url}) as command:
        said, _ = command.communicate()
    assert command.returncode == NOTHING_DONE
    [line] = said.splitlines()
    assert line.startswith("error: ") and ("elasticsearch.invalid" in line or "127.0.0.1" in line)


def test_the_dashboard_opens_its_port_and_says_why_while_the_index_is_unavailable(tmp_path: Path) -> None:
    index = {"FRAMETALLY_INDEX_URL": "elasticsearch+http://127.0.0.1:1"}
    with started(tmp_path, ("serve", "--alone", "--port", "0"), **index) as command:
        line = next((line for line in command.stdout if "Dashboard at" in line), "")
        url = line.partition("Dashboard at ")[2].partition(" ")[0]
        with urllib.request.urlopen(url, timeout=60) as page:  # noqa: S310 - it is http
            assert b"dashboard" in page.read()
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(f"{url}/api/v1/counts", timeout=60)  # noqa: S310 - it is http
        problem = json.loads(refusal.value.read())
        command.send_signal(signal.SIGTERM)
        away = "The count index is not responding at the moment. It has been unavailable since "
        assert (refusal.value.code, problem["detail"].startswith(away)) == (503, True), problem
        assert "Traceback" not in command.stdout.read()
    assert command.returncode == 0
