"""Measures processes in alternating rounds: wall seconds, CPU seconds, peak memory."""

from __future__ import annotations

import math
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Measured:
    """The rounds of one variant."""

    def __init__(self) -> None:
        """Start without rounds."""
        self._wall_s: list[float] = []
        self._cpu_s: list[float] = []
        self.peak_mb = 0.0

    def run(self, command: Sequence[str], *, stdin: Path | None = None) -> None:
        """Run one round in a separate process; CPU seconds include the children it waited for.

        Raises:
            SystemExit: It failed; the message has the end of its output.
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
            if status:
                raise SystemExit(f"{' '.join(command)} failed:\n{log.read_text()[-3000:]}")
        self._wall_s.append(wall_s)
        self._cpu_s.append(usage.ru_utime + usage.ru_stime)
        self.peak_mb = max(self.peak_mb, usage.ru_maxrss / 1024)

    @property
    def wall_s(self) -> float:
        """Return the median wall seconds."""
        return statistics.median(self._wall_s)

    @property
    def cpu_s(self) -> float:
        """Return the median CPU seconds."""
        return statistics.median(self._cpu_s)


def count(folder: Path, *, may_be_up_to_date: bool = False, **settings: Any) -> None:
    """Count a data folder with these settings in this process, as `frametally aggregate` does.

    Raises:
        SystemExit: Not everything was counted; or nothing was, and `may_be_up_to_date` is False.
    """
    from frametally.opening import open_object_store
    from frametally.process.reports import NoProgress
    from frametally.settings.loading import Settings
    from frametally_hadoop.driver import aggregate

    store = open_object_store((folder / "store").as_uri())
    chosen = Settings(data_dir=folder, **settings).resolved()
    report = aggregate(settings=chosen, store=store, progress=NoProgress())
    if report.skipped or not (report.runs or (may_be_up_to_date and report.days_up_to_date)):
        raise SystemExit(f"not all was counted: {report}")


def clear(folder: Path) -> None:
    """Delete counts and notes from a data folder."""
    for name in ("mapreduce-output", "tracks", "hours"):
        shutil.rmtree(folder / "store" / name, ignore_errors=True)
    for ledger in folder.glob("ledger.sqlite*"):
        ledger.unlink()


def measure_engines(
    pythons: Mapping[str, str], paths: Sequence[Path], rounds: int, *, budget_s: float = math.inf
) -> tuple[dict[str, Measured], int]:
    """Measure every variant of `aggregation_engines` on the same segments; also return the number of rounds.

    Args:
        pythons: By name of the variant, a Python with its dependencies.
        paths: The segments.
        rounds: The number of rounds.
        budget_s: Start no round that would end later than this many seconds from now, except the first.

    Raises:
        SystemExit: One failed, or two do not agree.
    """
    script = str(Path(__file__).resolve().with_name("aggregation_engines.py"))
    found = {name: Measured() for name in pythons}
    digests: dict[str, str] = {}
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        listed, digest = Path(temporary) / "list", Path(temporary) / "digest"
        listed.write_text("\n".join(map(str, paths)), "utf-8")
        for done in range(rounds):
            spent_s = time.monotonic() - started_s
            if done and spent_s + spent_s / done > budget_s:
                return found, done
            for name, python in pythons.items():
                found[name].run([python, script, name, str(listed), str(digest)])
                digests[name] = digest.read_text("utf-8")
                if len(set(digests.values())) > 1:
                    raise SystemExit(f"the variants do not agree: {digests}")
    return found, rounds
