"""Runs commands in one process, under the recorder, and notes how long its log was before and after each.

Arguments: the data folder, the file of commands (JSON: a list of lists of arguments), the file for the notes.
Without a recorder, it only runs the commands and notes their output. A command that runs until Ctrl-C gets a
process, which ends when it has done its work.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.kit.ports import free_port
from tests.kit.waiting import until

CAMERA_FRAMES = 12
"""Frames that a camera stores before `live work` ends."""


def _length() -> int:
    log = os.environ.get("POWER_LOG")
    return Path(log).stat().st_size if log else 0


def _text_of(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def _write_back(log: str) -> None:
    """Note that the system has written everything by itself, as it does after half a minute."""
    with Path(log).open("ab") as file:
        file.write(struct.pack("<QQQQQ", ord("Y"), 0, _length(), 0, 0))


def _run(arguments: Sequence[str], data_dir: Path) -> int:
    from frametally_cli.main import main as frametally

    try:
        return frametally([*arguments, "--data-dir", str(data_dir)])
    except SystemExit as ended:
        return int(ended.code or 0)


def _is_settled(data_dir: Path) -> bool:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return _run(["status"], data_dir) == 0


def _run_until_done(arguments: Sequence[str], data_dir: Path) -> int:
    """Run `up` until the books are settled, or `live work` until a camera has stored more frames."""

    def pictures() -> int:
        return sum("#" not in path.name for path in (data_dir / "store/images").rglob("*.jpg"))

    def is_done() -> bool:
        return _is_settled(data_dir) if arguments == ["up"] else pictures() >= enough

    enough = pictures() + CAMERA_FRAMES
    options = ["--port", str(free_port()), "--every", "1s"] if arguments == ["up"] else []
    command = [sys.executable, "-m", "frametally", *arguments, *options, "--data-dir", str(data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            until(lambda: process.poll() is not None or is_done(), every_s=1.0)
        finally:
            process.send_signal(signal.SIGTERM)
        print(process.communicate()[0].decode())
        return process.returncode


def run_forked(arguments: Sequence[str], folder: str, environment: Mapping[str, str]) -> None:
    """Run commands in this process, as if it had just been started in a folder with an environment."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    main(*map(Path, arguments))


def main(data_dir: Path, commands: Path, notes_file: Path) -> None:
    """Run the commands and write the notes."""
    from frametally.adapters.sql import engine
    from frametally_accounts.book import AccessBook

    if fault := os.environ.get("POWER_SYNCHRONOUS"):  # a fault, by which the campaign must fail
        configure = engine._configure
        engine._configure = lambda synchronous, connection, _: configure(fault, connection, _)
    notes = []
    # A dashboard has it open all the time; otherwise each command would be the last to close it, and sync it.
    book = AccessBook(f"sqlite:///{data_dir}/catalogue.sqlite")
    book.is_empty()
    for arguments in json.loads(commands.read_text()):
        began = _length()
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
        if arguments == ["half a minute"]:
            _write_back(os.environ["POWER_LOG"])
            code = 0
        else:
            run = _run_until_done if arguments in (["up"], ["live", "work"]) else _run
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run(arguments, data_dir)
        notes.append(
            {
                "arguments": arguments,
                "code": code,
                "out": _text_of(out),
                "err": _text_of(err),
                "began": began,
                "ended": _length(),
            }
        )
        notes_file.write_text(json.dumps(notes))
    book.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
