"""A job that cannot be isolated, as under a filter that refuses the call, decodes nothing and says why."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.commands import run_frametally
from tests.fakes import refused_calls
from tests.kit.processes import run_program

REMEDY = "allow the system call `seccomp` in the container or service"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such filters")


def refused(
    folder: Path, *arguments: str, module: str = "frametally", text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `frametally` without the call that gives up the network."""
    command = [sys.executable, "-m", module, *arguments]
    return run_program(
        [sys.executable, refused_calls.__file__, str(refused_calls.SECCOMP_CALL), *command],
        code=None,
        cwd=folder,
        input=text,
    )


@pytest.mark.thorough
def test_doctor_names_what_prevents_a_jobs_isolation(tmp_path: Path) -> None:
    here = run_frametally("doctor", "--json", "--stage", "work", cwd=tmp_path)
    there = refused(tmp_path, "doctor", "--json", "--stage", "work")
    assert (here.code, there.returncode) == (0, 2)
    for shown, value, remedy in ((here.out, "without a network", ""), (there.stdout, "not possible", REMEDY)):
        [row] = [row for row in json.loads(shown)["rows"] if row["area"] == "jobs"]
        assert (row["value"], remedy in row["remedy"], bool(row["remedy"])) == (value, True, bool(remedy))


@pytest.mark.thorough
def test_a_job_that_would_have_the_network_does_nothing(tmp_path: Path) -> None:
    order = '{"video_id":"0123456789abcdef","kind":"previews"}\n'
    there = refused(tmp_path, module="frametally_videos.jobs", text=order)
    assert json.loads(there.stdout)["end"] == "again"
    assert REMEDY in json.loads(there.stdout)["reason"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.thorough
def test_no_video_is_decoded_where_its_job_would_have_the_network(
    tmp_path: Path, make_video: Callable[..., Path]
) -> None:
    clip = make_video("a.mp4", 3)
    upload = ("upload", str(clip), "--source", "gate", "--start-time", "2026-03-01T10:00:00Z")
    there = refused(tmp_path, *upload)
    assert (there.returncode, REMEDY in there.stderr) == (2, True), there
    here = run_frametally(*upload, cwd=tmp_path)
    assert here.code == 0, here
    there = refused(tmp_path, "work", "--until-done")
    assert (there.returncode, there.stdout, REMEDY in there.stderr) == (2, "", True), there


@pytest.mark.thorough
def test_a_job_keeps_the_network_where_the_setting_allows_it_and_doctor_reports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMETALLY_JOB_NETWORK", "true")
    there = refused(tmp_path, "doctor", "--json", "--stage", "work")
    [row] = [row for row in json.loads(there.stdout)["rows"] if row["area"] == "jobs"]
    assert (row["value"], row["note"]) == ("with the network", "allowed by FRAMETALLY_JOB_NETWORK")
    order = '{"video_id":"0123456789abcdef","kind":"previews"}\n'
    assert REMEDY not in refused(tmp_path, module="frametally_videos.jobs", text=order).stdout
