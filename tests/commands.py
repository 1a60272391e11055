"""`frametally` as users start it, in a separate process, without importing everything again each time."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple, NoReturn

# Without `frametally.console`, which inspects the terminal when it is imported.
PRELOAD = [
    "numpy",
    "rich.console",
    "rich.progress",
    "rich.table",
    "frametally.adapters_by_url",
    "frametally.adapters.files.folder_store",
    "frametally.adapters.sqlite.file_log",
    "frametally.adapters.sql.index.counts",
    "frametally_producer.produce",
    "frametally_models.prepare",
    "frametally_consumer.worker.loop",
    "tests.commands",
]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(PRELOAD)


class Finished(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Finished]
"""Runs a command."""


def _run(
    arguments: list[str],
    cwd: str,
    environment: dict[str, str],
    output: str,
    constants: Mapping[str, float] | None = None,
) -> NoReturn:
    """Behave like a new process of the command line, with this folder, environment, streams and constants."""
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate((os.devnull, f"{output}/out", f"{output}/err")):
        opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["frametally", *arguments]
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
    from frametally_cli.main import main

    for name, value in (constants or {}).items():
        module, _, constant = name.rpartition(".")
        setattr(importlib.import_module(module), constant, value)
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


def findings(printed: str) -> str:
    """Return a line for each row of `doctor --json`: its table for people breaks sentences."""
    rows = json.loads(printed)["rows"]
    return "\n".join(f"{row['area']} {row['name']} {row['value']} {row['remedy']}" for row in rows)


def start_frametally(
    *arguments: object, cwd: Path, output: Path, constants: Mapping[str, float], **env: str
) -> BaseProcess:
    """Start a command that will be killed, with other constants in its modules; `output` is a folder."""
    given = [*map(str, arguments)]
    process = FORKS.Process(
        target=_run, args=(given, str(cwd), dict(os.environ) | env, str(output), constants)
    )
    process.start()
    return process


def run_frametally(*arguments: object, cwd: Path, timeout_s: float = 240, **env: str) -> Finished:
    """Run a command to its end.

    Raises:
        TimeoutError: It is still running after `timeout_s` seconds.
    """
    with tempfile.TemporaryDirectory() as output:
        process = FORKS.Process(
            target=_run,
            args=([*map(str, arguments)], str(cwd), dict(os.environ) | {"COLUMNS": "200"} | env, output),
        )
        process.start()
        process.join(timeout_s)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(f"frametally {' '.join(map(str, arguments))}")
        out, err = ((Path(output) / name).read_text() for name in ("out", "err"))
        return Finished(process.exitcode, out, err)


def frametally(*arguments: object, code: int | None = 0) -> Finished:
    """Run a command in this process and folder; it must end with `code`, unless that is None."""
    return CommandLine(Path.cwd())(*arguments, code=code)


def said(*arguments: object, code: int = 0) -> str:
    """Run a command in this process, and return what it prints to both streams; it must end with `code`."""
    done = frametally(*arguments, code=code)
    return done.out + done.err


def line_of(*arguments: object, code: int = 0) -> str:
    """Return what a command prints, as `said` does, on one line."""
    return " ".join(said(*arguments, code=code).split())


class CommandLine:
    """`frametally` in this process and in a folder, which is made: the quick way where nothing is killed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def __call__(self, *arguments: object, code: int | None = 0) -> Finished:
        """Run a command; it must end with `code`, unless that is None."""
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
        with contextlib.chdir(self.folder), redirect_stdout(out), redirect_stderr(err):
            found = importlib.import_module("frametally_cli.main").main([*map(str, arguments)])
        finished = Finished(found, *(stream.buffer.getvalue().decode() for stream in (out, err)))
        assert code in (None, found), (arguments, finished)
        return finished
