"""A benchmark's options, and its output: one JSON file of tables and goals, with what judges them."""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path("../shared/data")
"""The footage of `--data`, where not named: `coco128/{images,labels}` and `vtest/`."""
CACHE = Path(tempfile.gettempdir()) / "frametally-benchmarks"
"""Where detections are kept, which take long."""
FOLDER = Path(__file__).resolve().parent / "results"
_LOAD_BEFORE = os.getloadavg()[0]
"""When a benchmark starts, it imports this module."""

Cell = str | int | float | None


class Table(msgspec.Struct, frozen=True):
    """Rows of one kind, each with a cell per column; `note` is a remark for the reader."""

    title: str
    columns: list[str]
    rows: list[list[Cell]]
    note: str = ""


class Goal(msgspec.Struct, frozen=True):
    """A number with bounds to meet."""

    what: str
    measured: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def is_reached(self) -> bool:
        """Whether it is within its bounds."""
        return (self.at_least is None or self.measured >= self.at_least) and (
            self.at_most is None or self.measured <= self.at_most
        )


class Result(msgspec.Struct, frozen=True):
    """One run of one benchmark.

    `load_before` is the mean number of running processes in the minute before; `commit` ends with `+` if the
    checkout had changes; `packages` has the versions of what was measured.
    """

    name: str
    title: str
    about: str
    date: str
    cpu: str
    cores: int
    load_before: float
    commit: str
    command: str
    packages: dict[str, str]
    tables: list[Table]
    goals: list[Goal]


def options(about: str | None, **defaults: Any) -> argparse.Namespace:
    """Return the command line's options, given by name with their defaults.

    A type, such as `Path`, is an option without a default, `False` a flag, and a list takes many values.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in defaults.items():
        flag = f"--{name.replace('_', '-')}"
        if default is False:
            parser.add_argument(flag, action="store_true")
        elif isinstance(default, list):
            parser.add_argument(flag, nargs="*", type=type(default[0]) if default else str, default=default)
        elif isinstance(default, type):
            parser.add_argument(flag, type=default)
        else:
            parser.add_argument(flag, type=type(default), default=default)
    return parser.parse_args()


def save(
    *,
    name: str,
    title: str,
    about: str,
    packages: list[str],
    tables: list[Table],
    goals: Sequence[Goal] = (),
    by_cpu: bool = False,
) -> None:
    """Write the result of the running benchmark, and print its path.

    The arguments are attributes of `Result`; `packages` are those whose versions matter. `by_cpu` says that
    most of the measured work is in networks: on a CPU with Intel's AMX, which multiplies matrices several
    times as fast, the result then has a separate name from that of other CPUs.
    """
    # Not at the top: it imports OpenCV, at the expense of a measured process.
    from frametally_consumer import load as backends

    amx = " with AMX" if "amx_int8" in _cpu_line("flags").split() else ""
    if by_cpu and amx:
        name, title = f"{name}-amx", f"{title}, on a CPU{amx}"
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    versions = {package: importlib.metadata.version(package) for package in packages}
    cpu, load = _cpu_line("model name") + amx, round(_LOAD_BEFORE, 1)
    of_run = date, cpu, backends.cores(), load, _commit(), command, versions
    result = Result(name, title, about, *of_run, tables, list(goals))
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    print(path)


def load_all() -> list[Result]:
    """Return every committed result, by name. Raises `msgspec.DecodeError`."""
    return [msgspec.json.decode(path.read_bytes(), type=Result) for path in sorted(FOLDER.glob("*.json"))]


def _cpu_line(name: str) -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return "unknown"


def _commit() -> str:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    # Another benchmark may have saved its result meanwhile.
    changes = git("status", "--porcelain", "--", ".", ":!benchmarks/results")
    return git("rev-parse", "--short=10", "HEAD") + ("+" if changes else "")
