"""Measures rounds that take turns, and other processes; finds the servers of `make services-up`."""

from __future__ import annotations

import os
import shlex
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from results import ROOT

FRAMETALLY = (sys.executable, "-m", "frametally")
SERVICES = Path(os.environ.get("FRAMETALLY_SERVICES_DIR", ROOT / ".services"))
_START_S = 60

Name = TypeVar("Name")


def in_turns(
    works: Mapping[Name, Callable[[], object]],
    rounds: int,
    *,
    clock: Callable[[], float] = time.perf_counter,
    warm_up: bool = True,
) -> dict[Name, list[float]]:
    """Return the seconds of each work by round; in a round, all take turns, and one more round warms up."""
    took: dict[Name, list[float]] = {name: [] for name in works}
    for number in range(rounds + warm_up):
        for name, work in works.items():
            began_s = clock()
            work()
            if number >= warm_up:
                took[name].append(clock() - began_s)
    return took


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the rounds' ratios, to two decimals."""
    return round(statistics.median(one / other for one, other in zip(ours, theirs, strict=True)), 2)


def p95_ms(seconds: Sequence[float]) -> float:
    """Return the 95th percentile in milliseconds."""
    return round(1000 * statistics.quantiles(seconds, n=20, method="inclusive")[-1], 2)


def memory_mb(process: int | str = "self", what: str = "VmHWM") -> float:
    """Return a process's peak memory (or, with `VmRSS`, its present memory) in MiB."""
    # Not `ru_maxrss`, which Linux starts at the parent's.
    status = Path(f"/proc/{process}/status").read_text("utf-8")
    return int(status.partition(f"{what}:")[2].split()[0]) / 1024


def stored_bytes(*paths: Path) -> int:
    """Return the size of files, and of all files in folders."""
    files = (file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]))
    return sum(file.stat().st_size for file in files if file.is_file())


@contextmanager
def listening(
    *command: str | Path, env: Mapping[str, str] | None = None, folder: Path | None = None
) -> Iterator[tuple[int, int]]:
    """Start the server `command` with a free port as its last argument; give its process and the port.

    `env` is its whole environment; without it, that of this process.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    with subprocess.Popen(
        [*command, str(port)],
        env=env,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as server:
        try:
            until_s = time.monotonic() + _START_S
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    if server.poll() is not None or time.monotonic() > until_s:
                        raise SystemExit(f"{command}: the server did not start") from None
                    time.sleep(0.1)
            yield server.pid, port
        finally:
            os.killpg(server.pid, 9)


@contextmanager
def serving(folder: Path, *options: str, env: Mapping[str, str] | None = None) -> Iterator[tuple[int, int]]:
    """Start `frametally serve` over a data folder; give its process and the port."""
    served = ("serve", "--data-dir", str(folder), *options, "--port")
    with listening(*FRAMETALLY, *served, env=os.environ | (env or {})) as server:
        yield server


def running_servers() -> dict[str, str]:
    """Return the running servers' settings from `make services-up`, by name."""
    path = SERVICES / "env"
    lines = shlex.split(path.read_text("utf-8"), comments=True) if path.is_file() else []
    return {
        key.removeprefix("FRAMETALLY_TEST_"): value for key, value in (line.split("=", 1) for line in lines)
    }
