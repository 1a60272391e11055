"""A scheduler can tell a crash from work that set something aside."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from frametally.process.exit_codes import NOTHING_DONE, PART_DONE
from frametally.process.reports import exit_code

REPOSITORY = Path(__file__).resolve().parents[2]
COUNT_DAG = REPOSITORY / "cloud-services/airflow/dags/frametally_count.py"


def test_an_uncaught_error_ends_with_the_code_of_nothing_else() -> None:
    code = "import frametally_cli.main as cli; cli._run = None; cli.main([])"
    crash = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode
    assert crash not in {0, NOTHING_DONE, PART_DONE}


@pytest.mark.parametrize(
    ("done", "skipped", "code"), [(3, [], 0), (3, ["a"], PART_DONE), (0, ["a"], NOTHING_DONE)]
)
def test_skipped_work_has_a_code_of_its_own(done: int, skipped: list[str], code: int) -> None:
    assert exit_code(done=done, skipped=skipped) == code


@pytest.mark.parametrize(("command_code", "task_code"), [(0, 0), (PART_DONE, 0), (1, 1), (NOTHING_DONE, 1)])
def test_the_counting_tasks_pass_with_skipped_work_and_fail_with_a_crash(
    command_code: int, task_code: int
) -> None:
    text = COUNT_DAG.read_text(encoding="utf-8")
    accepted = re.findall(r"\|\| (\[ \$\? -eq \d+ \])", text)
    assert len(accepted) == 2  # aggregate and index
    assert f"skip_on_exit_code={PART_DONE}" in text
    for accept in accepted:
        line = f"(exit {command_code}) || {accept}"
        assert subprocess.run(["bash", "-c", line], check=False).returncode == task_code
