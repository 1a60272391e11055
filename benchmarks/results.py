"""What a benchmark writes: one JSON file of tables and goals, with all that is needed to judge it."""

from __future__ import annotations

import datetime
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path(__file__).resolve().parent / "results"

Cell = str | int | float | None


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one kind.

    Attributes:
        title: What is measured.
        columns: Their names, with units.
        rows: Of as many cells.
        note: What to mind when reading it.
    """

    title: str
    columns: list[str]
    rows: list[list[Cell]]
    note: str = ""


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """A number that was to be reached.

    Attributes:
        what: The number.
        at_least: What it should not be below.
        at_most: What it should not be above.
        measured: What it is.
    """

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


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one benchmark.

    Attributes:
        name: Of the benchmark and of its file.
        title: The heading on the page.
        about: A paragraph: what is compared with what, and how.
        date: Of the run, UTC.
        cpu: What it ran on.
        cores: How many of its cores.
        load_before: Mean number of running processes in the minute before.
        commit: Of the checkout; `+` if it had changes.
        command: How to run it again.
        packages: Versions of what was measured.
        tables: The numbers.
        goals: What was to be reached.
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


def save(
    *,
    name: str,
    title: str,
    about: str,
    load_before: float,
    packages: list[str],
    tables: list[Table],
    goals: list[Goal],
    by_cpu: bool = False,
) -> Path:
    """Write the result of the benchmark that is running, and say where.

    Args:
        name: Of the benchmark and of its file.
        title: The heading on the page.
        about: A paragraph: what is compared with what, and how.
        load_before: `os.getloadavg()[0]` before it began.
        packages: Names of those whose versions matter.
        tables: The numbers.
        goals: What was to be reached.
        by_cpu: Whether networks are most of what is measured: on a CPU with Intel's AMX, whose products of
            matrices are several times as fast, the result has a name of its own beside that of other CPUs.
    """
    # Not above: it imports OpenCV, which a process that is measured would pay for.
    from frametally_consumer import load as backends

    amx = " with AMX" if "amx_int8" in _cpu_line("flags").split() else ""
    if by_cpu and amx:
        name, title = f"{name}-amx", f"{title}, on a CPU{amx}"
    result = Result(
        name=name,
        title=title,
        about=about,
        date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        cpu=_cpu_line("model name") + amx,
        cores=backends.cores(),
        load_before=round(load_before, 1),
        commit=_commit(),
        command=" ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        packages={package: importlib.metadata.version(package) for package in packages},
        tables=tables,
        goals=goals,
    )
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    print(path)
    return path


def load_all() -> list[Result]:
    """Every committed result, by name. Raises `msgspec.DecodeError`."""
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

    return git("rev-parse", "--short=10", "HEAD") + ("+" if git("status", "--porcelain") else "")
