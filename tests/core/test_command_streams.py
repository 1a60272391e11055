"""A command whose output cannot be written prints one line or none, and its exit code shows the failure."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.kit.processes import run_program

from frametally.adapters_by_url import open_object_store
from frametally.console.output import format_of
from frametally.files.export_formats import FORMATS
from frametally.files.replacing import replace_file
from frametally_cli.main import main

COMMANDS = ["--help", "status --json", "export", "PYTHONUNBUFFERED=1 doctor"]


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a line of shell in which $FT is the command."""
    with closing(open_object_store((folder / "data" / "store").as_uri())):
        pass
    return run_program(
        ["/bin/bash", "-c", command],
        code=None,
        env={
            **os.environ,
            "FT": f"{sys.executable} -m frametally",
            "FRAMETALLY_DATA_DIR": str(folder / "data"),
            "COLUMNS": "100",
        },
        cwd=folder,
    )


@pytest.mark.thorough
@pytest.mark.parametrize("command", COMMANDS)
def test_output_that_cannot_be_written_is_one_line_and_exit_code_2(command: str, tmp_path: Path) -> None:
    *variables, command = command.split(" ", 1) if command.startswith("PYTHON") else [command]
    done = run(f"{' '.join(variables)} $FT {command} >/dev/full", tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1:] == [
        "error: standard output: No space left on device; free some space there, or choose another place"
    ]
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("command", "closed"), [("status", ">&-"), ("export", "2>&-"), ("status", "<&- >&- 2>&-")]
)
def test_a_closed_stream_works_like_one_that_discards_its_output(
    command: str, closed: str, tmp_path: Path
) -> None:
    usual = run(f"$FT {command}", tmp_path)
    done = run(f"$FT {command} {closed}", tmp_path)
    assert done.returncode == usual.returncode
    assert done.stdout == ("" if ">&-" in closed.replace("2>&-", "") else usual.stdout)
    assert done.stderr == ("" if "2>&-" in closed else usual.stderr)


@pytest.mark.thorough
def test_errors_that_cannot_be_written_change_no_exit_code(tmp_path: Path) -> None:
    assert run("$FT export --timezone Mars/Olympus 2>/dev/full", tmp_path).returncode == 2


@pytest.mark.thorough
def test_a_command_ends_quietly_when_nobody_reads_its_pipe(tmp_path: Path) -> None:
    done = run("$FT status | true; exit ${PIPESTATUS[0]}", tmp_path)
    assert done.returncode == 1
    assert done.stderr == ""


@pytest.mark.parametrize("command", [("export",), ("api", "export")])
@pytest.mark.parametrize("output", ["missing/x.csv", "a-file/x.csv"])
def test_an_export_to_an_impossible_path_is_one_line(
    output: str,
    command: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    (tmp_path / "a-file").touch()
    with closing(open_object_store((tmp_path / "data" / "store").as_uri())):
        pass
    assert main([*command, "--data-dir", "data", "--output", output]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: ")
    assert output.split("/")[0] in line
    assert line.endswith("give a file in an existing folder")


@pytest.mark.parametrize("ending", [".doc", ".xls", ".gz"])
def test_an_export_never_writes_another_format_than_the_file_name_says(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    with closing(open_object_store((tmp_path / "store").as_uri())):
        pass
    output = tmp_path / f"counts{ending}"
    command = ["export", "--data-dir", str(tmp_path), "--output"]
    assert main([*command, str(output)]) == 2
    assert capsys.readouterr().err == (
        f"error: a file name cannot end with {ending}: use .xlsx, .csv, .json, .parquet, or choose one with "
        "--format\n"
    )
    assert not output.exists()
    assert format_of(output, "csv", FORMATS, "csv") == "csv", "a format that somebody chose wins"
    assert format_of(tmp_path / "counts.XLSX", None, FORMATS, "csv") == "xlsx"
    assert format_of(tmp_path / "counts", None, FORMATS, "csv") == "csv"
    assert format_of(None, None, FORMATS, "csv") == "csv"


def test_a_file_that_does_not_fit_on_the_disk_leaves_the_former_one_intact(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    replace_file(path, b"before")
    path.chmod(0o640)
    replace_file(path, b"now")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"now", 0o640)

    def cut() -> Iterator[bytes]:
        yield b"c"
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match=r"No space left.*counts\.csv"):
        replace_file(path, cut())
    assert path.read_bytes() == b"now"
    assert [one.name for one in tmp_path.iterdir()] == ["counts.csv"]


def test_an_export_writes_to_a_device_or_pipe_and_follows_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "elsewhere" / "counts.csv")
    replace_file(link, b"data")
    assert link.is_symlink()
    assert (tmp_path / "elsewhere" / "counts.csv").read_bytes() == b"data"
    replace_file(Path("/dev/null"), b"data")
    assert not Path("/dev/null").is_file()
