"""A mistyped command gets one line that says where to look."""

import logging
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from frametally.console import streams
from frametally_cli.main import COMMANDS, cli, main


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["produse"], "Did you mean 'produce'"),
        (["produce", "--bogus"], "`frametally produce --help` lists the choices"),
        (["consume", "--workers", "0"], "0 is not in the range"),
        (["run"], "Missing argument 'PATHS...'"),
        (["forget"], "give the footage to forget: a MEDIUM, --source NAME or --unnamed-images"),
        (["forget", "a", "--source", "b"], "give only one of a MEDIUM, --source NAME or --unnamed-images"),
        (
            ["retime", "a", "--source", "b", "--start-time", "2026-05-01"],
            "give only one of a MEDIUM or --source NAME",
        ),
    ],
)
def test_a_mistyped_command_is_one_line_and_exit_code_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert says in line


def test_log_lines_of_a_continuous_command_have_time_and_level_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRAMETALLY_STORE_URL", "nonsense://x")
    assert main(["consume", "--data-dir", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}[+-]\d\d:\d\d ERROR   error: FRAMETALLY_STORE_.*", line)
    with streams.as_before():
        streams.log_lines()
        logging.getLogger("frametally_web").warning("the books are late")
        print("part of", end="")
        print(" a line\n\n")
    print("a result")
    said = capsys.readouterr()
    assert said.err.partition(" ")[2] == "WARNING the books are late\n"
    assert said.out.partition(" ")[2] == "INFO    part of a line\na result\n"


def test_the_bare_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "Commands:" in capsys.readouterr().err


def test_listing_the_commands_imports_no_command_and_no_large_package() -> None:
    code = "import sys; from frametally_cli.main import main; main(['--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & {"numpy", "sqlalchemy", "rich", "flask", "frametally.settings.loading"}


@pytest.mark.thorough
def test_showing_a_commands_help_does_not_import_what_only_its_work_needs() -> None:
    code = """
import click, sys
from frametally_cli.main import cli
def show_help(command, context):
    command.get_help(context)
    for name in command.list_commands(context) if isinstance(command, click.Group) else ():
        part = command.get_command(context, name)
        if name != "api":  # each action is declared at its handler
            show_help(part, click.Context(part, parent=context, info_name=name))
show_help(cli, click.Context(cli))
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "frametally_cli.commands.status_report" in loaded
    dear = {"numpy", "sqlalchemy", "flask", "starlette", "boto3", "kafka", "cv2", "elasticsearch"}
    assert not loaded & dear


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_listed_command_exists_under_its_name(name: str) -> None:
    assert cli.get_command(click.Context(cli), name).name == name
