"""Every command with a range accepts an end at the end of time, and refuses other texts in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest

from frametally.adapters_by_url import open_object_store
from frametally_cli.main import cli, main

EXTREMES = ["0001-01-01", "9999-12-31T23:59:59Z", "253402300799999", "-62135596800000"]
NO_TIMES = ["yesterday", "9" * 19, "-" + "9" * 19, "2026-13-01"]
ARGUMENTS = {
    "aggregate": ["--dry-run"],
    "compare": ["a", "b"],
    "forget": ["clip.mp4", "--yes"],
    "lines import": ["gate", __file__],
    "lines remove": ["gate", "stop"],
    "models count": ["yolov4-tiny"],
    "report traffic": ["gate", "--output", "report.xlsx"],
    "privacy erase": ["--source", "gate", "--dry-run"],
    "redetect": ["--model", "m-0a1b2c3d"],
    "retention hold": ["case-7"],
}
UNDO = {("retention", "hold"): ["retention", "release", "case-7"]}
"""Options that allow a command to run twice."""


def ranged(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group) and name != "api":  # the API's tests try its own times
            yield from ranged(command, (*path, name))
        elif command is not None and ends_of(command):
            yield (*path, name)


def ends_of(command: click.Command) -> list[str]:
    """The ends of a range that may be omitted."""
    flags = {flag for parameter in command.params for flag in parameter.opts if not parameter.required}
    ends = ["--from", "--to"]
    return ends if flags.issuperset(ends) else []


def found(path: tuple[str, ...]) -> click.Command:
    command: click.Command = cli
    for name in path:
        assert isinstance(command, click.Group)
        part = command.get_command(click.Context(command), name)
        assert part is not None
        command = part
    return command


def call_on_empty_store(command: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make an empty store; return the command with its required arguments, and its data folder."""
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("FRAMETALLY_DETECTOR", "opencv")  # else the store would remember one, and report it
    with closing(open_object_store((folder / "store").as_uri())):
        pass
    return [*command, *ARGUMENTS.get(" ".join(command), []), "--data-dir", str(folder)]


@pytest.mark.thorough
@pytest.mark.parametrize("command", [*ranged()], ids=" ".join)
def test_no_range_bound_however_extreme_makes_a_command_fail(
    command: tuple[str, ...],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = call_on_empty_store(command, tmp_path, monkeypatch)

    def undo() -> None:
        if command in UNDO:
            assert main([*UNDO[command], "--data-dir", str(tmp_path)]) == 0

    usual = main(call)
    said = capfd.readouterr().err
    for end in ends_of(found(command)):
        for time in EXTREMES:
            undo()
            assert main([*call, f"{end}={time}"]) == usual
            assert capfd.readouterr().err == said
        for text in NO_TIMES:
            assert main([*call, f"{end}={text}"]) == 2
            errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error:")]
            assert len(errors) == 1
            assert text[:15] in errors[0]


@pytest.mark.parametrize("command", [*ranged(), ("history",)], ids=" ".join)
def test_every_command_refuses_a_range_that_ends_before_it_begins(
    command: tuple[str, ...],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = call_on_empty_store(command, tmp_path, monkeypatch)
    for to in ("2026-02-01", "2026-01-31"):
        assert main([*call, "--from=2026-02-01", f"--to={to}"]) == 2
        refused = (
            "The end must be later than the beginning. Choose a later `--to`; the range"
            if command == ("export",)
            else "--from must be before --to"
        )
        assert capfd.readouterr().err.startswith(f"error: {refused}")


def test_some_commands_take_a_range() -> None:
    assert {("export",), ("forget",), ("aggregate",)} <= set(ranged())


def test_a_required_range_may_span_all_of_time(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    call = ["embed", "--site", "https://a.example", "--data-dir", str(tmp_path)]
    assert main([*call, "--from", EXTREMES[0], "--to", EXTREMES[1]]) == 0
    capfd.readouterr()
    for text in NO_TIMES:
        assert main([*call, "--from", text, "--to", EXTREMES[1]]) == 2
        assert capfd.readouterr().err.count("error:") == 1
