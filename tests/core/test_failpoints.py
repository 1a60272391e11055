"""A failpoint kills the process at the requested place, and nowhere else."""

import os
import re
import signal
import sys
from pathlib import Path

import pytest
from tests.capabilities import HERE, PACKAGES
from tests.kit.processes import run_program

from frametally.errors import Misconfigured
from frametally.process import failpoints

PASSES = """
from frametally.process import failpoints
failpoints.arm()
for _ in range(3):
    failpoints.passing("chain.encoded")
    failpoints.passing("chain.put")
    print("passed", flush=True)
"""


def run(failpoint: str) -> tuple[int, int]:
    """Exit code, and the number of passes at the places."""
    done = run_program(
        [sys.executable, "-c", PASSES], code=None, env=os.environ | {failpoints.VARIABLE: failpoint}
    )
    return done.returncode, done.stdout.count("passed")


def test_an_unset_failpoint_does_nothing() -> None:
    assert run("") == (0, 3)


def test_the_process_dies_at_the_nth_passage() -> None:
    assert run("chain.put") == (-signal.SIGKILL, 0)
    assert run("chain.put:3") == (-signal.SIGKILL, 2)
    assert run("chain.put:4") == (0, 3)


@pytest.mark.parametrize(
    "text", ["nowhere", "chain.put:", "chain.put:0", "chain.put:x", ":1", "chain.put:-1"]
)
def test_an_unknown_failpoint_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(Misconfigured, match=failpoints.VARIABLE):
        failpoints.arm({failpoints.VARIABLE: text})


@pytest.mark.thorough
@pytest.mark.parametrize("stage", [["consume", "--until-caught-up"], ["produce", "."]])
def test_a_stage_refuses_an_unknown_failpoint_in_one_line(stage: list[str], tmp_path: Path) -> None:
    done = run_program(
        [sys.executable, "-m", "frametally", *stage],
        code=2,
        cwd=tmp_path,
        env=os.environ | {failpoints.VARIABLE: "nowhere", "FRAMETALLY_DETECTOR": "pixels"},
    )
    [line] = done.stderr.strip().splitlines()
    assert "unknown failpoint" in line


def test_the_code_passes_exactly_the_named_failpoints() -> None:
    sources = [path.read_text(encoding="utf-8") for package in PACKAGES for path in package.rglob("*.py")]
    passed = {name for text in sources for name in re.findall(r'failpoints\.passing\("([^"]+)"\)', text)} | {
        f"{topic}.{moment}"  # of both outboxes, in their shared code
        for text in sources
        for moment in re.findall(r'failpoints\.passing\(f"\{topic\}\.(\w+)"\)', text)
        for topic, capability in (("alerts", "alerts"), ("mail", "videos"))
        if capability in HERE
    }
    assert passed == set(failpoints.every_failpoint())
