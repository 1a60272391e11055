"""Measures processes in alternating rounds: wall seconds, CPU seconds, peak memory."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path


class Measured:
    """The rounds of one variant."""

    def __init__(self) -> None:
        """Start without rounds."""
        self._wall_s: list[float] = []
        self._cpu_s: list[float] = []
        self.peak_mb = 0.0

    def run(self, command: Sequence[str], *, stdin: Path | None = None, with_orphans: bool = False) -> None:
        """Run one round in a separate process; CPU seconds include the children it waited for.

        `with_orphans` adds processes that outlive it and that this process inherits, as a subreaper.
        Raises `SystemExit` with the end of its output if it fails.
        """
        with tempfile.TemporaryDirectory() as temporary:
            log = Path(temporary) / "log"
            with log.open("wb") as sink, (stdin or Path(os.devnull)).open("rb") as source:
                started_s = time.monotonic()
                child = os.posix_spawn(
                    command[0],
                    command,
                    os.environ,
                    file_actions=[
                        (os.POSIX_SPAWN_DUP2, source.fileno(), 0),
                        (os.POSIX_SPAWN_DUP2, sink.fileno(), 2),
                        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    ],
                )
                _, status, usage = os.wait4(child, 0)
                wall_s = time.monotonic() - started_s
                usages = [usage]
                with suppress(ChildProcessError):
                    while with_orphans:
                        usages.append(os.wait4(-1, 0)[2])
            if status:
                raise SystemExit(f"{' '.join(command)} failed:\n{log.read_text()[-3000:]}")
        self._wall_s.append(wall_s)
        self._cpu_s.append(sum(one.ru_utime + one.ru_stime for one in usages))
        self.peak_mb = max(self.peak_mb, usage.ru_maxrss / 1024)

    @property
    def wall_s(self) -> float:
        """Return the median wall seconds."""
        return statistics.median(self._wall_s)

    @property
    def cpu_s(self) -> float:
        """Return the median CPU seconds."""
        return statistics.median(self._cpu_s)


def clear(folder: Path) -> None:
    """Delete counts and notes from a data folder."""
    for name in ("mapreduce-output", "tracks", "hours"):
        shutil.rmtree(folder / "store" / name, ignore_errors=True)
    for ledger in folder.glob("ledger.sqlite*"):
        ledger.unlink()


def measure_engines(pythons: Mapping[str, str], paths: Sequence[Path], rounds: int) -> dict[str, Measured]:
    """Measure every variant of `aggregation_engines` on the same segments.

    `pythons` names, by variant, a Python with its dependencies. Raises `SystemExit` if one fails, or two do
    not agree.
    """
    script = str(Path(__file__).resolve().with_name("aggregation_engines.py"))
    found = {name: Measured() for name in pythons}
    digests: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        listed, digest = Path(temporary) / "list", Path(temporary) / "digest"
        listed.write_text("\n".join(map(str, paths)), "utf-8")
        for _, (name, python) in product(range(rounds), pythons.items()):
            found[name].run([python, script, name, str(listed), str(digest)])
            digests[name] = digest.read_text("utf-8")
            if len(set(digests.values())) > 1:
                raise SystemExit(f"the variants do not agree: {digests}")
    return found
