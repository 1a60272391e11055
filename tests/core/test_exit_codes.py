"""A scheduler can distinguish a crash from work that set something aside."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from frametally.process.exit_codes import NOTHING_DONE, PART_DONE, STOPPED, worst
from frametally.process.reports import Skipped, exit_code
from frametally.settings.loading import Settings
from frametally_cli.commands import stages
from frametally_consumer import supervisor
from frametally_consumer.worker.report import ConsumeReport
from frametally_models import prepare
from frametally_search import index_round

REPOSITORY = Path(__file__).resolve().parents[2]
COUNT_DAG = REPOSITORY / "cloud-services/airflow/dags/frametally_count.py"


def test_an_uncaught_error_has_an_exit_code_of_its_own() -> None:
    code = "import frametally_cli.main as cli; cli._run = None; cli.main([])"
    crash = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode
    assert crash not in {0, NOTHING_DONE, PART_DONE}


@pytest.mark.parametrize(
    ("done", "skipped", "code"), [(3, [], 0), (3, ["a"], PART_DONE), (0, ["a"], NOTHING_DONE)]
)
def test_skipped_work_has_an_exit_code_of_its_own(done: int, skipped: list[str], code: int) -> None:
    assert exit_code(done_count=done, skipped=skipped) == code


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


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ((0, 0), 0),
        ((0, PART_DONE), PART_DONE),
        ((PART_DONE, NOTHING_DONE), NOTHING_DONE),
        ((PART_DONE, STOPPED), STOPPED),
    ],
)
def test_skipped_work_hides_no_failure_of_another_step(codes: tuple[int, ...], code: int) -> None:
    assert worst(*codes) == worst(*reversed(codes)) == code


def test_a_lost_consumer_process_does_not_count_as_skipped_work(monkeypatch: pytest.MonkeyPatch) -> None:
    report = ConsumeReport("model", frames=1, dead_letters=[Skipped("a frame", "it is broken")])
    monkeypatch.setattr(prepare, "prepare_model", lambda *_: None)
    monkeypatch.setattr(supervisor, "consume_with_workers", lambda *_, **__: (report, ["worker 1 was lost"]))
    ports = SimpleNamespace(settings=Settings())
    assert stages._consume_elsewhere(ports, 2, True, lambda: False) == NOTHING_DONE  # type: ignore[arg-type]


@pytest.mark.parametrize(("indexed", "code"), [(0, PART_DONE), (NOTHING_DONE, NOTHING_DONE)])
def test_a_failed_plug_in_counts_as_skipped_work_and_hides_no_failure(
    indexed: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_round, "index_new_runs", lambda _: indexed)
    monkeypatch.setattr(
        index_round, "hooks", lambda name: [lambda _: NOTHING_DONE] if name == "indexed" else []
    )
    assert index_round.publish_counts(None) == code  # type: ignore[arg-type]


def test_no_manual_says_that_a_command_ends_with_the_exit_code_of_a_crash() -> None:
    manuals = (
        "*.md",
        ":!CHANGELOG.md",
        ":!benchmarks/results",
    )  # of the others, both mention earlier versions
    command = ["git", "ls-files", "--", *manuals]
    names = subprocess.run(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True
    ).stdout.split()
    said = {name: (REPOSITORY / name).read_text(encoding="utf-8") for name in names}
    crash = re.compile(r"(?:ends?|exits?) with 1\b|exit code 1\b|`index` 1\b")
    assert [name for name, text in said.items() if crash.search(text)] == []
